"""Python and Solidity on the same random input: ids of names, assets and escrows, digests, hashes of splits."""

from __future__ import annotations

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from ame.encoding import account_id, keccak, named_id
from ame.mapping.registration import Part, RegisteredAsset, asset_hash, asset_id
from tests.agreement.evm import DEPLOYER, Contract, Machine, Reverted, error_selector

WORDS = st.binary(min_size=32, max_size=32)
INVALID_SPLIT = error_selector("InvalidSplit()")


@pytest.fixture(scope="module")
def contributors() -> Contract:
    return Machine().deploy("ContributorRegistry")


@pytest.fixture(scope="module")
def rights(contributors: Contract) -> Contract:
    return contributors.machine.deploy("RightsRegistry", contributors.address)


@st.composite
def splits(draw: st.DrawFn) -> tuple[Part, ...]:
    """Ascending ids, parts that sum to a million."""
    ids = sorted(draw(st.sets(WORDS.filter(any), min_size=1, max_size=6)))
    cuts = sorted(draw(st.sets(st.integers(1, 10**6 - 1), min_size=len(ids) - 1, max_size=len(ids) - 1)))
    ends = [0, *cuts, 10**6]
    return tuple(Part(one, ends[n + 1] - ends[n]) for n, one in enumerate(ids))


@st.composite
def registered(draw: st.DrawFn) -> tuple[RegisteredAsset, str, str]:
    stage, license_ = draw(st.text(max_size=20)), draw(st.text(max_size=20))
    parents = tuple(sorted(draw(st.sets(WORDS, max_size=4))))
    hashes = keccak(stage.encode()), keccak(license_.encode())
    return RegisteredAsset(draw(WORDS), *hashes, parents, draw(splits())), stage, license_


@settings(deadline=None)
@given(registered())
def test_a_registered_split_has_the_hash_that_python_says(
    rights: Contract, case: tuple[RegisteredAsset, str, str]
) -> None:
    asset, stage, license_ = case
    known = asset_id(DEPLOYER, asset.content_hash)
    if rights.call("assetHash", known) != bytes(32):
        return  # this content is registered already
    assert rights.call("register", asset, stage, license_) == known
    assert rights.call("assetHash", known) == asset_hash(asset)


@settings(deadline=None)
@given(splits(), st.data())
def test_a_split_that_does_not_add_up_is_refused(
    rights: Contract, split: tuple[Part, ...], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(split) - 1))
    wrong = list(split)
    wrong[index] = wrong[index]._replace(
        ppm=data.draw(st.integers(0, 2**32 - 1).filter(lambda n: n != split[index].ppm))
    )
    content = keccak(b"wrong" + str(wrong).encode())  # registered by no other example
    asset = RegisteredAsset(content, keccak(b""), keccak(b""), (), tuple(wrong))
    with pytest.raises(Reverted) as refused:
        rights.call("register", asset, "", "")
    assert refused.value.selector == INVALID_SPLIT


@settings(deadline=None)
@given(WORDS, WORDS.map(lambda word: word[12:]).filter(any))
def test_ids_of_assets_and_escrows_agree(rights: Contract, content: bytes, registrant: bytes) -> None:
    address = to_checksum_address(registrant)
    assert rights.call("assetIdOf", address, content) == asset_id(address, content)
    escrow = keccak(account_id(rights.address) + content)
    assert rights.call("escrowIdOf", content) == escrow


@settings(deadline=None)
@given(st.text(), WORDS.map(lambda word: word[12:]).filter(any))
def test_named_ids_agree_for_every_registrar(contributors: Contract, name: str, registrar: bytes) -> None:
    address = to_checksum_address(registrar)
    assert contributors.call("namedId", address, keccak(name.encode())) == named_id(address, name)
