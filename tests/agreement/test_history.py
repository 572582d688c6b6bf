"""Whole random histories of real pools: every payment equals what the Python ledgers say."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from eth_abi import encode
from eth_account import Account
from eth_utils import to_checksum_address

from ame.encoding import ZERO_ADDRESS, account_id, commitment, keccak, named_id
from ame.execution.ledger import StageLedger
from ame.execution.settlement import Books, settle
from ame.records import Allocation, AllocationLine, Claim, Terms
from scripts.vectors import eip712_digest
from tests.agreement.evm import DEPLOYER, Contract, Machine, Reverted, error_selector

CHAIN_ID = 1
PERIOD, BOND = 86_400, 10**18
ARBITER = "0x" + "a7" * 20
REGISTRAR = Account.from_key(keccak(b"registrar"))
UPDATES = "((bytes32,uint128,uint8),(bytes32,uint128,uint8),bytes32,uint128)[]"


@dataclass
class Person:
    """Somebody who is paid: at an account id at once, at a named id once it is bound."""

    key: Any
    name: str | None

    @property
    def id(self) -> bytes:
        return account_id(self.key.address) if self.name is None else named_id(REGISTRAR.address, self.name)


@dataclass
class History:
    """A pool on the machine, and the books that Python keeps beside it."""

    seed: random.Random
    stages: int
    is_token: bool
    machine: Machine = field(default_factory=Machine)
    ledgers: tuple[StageLedger, ...] = ()
    previous: tuple[StageLedger, ...] | None = None
    number: int = 0
    table_total: int = 0
    paid: dict[tuple[int, bytes], int] = field(default_factory=dict)
    bound: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.contributors = self.machine.deploy("ContributorRegistry")
        self.token = self.machine.deploy("TestToken", "Dollar", "USD", 6)
        self.people = [
            Person(
                Account.from_key(keccak(b"person %d" % number)), f"hf:p{number}" if number % 3 == 0 else None
            )
            for number in range(40)
        ]
        terms = Terms(
            token=self.token.address if self.is_token else ZERO_ADDRESS,
            stage_count=self.stages,
            proposer=DEPLOYER,
            arbiter=ARBITER,
            registry=self.contributors.address,
            challenge_seconds=PERIOD,
            abandon_seconds=0,
            bond_wei=BOND,
            demand_bond_wei=0,
            terms_hash=bytes(32),
        )
        self.pool: Contract = self.machine.deploy("SettlementPool", terms)
        self.ledgers = (StageLedger(),) * self.stages

    def deposit(self, amount: int) -> None:
        if self.is_token:
            self.token.call("mint", DEPLOYER, amount)
            self.token.call("approve", self.pool.address, amount)
        credited = self.pool.call("deposit", amount, bytes(32), value=0 if self.is_token else amount)
        assert credited == amount

    def allocation(self, revenue: int) -> Allocation:
        """A random game; ever more people join, some weigh nothing."""
        joined = min(len(self.people), 2 + 9 * self.number)
        table = [0, *(self.seed.randrange(-revenue, revenue + 1) for _ in range(2**self.stages - 2)), revenue]
        lines = []
        for _ in range(self.stages):
            chosen = self.seed.sample(self.people[:joined], self.seed.randrange(1, joined + 1))
            weights = [1 + self.seed.randrange(10**24), *(self.seed.randrange(10**9) for _ in chosen[1:])]
            lines.append(
                tuple(
                    AllocationLine(person.id, weight if self.seed.random() < 0.9 or at == 0 else 0)
                    for at, (person, weight) in enumerate(zip(chosen, weights, strict=True))
                )
            )
        return Allocation(tuple(f"stage{at}" for at in range(self.stages)), tuple(table), tuple(lines))

    def propose(self, revenue: int) -> Books:
        self.deposit(revenue)
        books = settle(
            self.allocation(revenue),
            self.ledgers,
            chain_id=CHAIN_ID,
            pool=self.pool.address,
            number=self.number + 1,
        )
        bond = 0 if self.pool.call("bondHeld") else BOND
        self.number = self.pool.call("propose", *books.proposal, keccak(b"evidence"), value=bond)
        updates_hash = keccak(encode([UPDATES], [books.settlement.updates]))
        assert self.pool.call("updatesHash") == updates_hash
        return books

    def activate(self, books: Books) -> None:
        self.machine.wait(PERIOD)
        self.previous, self.ledgers = self.ledgers, books.ledgers
        self.table_total += books.settlement.table[-1]
        for stage, ledger in enumerate(self.ledgers):
            active, previous = self.pool.call("commitments", stage)
            assert active == commitment(ledger.tree.ledger_commitment)
            assert previous == commitment(self.previous[stage].tree.ledger_commitment)

    def owed(self, stage: int, contributor_id: bytes, cumulative: int) -> int:
        """What a leaf is worth by Python's books; nothing while the id is unbound."""
        if int.from_bytes(contributor_id) >> 160 and contributor_id not in self.bound:
            return 0
        return max(0, cumulative - self.paid.get((stage, contributor_id), 0))

    def book(self, stage: int, contributor_id: bytes, cumulative: int) -> int:
        amount = self.owed(stage, contributor_id, cumulative)
        if amount:
            self.paid[stage, contributor_id] = cumulative
        return amount

    def balance(self, address: str) -> int:
        if self.is_token:
            found: int = self.token.call("balanceOf", address)
            return found
        return int(self.machine.evm.get_balance(address))

    def bind(self, person: Person) -> None:
        assert person.name is not None
        name_hash, holder, deadline = keccak(person.name.encode()), person.key.address, self.machine.now + 60
        vouch = [
            ("bytes32", "externalIdHash", name_hash),
            ("address", "holder", holder),
            ("uint32", "recoverySeconds", 0),
            ("uint256", "deadline", deadline),
        ]
        consent = [
            ("bytes32", "contributorId", person.id),
            ("address", "holder", holder),
            ("address", "payout", holder),
            ("uint32", "recoverySeconds", 0),
            ("uint256", "nonce", 0),
            ("uint256", "deadline", deadline),
        ]
        domain = ("AME ContributorRegistry", self.contributors.address)
        signatures = (
            sign(REGISTRAR, eip712_digest(*domain, "Vouch", vouch, CHAIN_ID)),
            sign(person.key, eip712_digest(*domain, "Bind", consent, CHAIN_ID)),
        )
        who = (REGISTRAR.address, name_hash, holder, holder, 0, deadline, deadline)
        assert self.contributors.call("bind", *who, *signatures) == person.id
        self.bound.add(person.id)

    def claim_somehow(self) -> None:
        """One of the ways to be paid, for somebody, in the active or the previous ledger."""
        ledgers = self.previous if self.previous and self.seed.random() < 0.2 else self.ledgers
        stage = self.seed.randrange(self.stages)
        if not ledgers[stage].ids:
            return
        self.seed.choice((self.claim_one, self.claim_many, self.claim_range, self.claim_to))(ledgers, stage)

    def claim_one(self, ledgers: tuple[StageLedger, ...], stage: int) -> None:
        claim = ledgers[stage].claim(stage, self.seed.choice(ledgers[stage].ids))
        if int.from_bytes(claim.contributor_id) >> 160 and claim.contributor_id not in self.bound:
            with pytest.raises(Reverted) as refused:
                self.pool.call("claim", claim)
            assert refused.value.selector == error_selector("Unbound(bytes32)")
            return
        expected = self.book(stage, claim.contributor_id, claim.cumulative)
        assert self.pool.call("claim", claim) == expected

    def claim_many(self, ledgers: tuple[StageLedger, ...], stage: int) -> None:
        claims: list[Claim] = []
        for at in range(self.stages):
            if ledgers[at].ids:
                claims += [ledgers[at].claim(at, one) for one in self.seed.choices(ledgers[at].ids, k=3)]
        expected = sum(self.book(one.stage, one.contributor_id, one.cumulative) for one in claims)
        assert self.pool.call("claimBatch", claims) == expected

    def claim_range(self, ledgers: tuple[StageLedger, ...], stage: int) -> None:
        size = len(ledgers[stage].ids)
        first = self.seed.randrange(size)
        claim = ledgers[stage].range_claim(stage, first, self.seed.randrange(1, size - first + 1))
        pairs = zip(claim.contributor_ids, claim.cumulatives, strict=True)
        expected = sum(self.book(stage, one, cumulative) for one, cumulative in pairs)
        assert self.pool.call("claimRange", claim) == expected

    def claim_to(self, ledgers: tuple[StageLedger, ...], stage: int) -> None:
        """To an address of her choice, by her signature, sent by somebody else."""
        person = self.seed.choice(self.people)
        if person.id not in ledgers[stage].index_of or (person.name and person.id not in self.bound):
            return
        claim = ledgers[stage].claim(stage, person.id)
        recipient = to_checksum_address(keccak(b"vault" + person.id)[:20])
        nonce, deadline = self.pool.call("nonces", person.key.address), self.machine.now + 1
        fields = [
            ("bytes32", "contributorId", person.id),
            ("address", "recipient", recipient),
            ("uint256", "nonce", nonce),
            ("uint256", "deadline", deadline),
        ]
        signature = sign(
            person.key, eip712_digest("AME SettlementPool", self.pool.address, "ClaimTo", fields, CHAIN_ID)
        )
        before, expected = self.balance(recipient), self.book(stage, person.id, claim.cumulative)
        if not expected:
            with pytest.raises(Reverted) as refused:
                self.pool.call("claimTo", [claim], recipient, signature, deadline)
            assert refused.value.selector == error_selector("NothingToClaim(bytes32)")
            return
        assert self.pool.call("claimTo", [claim], recipient, signature, deadline) == expected
        assert self.balance(recipient) == before + expected

    def check_books(self) -> None:
        """Claimed ≤ allocated ≤ deposited, and every unit is in one place."""
        paid = sum(self.paid.values())
        for (stage, contributor_id), amount in self.paid.items():
            assert self.pool.call("claimed", stage, contributor_id) == amount
        assert self.pool.call("unclaimed") == self.table_total - paid
        bond = BOND if not self.is_token and self.pool.call("bondHeld") else 0
        held = self.pool.call("unallocated") + self.pool.call("pendingRevenue") + self.pool.call("unclaimed")
        assert self.balance(self.pool.address) == held + bond


