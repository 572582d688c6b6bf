"""A rights file published, traded, contested and read back as of a block."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ame.encoding import account_id, typed_data
from ame.errors import ChainError, InputError
from ame.execution.bind_commands import _bind
from ame.execution.chain import Chain, sign
from ame.execution.signed_files import read_voucher
from ame.mapping import registration, strict_yaml
from ame.mapping.allocate import allocate
from ame.mapping.importing import to_text
from ame.mapping.publishing import publish, read_standings, release
from ame.mapping.registration import document_as_of
from ame.mapping.rights import AsOf, Rights, parse_rights
from tests.mapping import HEAD, asset, shares_of, text_of

pytestmark = pytest.mark.chain
OPERATOR, ALICE, BOB, RIVAL = (f"TEST::{n}" for n in range(4))
YEAR_3000 = 32_503_680_000


@pytest.fixture
def text(chain: Chain) -> str:
    """Alice's data under a model of Bob's, who gives Alice 10 %; both are wallets of the chain."""
    head = HEAD.replace("0x90F79bf6EB2c4f870365E785982E1f101E93b906", chain.account(ALICE).address).replace(
        '"hf:bob"', f'"hf:bob", wallet: "{chain.account(BOB).address}"'
    )
    return text_of(
        "\n".join(
            [
                asset("data", f"sha256: '{'a1' * 32}'"),
                asset(
                    "model",
                    "parents: [{asset: data, upstream_ppm: 100000}, undeclared]",
                    stage="base_model",
                    holder="hf:bob",
                ),
                asset("undeclared", holder="reserve:disputes"),
            ]
        ),
        head,
    )


def now(chain: Chain) -> datetime:
    return datetime.fromtimestamp(chain.now, UTC)


def published(chain: Chain, registry: Any, text: str, **options: Any) -> Rights:
    rights = parse_rights(text)
    list(publish(chain, registry.address, rights, now(chain), chain.account(OPERATOR), **options))
    return rights


def as_of(chain: Chain, registry: Any, text: str, block: int, accepted: tuple[str, ...] = ()) -> str:
    rights = parse_rights(text)
    standings = read_standings(chain, registry.address, rights, block)
    document = strict_yaml.parse(text, "rights.yaml")
    found = document_as_of(document, rights, standings, AsOf(chain.id, registry.address, block), accepted)
    return to_text(found)


def paid(chain: Chain, text: str) -> dict[bytes, int]:
    rights = parse_rights(text)
    lines = allocate(shares_of({"model": 1000, "data": 100}, rights), rights, now(chain)).lines
    found: dict[bytes, int] = {}
    for line in [line for stage in lines for line in stage]:
        found[line.contributor_id] = found.get(line.contributor_id, 0) + line.weight
    return found


def test_what_was_published_is_read_back(chain: Chain, registry: Any, text: str) -> None:
    published(chain, registry, text)
    assert paid(chain, as_of(chain, registry, text, chain.block)) == paid(chain, text)


def test_hashes_and_ids_agree_with_the_contract(chain: Chain, registry: Any, text: str) -> None:
    rights, operator = published(chain, registry, text), chain.account(OPERATOR).address
    ids = {
        name: registration.asset_id(operator, registration.content_hash(one))
        for name, one in rights.assets.items()
    }
    for name, one in rights.assets.items():
        registered = registration.to_registered(one, rights, ids, now(chain))
        assert bytes(registry.assetIdOf(operator, registered.content_hash)) == ids[name]
        assert bytes(registry.assetHash(ids[name])) == registration.asset_hash(registered)


def test_publishing_twice_changes_nothing(chain: Chain, registry: Any, text: str) -> None:
    rights = published(chain, registry, text)
    again = publish(chain, registry.address, rights, now(chain), chain.account(OPERATOR))
    assert {done.state for done in again} == {"unchanged"}


def test_publishing_another_split_is_refused(chain: Chain, registry: Any, text: str) -> None:
    published(chain, registry, text)
    with pytest.raises(ChainError, match="another split"):
        published(chain, registry, text.replace("contributor: 'hf:bob'", "contributor: 'hf:carol'"))


def test_a_part_that_was_passed_on_counts_from_its_block(chain: Chain, registry: Any, text: str) -> None:
    rights, operator = published(chain, registry, text), chain.account(OPERATOR).address
    before = chain.block
    data = rights.assets["data"]
    registered = registration.to_registered(data, rights, {}, now(chain))
    alice, rival = chain.account(ALICE), chain.account(RIVAL)
    data_id = registration.asset_id(operator, registered.content_hash)
    arguments = (data_id, registered, account_id(alice.address), account_id(rival.address), 250_000)
    chain.send(registry.transferPart, *arguments, sender=alice)

    assert paid(chain, as_of(chain, registry, text, before)) == paid(chain, text)
    after = paid(chain, as_of(chain, registry, text, chain.block))
    assert after[account_id(rival.address)] == 50  # a quarter of 100 measured and of 100 from upstream
    assert f"did:pkh:eip155:{chain.id}:{rival.address}" in as_of(chain, registry, text, chain.block)


def contest(chain: Chain, registry: Any, text: str, asset: str = "data") -> bytes:
    """A rival registers an asset as hers, all of it; the id that it gets."""
    rights, rival = parse_rights(text), chain.account(RIVAL)
    hers = registration.to_registered(rights.assets[asset], rights, {}, now(chain))
    hers = hers._replace(split=(registration.Part(account_id(rival.address), 10**6),))
    chain.send(registry.register, hers, "training_data", "CC0-1.0", sender=rival)
    return registration.asset_id(rival.address, hers.content_hash)


def test_a_contested_asset_is_paid_into_its_escrow_id(chain: Chain, registry: Any, text: str) -> None:
    published(chain, registry, text)
    contest(chain, registry, text)
    found = paid(chain, as_of(chain, registry, text, chain.block))
    assert found[bytes(registry.escrowIdOf(bytes.fromhex("a1" * 32)))] == 200
    assert account_id(chain.account(ALICE).address) not in found
    assert sum(found.values()) == 1100


def settle_contest(chain: Chain, registry: Any, text: str) -> bytes:
    """The rival contests the data, and all agree on hers; the content hash."""
    counting = contest(chain, registry, text)
    content = bytes.fromhex("a1" * 32)
    message = typed_data(
        "AME RightsRegistry",
        chain.id,
        registry.address,
        "Settle",
        contentHash=content,
        assetId=counting,
        registrations=2,
        deadline=YEAR_3000,
    )
    signatures = [sign(chain.account(name), message) for name in (OPERATOR, RIVAL)]
    chain.send(registry.settle, content, counting, YEAR_3000, signatures, sender=chain.account(BOB))
    return content


def test_the_winner_of_a_contest_binds_its_escrow_id(
    chain: Chain, contributors: Any, registry: Any, text: str, tmp_path: Path
) -> None:
    published(chain, registry, text)
    content, rival = bytes.fromhex("a1" * 32), chain.account(RIVAL)
    with pytest.raises(ChainError, match="no contest of the content"):
        release(chain, registry.address, content, YEAR_3000)
    assert settle_contest(chain, registry, text) == content
    file = tmp_path / "voucher.json"
    file.write_text(json.dumps(release(chain, registry.address, content, YEAR_3000).to_json()))
    assert read_voucher(file).contributor_id == bytes(registry.escrowIdOf(content))
    _bind(chain, rival, file, rival.address, 1, True, False)
    assert contributors.payoutOf(registry.escrowIdOf(content)) == rival.address


def test_a_settled_contest_pays_the_asset_that_counts(chain: Chain, registry: Any, text: str) -> None:
    published(chain, registry, text)
    settle_contest(chain, registry, text)
    with pytest.raises(InputError, match=f"registered by {chain.account(RIVAL).address} with other holders"):
        as_of(chain, registry, text, chain.block)
    found = paid(chain, as_of(chain, registry, text, chain.block, ("data",)))
    assert found[account_id(chain.account(RIVAL).address)] == 200


def grabbed(chain: Chain, registry: Any, text: str) -> bytes:
    """A stranger registers what has no content first: its hash is that of its name."""
    return contest(chain, registry, text, "undeclared")


def test_a_strangers_registration_is_refused_and_the_rest_published(
    chain: Chain, registry: Any, text: str
) -> None:
    grabbed(chain, registry, text)
    at, operator = now(chain), chain.account(OPERATOR)
    done = {one.asset: one for one in publish(chain, registry.address, parse_rights(text), at, operator)}
    assert {name: one.state for name, one in done.items()} == {
        "data": "registered",
        "undeclared": "refused",
        "model": "refused",
    }
    assert f"registered by {chain.account(RIVAL).address} with other holders" in done["undeclared"].problem
    assert "--contest" in done["undeclared"].problem
    assert "--accept undeclared" in done["undeclared"].problem
    assert "made from undeclared" in done["model"].problem


def test_a_strangers_registration_can_be_accepted(chain: Chain, registry: Any, text: str) -> None:
    his = grabbed(chain, registry, text)
    at, operator = now(chain), chain.account(OPERATOR)
    accepted = publish(chain, registry.address, parse_rights(text), at, operator, accepted=("undeclared",))
    assert ("undeclared", his, "registered by others") in [done[:3] for done in accepted]
    with pytest.raises(InputError, match="accept them with --accept undeclared"):
        as_of(chain, registry, text, chain.block)
    assert chain.account(RIVAL).address in as_of(chain, registry, text, chain.block, ("undeclared",))


def test_a_strangers_registration_can_be_contested(chain: Chain, registry: Any, text: str) -> None:
    grabbed(chain, registry, text)
    published(chain, registry, text, contest=True)
    assert chain.account(RIVAL).address not in as_of(chain, registry, text, chain.block)
    others = chain.account(BOB)
    again = publish(chain, registry.address, parse_rights(text), now(chain), others)
    assert [done.problem for done in again if done.asset == "undeclared"] == [
        "its content is contested; its money waits in escrow until that is settled"
    ]


def test_what_others_registered_as_the_file_says_is_left_to_them(
    chain: Chain, registry: Any, text: str
) -> None:
    rights = published(chain, registry, text)
    again = publish(chain, registry.address, rights, now(chain), chain.account(BOB))
    assert {done.state for done in again} == {"registered by others"}


def test_only_an_asset_of_the_file_can_be_accepted(chain: Chain, registry: Any, text: str) -> None:
    published(chain, registry, text)
    with pytest.raises(InputError, match=r"--accept: expected an asset of rights\.yaml, got 'date'"):
        as_of(chain, registry, text, chain.block, ("date",))


def test_an_asset_that_is_not_registered_is_refused(chain: Chain, registry: Any, text: str) -> None:
    with pytest.raises(InputError, match="expected the asset 'data' in the registry at block"):
        as_of(chain, registry, text, chain.block)


def test_another_licence_than_the_registered_one_is_refused(chain: Chain, registry: Any, text: str) -> None:
    published(chain, registry, text)
    with pytest.raises(InputError, match="another stage or licence"):
        as_of(chain, registry, text.replace("CC0-1.0", "MIT", 1), chain.block)
