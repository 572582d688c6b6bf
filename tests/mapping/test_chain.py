"""Names bound by a real Safe, and a rights file published, traded, contested and read back as of a block."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from ame.encoding import account_id, keccak, named_id, typed_data
from ame.errors import ChainError, InputError
from ame.execution.chain import Chain, connect, sign
from ame.mapping import registration, strict_yaml
from ame.mapping.allocate import allocate
from ame.mapping.importing import to_text
from ame.mapping.publishing import publish, read_standings
from ame.mapping.registration import document_as_of
from ame.mapping.rights import AsOf, Rights, parse_rights
from tests.mapping import HEAD, asset, shares_of, text_of

pytestmark = pytest.mark.chain
SAFE = Path(__file__).parents[2] / "node_modules/@safe-global/safe-contracts/build/artifacts/contracts"
OPERATOR, ALICE, BOB, RIVAL = (f"TEST::{n}" for n in range(4))
OWNERS = sorted(
    (Account.from_key(bytes([n]) * 32) for n in (1, 2, 3)), key=lambda owner: int(owner.address, 16)
)
YEAR_3000 = 32_503_680_000


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with connect() as opened:
        yield opened


@pytest.fixture
def contributors(chain: Chain) -> Any:
    return chain.deploy("ContributorRegistry", sender=chain.account(OPERATOR))


@pytest.fixture
def registry(chain: Chain, contributors: Any) -> Any:
    return chain.deploy("RightsRegistry", contributors.address, sender=chain.account(OPERATOR))


class Safe:
    """A Safe of @safe-global/safe-contracts in which two of three owners decide."""

    def __init__(self, chain: Chain) -> None:
        self.web3 = chain.provider.web3
        singleton, handler = (
            self.deploy("Safe.sol/Safe"),
            self.deploy("handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler"),
        )
        factory = self.deploy("proxies/SafeProxyFactory.sol/SafeProxyFactory")
        nobody = "0x" + "00" * 20
        owners = [owner.address for owner in OWNERS]
        setup = singleton.encode_abi("setup", [owners, 2, nobody, b"", handler.address, nobody, 0, nobody])
        create = factory.functions.createProxyWithNonce(singleton.address, setup, 7)
        self.address = create.call()
        self.mine(create.transact({"from": self.web3.eth.accounts[0]}))
        self.handler = self.web3.eth.contract(address=self.address, abi=handler.abi)

    def deploy(self, name: str) -> Any:
        build = json.loads((SAFE / f"{name}.json").read_text())
        contract = self.web3.eth.contract(abi=build["abi"], bytecode=build["bytecode"])
        receipt = self.mine(contract.constructor().transact({"from": self.web3.eth.accounts[0]}))
        return self.web3.eth.contract(address=receipt["contractAddress"], abi=build["abi"])

    def mine(self, transaction: Any) -> Any:
        receipt = self.web3.eth.wait_for_transaction_receipt(transaction)
        assert receipt["status"] == 1
        return receipt

    def sign(self, message: dict[str, Any], owners: list[Any]) -> bytes:
        """ERC-1271: the owners sign the Safe's own message about the digest."""
        from eth_account.messages import encode_typed_data

        signable = encode_typed_data(full_message=message)
        digest = keccak(b"\x19\x01" + signable.header + signable.body)
        of_safe = self.handler.functions.getMessageHash(digest).call()
        return b"".join(bytes(owner.unsafe_sign_hash(of_safe).signature) for owner in owners)


def bind_by(chain: Chain, contributors: Any, safe: Safe, owners: list[Any], name: str) -> Any:
    registrar, hashed = chain.account(OPERATOR), keccak(name.encode())
    vouch = typed_data(
        "AME ContributorRegistry",
        chain.id,
        contributors.address,
        "Vouch",
        externalIdHash=hashed,
        holder=safe.address,
        recoverySeconds=0,
        deadline=YEAR_3000,
    )
    bind = typed_data(
        "AME ContributorRegistry",
        chain.id,
        contributors.address,
        "Bind",
        contributorId=named_id(registrar.address, name),
        holder=safe.address,
        payout=safe.address,
        recoverySeconds=0,
        nonce=0,
        deadline=YEAR_3000,
    )
    arguments = (registrar.address, hashed, safe.address, safe.address, 0, YEAR_3000, YEAR_3000)
    signatures = (sign(registrar, vouch), safe.sign(bind, owners))
    return chain.send(contributors.bind, *arguments, *signatures, sender=chain.account(RIVAL))


def test_a_safe_binds_a_name_when_two_of_three_owners_sign(chain: Chain, contributors: Any) -> None:
    safe = Safe(chain)
    bind_by(chain, contributors, safe, OWNERS[:2], "hf:cooperative")
    known = named_id(chain.account(OPERATOR).address, "hf:cooperative")
    assert contributors.holderOf(known) == contributors.payoutOf(known) == safe.address


def test_one_owner_of_a_safe_is_not_enough(chain: Chain, contributors: Any) -> None:
    with pytest.raises(ChainError, match="InvalidSignature"):
        bind_by(chain, contributors, Safe(chain), OWNERS[:1], "hf:cooperative")


def test_an_outsider_does_not_sign_for_a_safe(chain: Chain, contributors: Any) -> None:
    stranger = Account.from_key(b"\x09" * 32)
    with pytest.raises(ChainError, match="InvalidSignature"):
        bind_by(chain, contributors, Safe(chain), [OWNERS[0], stranger], "hf:cooperative")


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


def as_of(chain: Chain, registry: Any, text: str, block: int) -> str:
    rights = parse_rights(text)
    standings = read_standings(chain, registry.address, rights, block)
    document = strict_yaml.parse(text, "rights.yaml")
    return to_text(document_as_of(document, rights, standings, AsOf(chain.id, registry.address, block)))


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


def contest(chain: Chain, registry: Any, text: str) -> bytes:
    """A rival registers the same data as hers; the id of her asset."""
    rights, rival = parse_rights(text), chain.account(RIVAL)
    hers = registration.to_registered(rights.assets["data"], rights, {}, now(chain))
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


def test_a_settled_contest_pays_the_asset_that_counts(chain: Chain, registry: Any, text: str) -> None:
    published(chain, registry, text)
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
    found = paid(chain, as_of(chain, registry, text, chain.block))
    assert found[account_id(chain.account(RIVAL).address)] == 200


def test_an_asset_that_is_not_registered_is_refused(chain: Chain, registry: Any, text: str) -> None:
    with pytest.raises(InputError, match="expected the asset 'data' in the registry at block"):
        as_of(chain, registry, text, chain.block)


def test_another_licence_than_the_registered_one_is_refused(chain: Chain, registry: Any, text: str) -> None:
    published(chain, registry, text)
    with pytest.raises(InputError, match="another stage or licence"):
        as_of(chain, registry, text.replace("CC0-1.0", "MIT", 1), chain.block)