def sign(account: Any, digest: bytes) -> bytes:
    return bytes(account.unsafe_sign_hash(digest).signature)


def play(number: int, settlements: int, claims: int) -> History:
    seed = random.Random(number)
    history = History(seed, stages=seed.randrange(2, 6), is_token=seed.random() < 0.5)
    for _ in range(settlements):
        books = history.propose(seed.choice([1, seed.randrange(1, 10**6), seed.randrange(1, 10**20)]))
        if seed.random() < 0.2:
            history.pool.call("cancel", sender=ARBITER)
            revenue = books.settlement.table[-1]
            assert history.pool.call("unallocated") >= revenue
            history.previous = None  # the cancelled proposal has overwritten its commitments
            books = history.propose(revenue)
        history.activate(books)
        named = [person for person in history.people if person.name and person.id not in history.bound]
        for person in seed.sample(named, min(3, len(named))):
            history.bind(person)
        for _ in range(claims):
            history.claim_somehow()
        history.check_books()
    return history


def finish(history: History) -> None:
    """Everybody binds and is pushed what is left: then nothing is unclaimed."""
    for person in history.people:
        if person.name and person.id not in history.bound:
            history.bind(person)
    for stage, ledger in enumerate(history.ledgers):
        if ledger.ids:
            claim = ledger.range_claim(stage, 0, len(ledger.ids))
            leaves = zip(ledger.ids, ledger.cumulatives, strict=True)
            expected = sum(history.book(stage, one, cumulative) for one, cumulative in leaves)
            assert history.pool.call("claimRange", claim) == expected
    history.check_books()
    assert history.pool.call("unclaimed") == 0
    for stage, ledger in enumerate(history.ledgers):
        for contributor_id, cumulative in zip(ledger.ids, ledger.cumulatives, strict=True):
            assert history.paid.get((stage, contributor_id), 0) == cumulative


