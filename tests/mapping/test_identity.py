"""The life of a named id through Ape: bound, paid, handed over, lost, recovered or defended."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from ame.encoding import ZERO_ADDRESS, account_id, keccak, named_id, typed_data
from ame.errors import ChainError
from ame.execution.chain import Chain, create_pool, deposit, propose, sign
from ame.pipeline import settle
from ame.records import Terms
from tests.audit.synthetic import COIN, STAGES, random_epoch
from tests.mapping.safe import OWNERS, Safe

pytestmark = pytest.mark.chain
REGISTRAR, ALICE, BOB, OUTSIDER = (f"TEST::{n}" for n in range(4))
NAME, DAY, YEAR_3000 = "hf:alice", 86_400, 32_503_680_000


class Registry:
    """What the people of these stories do, each with an own signature."""

    def __init__(self, chain: Chain, contract: Any) -> None:
        self.chain, self.contract = chain, contract
        self.registrar = chain.account(REGISTRAR)
        self.id = named_id(self.registrar.address, NAME)

    def message(self, kind: str, **fields: Any) -> dict[str, Any]:
        fields.setdefault("deadline", YEAR_3000)
        return typed_data("AME ContributorRegistry", self.chain.id, self.contract.address, kind, **fields)

    def bind(
        self,
        holder: str,
        sign_bind: Any,
        *,
        name: str = NAME,
        recovery: int = 0,
        nonce: int = 0,
        vouch_deadline: int = YEAR_3000,
    ) -> Any:
        hashed, known = keccak(name.encode()), named_id(self.registrar.address, name)
        vouch = self.message(
            "Vouch", externalIdHash=hashed, holder=holder, recoverySeconds=recovery, deadline=vouch_deadline
        )
        consent = self.message(
            "Bind", contributorId=known, holder=holder, payout=holder, recoverySeconds=recovery, nonce=nonce
        )
        arguments = (self.registrar.address, hashed, holder, holder, recovery, vouch_deadline, YEAR_3000)
        signatures = (sign(self.registrar, vouch), sign_bind(consent))
        return self.send("bind", *arguments, *signatures, sender=OUTSIDER)

    def bind_to(self, account: str, **options: Any) -> Any:
        holder = self.chain.account(account)
        return self.bind(holder.address, lambda message: sign(holder, message), **options)

    def send(self, method: str, *arguments: Any, sender: str) -> Any:
        return self.chain.send(getattr(self.contract, method), *arguments, sender=self.chain.account(sender))

    def address(self, account: str) -> str:
        return str(self.chain.account(account).address)

    @property
    def holder(self) -> str:
        return str(self.contract.holderOf(self.id))

    @property
    def payout(self) -> str:
        return str(self.contract.payoutOf(self.id))


@pytest.fixture
def names(chain: Chain, contributors: Any) -> Registry:
    return Registry(chain, contributors)


def test_a_safe_binds_a_name_when_two_of_three_owners_sign(names: Registry) -> None:
    safe = Safe(names.chain)
    names.bind(safe.address, lambda message: safe.sign(message, OWNERS[:2]))
    assert names.holder == names.payout == safe.address


def test_one_owner_of_a_safe_is_not_enough(names: Registry) -> None:
    safe = Safe(names.chain)
    with pytest.raises(ChainError, match="InvalidSignature"):
        names.bind(safe.address, lambda message: safe.sign(message, OWNERS[:1]))


def test_an_outsider_does_not_sign_for_a_safe(names: Registry) -> None:
    safe, stranger = Safe(names.chain), Account.from_key(b"\x09" * 32)
    with pytest.raises(ChainError, match="InvalidSignature"):
        names.bind(safe.address, lambda message: safe.sign(message, [OWNERS[0], stranger]))


def test_errors_are_named_whatever_bytes_are_in_them(names: Registry) -> None:
    quotes = "0x" + "27" * 20
    with pytest.raises(ChainError, match=f"bind: InvalidSignature: signer={quotes}"):
        names.bind(quotes, lambda _message: bytes(65))


def test_a_bound_name_is_bound_once(names: Registry) -> None:
    names.bind_to(ALICE)
    with pytest.raises(ChainError, match="AlreadyBound"):
        names.bind_to(BOB)


def test_a_voucher_ends_at_its_deadline(names: Registry) -> None:
    with pytest.raises(ChainError, match="SignatureExpired"):
        names.bind_to(ALICE, vouch_deadline=names.chain.now - 1)


def test_a_consent_counts_for_one_nonce(names: Registry) -> None:
    with pytest.raises(ChainError, match="InvalidSignature"):
        names.bind_to(ALICE, nonce=1)
    names.bind_to(ALICE, nonce=0)
    assert names.contract.nonces(names.address(ALICE)) == 1
    with pytest.raises(ChainError, match="InvalidSignature"):
        names.bind_to(ALICE, name="hf:second", nonce=0)
    names.bind_to(ALICE, name="hf:second", nonce=1)


def test_a_transfer_takes_two_steps(names: Registry) -> None:
    names.bind_to(ALICE)
    alice, bob = names.address(ALICE), names.address(BOB)
    started = names.send("startHolderTransfer", names.id, bob, sender=ALICE)
    assert started.events == [names.contract.HolderTransferStarted(names.id, alice, bob)]
    assert (names.holder, names.contract.nextHolderOf(names.id)) == (alice, bob)

    accepted = names.send("acceptHolderTransfer", names.id, bob, sender=BOB)
    assert accepted.events == [
        names.contract.HolderTransferred(names.id, alice, bob),
        names.contract.PayoutChanged(names.id, bob),
    ]
    assert names.holder == names.payout == bob
    with pytest.raises(ChainError, match="NotAllowed"):
        names.send("setPayout", names.id, alice, sender=ALICE)


def test_only_the_holder_starts_and_only_the_next_one_accepts(names: Registry) -> None:
    names.bind_to(ALICE)
    with pytest.raises(ChainError, match="NotAllowed"):
        names.send("startHolderTransfer", names.id, names.address(OUTSIDER), sender=OUTSIDER)
    names.send("startHolderTransfer", names.id, names.address(BOB), sender=ALICE)
    with pytest.raises(ChainError, match="NotAllowed"):
        names.send("acceptHolderTransfer", names.id, names.address(OUTSIDER), sender=OUTSIDER)


def test_a_safe_takes_a_name_over_and_hands_it_on(names: Registry) -> None:
    safe, bob = Safe(names.chain), names.address(BOB)
    names.bind_to(ALICE)
    names.send("startHolderTransfer", names.id, safe.address, sender=ALICE)
    to, encode = names.contract.address, names.contract
    safe.send(to, bytes(encode.acceptHolderTransfer.encode_input(names.id, safe.address)))
    assert names.holder == names.payout == safe.address

    safe.send(to, bytes(encode.startHolderTransfer.encode_input(names.id, bob)))
    names.send("acceptHolderTransfer", names.id, bob, sender=BOB)
    assert names.holder == names.payout == bob


def test_a_lost_key_is_replaced_after_the_delay(names: Registry) -> None:
    names.bind_to(ALICE, recovery=30 * DAY)
    bob = names.address(BOB)
    started = names.send("startRecovery", names.id, bob, sender=REGISTRAR)
    ready_at = (
        started.timestamp // 1000 + 30 * DAY if started.timestamp > 10**12 else started.timestamp + 30 * DAY
    )
    assert started.events == [names.contract.RecoveryStarted(names.id, bob, ready_at)]
    assert tuple(names.contract.recovery(names.id)) == (bob, ready_at)

    with pytest.raises(ChainError, match="TooEarly"):
        names.send("finishRecovery", names.id, bob, sender=BOB)
    names.chain.wait(30 * DAY)
    with pytest.raises(ChainError, match="NotAllowed"):
        names.send("finishRecovery", names.id, bob, sender=OUTSIDER)
    names.send("finishRecovery", names.id, bob, sender=BOB)
    assert names.holder == names.payout == bob


def test_the_holder_vetoes_a_recovery(names: Registry) -> None:
    names.bind_to(ALICE, recovery=DAY)
    names.send("startRecovery", names.id, names.address(BOB), sender=REGISTRAR)
    with pytest.raises(ChainError, match="NotAllowed"):
        names.send("vetoRecovery", names.id, sender=OUTSIDER)
    vetoed = names.send("vetoRecovery", names.id, sender=ALICE)
    assert vetoed.events == [names.contract.RecoveryVetoed(names.id)]
    names.chain.wait(2 * DAY)
    with pytest.raises(ChainError, match="NoRecovery"):
        names.send("finishRecovery", names.id, names.address(BOB), sender=BOB)
    assert names.holder == names.address(ALICE)


def test_only_the_registrar_starts_a_recovery_and_never_where_the_binding_excludes_it(
    names: Registry,
) -> None:
    names.bind_to(ALICE, recovery=0)
    with pytest.raises(ChainError, match="NotAllowed"):
        names.send("startRecovery", names.id, names.address(BOB), sender=OUTSIDER)
    with pytest.raises(ChainError, match="NoRecovery"):
        names.send("startRecovery", names.id, names.address(BOB), sender=REGISTRAR)


def test_the_holder_changes_the_payout(names: Registry) -> None:
    names.bind_to(ALICE)
    names.send("setPayout", names.id, names.address(BOB), sender=ALICE)
    assert (names.payout, names.holder) == (names.address(BOB), names.address(ALICE))
    with pytest.raises(ChainError, match="NotAllowed"):
        names.send("setPayout", names.id, names.address(OUTSIDER), sender=OUTSIDER)
    with pytest.raises(ChainError, match="ZeroAddress"):
        names.send("setPayout", names.id, ZERO_ADDRESS, sender=ALICE)


def test_a_signed_change_of_payout_counts_once_and_until_its_deadline(names: Registry) -> None:
    names.bind_to(ALICE)
    alice, bob = names.chain.account(ALICE), names.address(BOB)

    def change(nonce: int, deadline: int) -> Any:
        message = names.message(
            "SetPayout", contributorId=names.id, payout=bob, nonce=nonce, deadline=deadline
        )
        return names.send(
            "setPayoutWithSignature", names.id, bob, deadline, sign(alice, message), sender=OUTSIDER
        )

    with pytest.raises(ChainError, match="SignatureExpired"):
        change(1, names.chain.now - 1)
    change(1, YEAR_3000)  # nonce 0 was used to bind
    assert names.payout == bob
    with pytest.raises(ChainError, match="InvalidSignature"):
        change(1, YEAR_3000)


@pytest.fixture
def pool(chain: Chain, contributors: Any) -> Any:
    operator = chain.account(REGISTRAR)
    factory = chain.deploy("PoolFactory", sender=operator)
    terms = Terms(
        ZERO_ADDRESS,
        len(STAGES),
        operator.address,
        ZERO_ADDRESS,
        contributors.address,
        DAY,
        0,
        0,
        0,
        bytes(32),
    )
    return create_pool(chain, factory, terms, operator)


def test_money_of_an_unbound_name_waits_and_is_paid_after_binding_across_epochs(
    names: Registry, pool: Any
) -> None:
    chain, drawn = names.chain, random.Random(5)
    ledgers, waiting = None, 0
    for number in (1, 2):
        epoch = random_epoch(drawn, number, 10**12)
        rights = epoch.rights.replace(
            b"0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", names.registrar.address.encode()
        )
        rights = rights.replace(b"hf:p3", NAME.encode())  # one without a wallet
        bundle = settle(
            replace(
                epoch,
                chain_id=chain.id,
                pool=pool.address,
                token=COIN,
                rights=rights,
                ledgers=ledgers or epoch.ledgers,
            )
        )
        deposit(chain, pool, bundle.settlement.table[-1], chain.account(REGISTRAR))
        propose(chain, pool, bundle.books, bytes(32), chain.account(REGISTRAR))
        chain.wait(DAY)
        ledgers = bundle.books.ledgers
        claims = [
            ledger.claim(stage, names.id)
            for stage, ledger in enumerate(ledgers)
            if names.id in ledger.index_of
        ]
        assert sum(claim.cumulative for claim in claims) > waiting  # more in each epoch
        waiting = sum(claim.cumulative for claim in claims)
        chain.send(pool.claimBatch, claims, sender=chain.account(OUTSIDER))
        assert not any(pool.claimed(stage, names.id) for stage in range(len(STAGES)))

    wallet = Account.from_key(b"\x2a" * 32)
    names.bind(wallet.address, lambda message: sign_with(wallet, message))
    before = chain.balance(ZERO_ADDRESS, wallet.address)
    chain.send(pool.claimBatch, claims, sender=chain.account(OUTSIDER))
    assert chain.balance(ZERO_ADDRESS, wallet.address) - before == waiting


def sign_with(wallet: Any, message: dict[str, Any]) -> bytes:
    return bytes(wallet.sign_typed_data(full_message=message).signature)


def test_an_account_is_its_own_id_from_the_start(names: Registry) -> None:
    alice = names.address(ALICE)
    assert names.contract.holderOf(account_id(alice)) == names.contract.payoutOf(account_id(alice)) == alice
