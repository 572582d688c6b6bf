from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from ame.encoding import (
    MESSAGE_TYPES,
    account_id,
    check_address,
    commitment,
    is_account_id,
    keccak,
    leaf_hash,
    named_id,
    node_hash,
    to_bytes,
    to_hex,
    typed_data,
)
from ame.errors import InputError
from ame.records import LedgerCommitment
from scripts import vectors

ADDRESSES = st.integers(1, 2**160 - 1).map(lambda number: to_checksum_address(number.to_bytes(20)))
HASHES = st.binary(min_size=32, max_size=32)
SUMS = st.integers(0, 2**128 - 1)
CONTRACT = vectors.REGISTRY
VOUCH: dict[str, Any] = {
    "externalIdHash": bytes(32),
    "holder": vectors.HOLDER,
    "recoverySeconds": 1,
    "deadline": 2,
}


@pytest.mark.parametrize("name", vectors.VECTORS)
def test_the_committed_vectors_are_what_the_code_gives(name: str) -> None:
    committed = (vectors.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert committed == vectors.render(name), "run `make vectors` and look at what changed"


def test_no_vector_file_is_left_over() -> None:
    assert {path.stem for path in vectors.FOLDER.glob("*.json")} == set(vectors.VECTORS)


def test_keccak_of_nothing_is_the_known_one() -> None:
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


@pytest.mark.parametrize(
    "address",
    [
        "0x5fbdb2315678afecb367f032d93f642f64180aa3",  # no checksum
        "0x5FbDB2315678afecb367f032d93F642f64180aA3",  # one letter's case is wrong
        "5FbDB2315678afecb367f032d93F642f64180aa3",
        "0x5FbDB2315678afecb367f032d93F642f64180a",
        b"\x01" * 20,
        7,
        None,
    ],
)
def test_an_address_without_its_checksum_is_refused(address: object) -> None:
    with pytest.raises(InputError, match=r"payout: expected a checksummed address \(EIP-55\), got"):
        check_address(address, "payout")


def test_the_zero_address_is_refused() -> None:
    with pytest.raises(InputError, match="payout: expected an address other than zero"):
        check_address("0x" + "00" * 20, "payout")


@given(ADDRESSES)
def test_an_account_id_is_the_address(address: str) -> None:
    assert int.from_bytes(account_id(address)) == int(address, 16)
    assert is_account_id(account_id(address))


@given(ADDRESSES, st.text())
def test_a_named_id_is_no_account_id(registrar: str, name: str) -> None:
    assert not is_account_id(named_id(registrar, name))


@given(HASHES.filter(any), SUMS)
def test_a_leaf_is_48_bytes_hashed(contributor_id: bytes, cumulative: int) -> None:
    assert leaf_hash(contributor_id, cumulative) == keccak(contributor_id + cumulative.to_bytes(16, "big"))


@given(HASHES, SUMS, HASHES, SUMS)
def test_a_node_is_96_bytes_hashed(left: bytes, left_sum: int, right: bytes, right_sum: int) -> None:
    preimage = left + left_sum.to_bytes(16, "big") + right + right_sum.to_bytes(16, "big")
    assert node_hash(left, left_sum, right, right_sum) == keccak(preimage)


@given(HASHES, SUMS, st.integers(1, 32))
def test_a_commitment_is_49_bytes_hashed(root: bytes, total: int, depth: int) -> None:
    assert commitment(LedgerCommitment(root, total, depth)) == keccak(
        root + total.to_bytes(16, "big") + bytes([depth])
    )


@given(st.binary(max_size=64))
def test_hex_round_trip(data: bytes) -> None:
    assert to_bytes(to_hex(data), len(data), "data") == data


@pytest.mark.parametrize(
    "text", ["0x0", "0x00", "000102", "0x0001 2", "0x00 0 1", "0xzz0102", "0x0001020", None, 258]
)
def test_hex_of_another_shape_is_refused(text: object) -> None:
    with pytest.raises(InputError, match="root: expected 0x and 6 hex digits, got"):
        to_bytes(text, 3, "root")


@pytest.mark.parametrize("primary", ["Vouch", "Bind", "SetPayout", "ClaimTo", "Settle"])
def test_typed_data_has_the_digest_of_an_independent_encoder(primary: str) -> None:
    known = json.loads((vectors.FOLDER / "typed_data.json").read_text())
    entry = known[primary]
    contract = known[{"ClaimTo": "pool", "Settle": "rights"}.get(primary, "registry")]
    message = typed_data(
        entry["domain"], int(known["chain_id"]), contract, primary, **values_of(primary, entry)
    )
    signable = encode_typed_data(full_message=message)
    assert to_hex(keccak(b"\x19" + signable.version + signable.header + signable.body)) == entry["digest"]


def values_of(primary: str, entry: dict[str, str]) -> dict[str, Any]:
    kinds = next(types[primary] for types in MESSAGE_TYPES.values() if primary in types)
    read = {"address": str, "bytes32": lambda text: to_bytes(text, 32, "word")}
    return {
        name: read.get(kind, int)(entry[name])
        for kind, name in (part.split(" ") for part in kinds.split(","))
    }


def test_every_message_has_a_vector() -> None:
    known = json.loads((vectors.FOLDER / "typed_data.json").read_text())
    for domain, types in MESSAGE_TYPES.items():
        for primary, fields in types.items():
            assert known[primary]["domain"] == domain
            assert known[primary]["type"] == f"{primary}({fields})"


def test_a_signature_is_of_the_account_that_signed() -> None:
    account = Account.from_key(b"\x01" * 32)
    message = encode_typed_data(
        full_message=typed_data("AME ContributorRegistry", 1, CONTRACT, "Vouch", **VOUCH)
    )
    assert (
        Account.recover_message(message, signature=account.sign_message(message).signature) == account.address
    )


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("externalIdHash", -5, "Vouch.externalIdHash: expected 32 bytes"),
        ("externalIdHash", bytes(31), "Vouch.externalIdHash: expected 32 bytes"),
        ("holder", vectors.HOLDER.lower(), "Vouch.holder: expected a checksummed address"),
        ("recoverySeconds", 2**32, "Vouch.recoverySeconds: expected a uint32"),
        ("recoverySeconds", True, "Vouch.recoverySeconds: expected a uint32"),
        ("deadline", "7", "Vouch.deadline: expected a uint256"),
        ("deadline", -1, "Vouch.deadline: expected a uint256"),
    ],
)
def test_typed_data_refuses_what_eth_account_would_bend(field: str, value: object, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        typed_data("AME ContributorRegistry", 1, CONTRACT, "Vouch", **{**VOUCH, field: value})


def test_typed_data_wants_all_fields_in_order() -> None:
    with pytest.raises(InputError, match="Vouch: expected the fields"):
        typed_data("AME ContributorRegistry", 1, CONTRACT, "Vouch", holder=vectors.HOLDER)