@pytest.mark.parametrize("number", range(12))
def test_every_payment_is_what_the_ledgers_say(number: int) -> None:
    history = play(number, settlements=5, claims=12)
    finish(history)
    assert max(ledger.depth for ledger in history.ledgers) > 3


@pytest.mark.deep
@pytest.mark.parametrize("number", range(100, 300))
def test_every_payment_is_what_the_ledgers_say_in_many_histories(number: int) -> None:
    finish(play(number, settlements=8, claims=40))


def test_a_leaf_that_was_raised_is_not_paid() -> None:
    history = play(1, settlements=1, claims=0)
    person = next(one for one in history.people if one.name is None and one.id in history.ledgers[0].index_of)
    claim = history.ledgers[0].claim(0, person.id)
    with pytest.raises(Reverted) as refused:
        history.pool.call("claim", claim._replace(cumulative=claim.cumulative + 1))
    assert refused.value.selector == error_selector("InvalidProof(uint8)")


def test_stage_amounts_cannot_be_chosen() -> None:
    """The chain computes the totals: a root that was made for other amounts is paid to nobody."""
    history = play(2, settlements=1, claims=0)
    books = history.propose(10**6)
    for update in books.settlement.updates:
        assert update.afterwards.total >= update.before.total
    total = sum(update.afterwards.total - update.before.total for update in books.settlement.updates)
    assert total == history.pool.call("pendingRevenue") == 10**6
