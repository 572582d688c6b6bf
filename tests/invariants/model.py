"""What a pool must do, in plain Python: the books that the contracts are held against, to the unit.

Every method is one call of SettlementPool. It either changes the books or raises Reverted with the name of the error
that the contract must raise. Money is moved by `Money`, which knows everybody's balance.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from eth_utils.address import to_checksum_address

from ame.arithmetic import stage_amounts, telescoping_split
from ame.encoding import account_id, keccak
from ame.execution.ledger import StageLedger
from ame.execution.merkle_sum import SumTree
from ame.records import MAX_AMOUNT, LedgerCommitment, Terms
from tests.invariants.evm import Reverted

NOBODY = "0x" + "00" * 20
UINT128 = 2**128


@dataclass(frozen=True)
class Leaves:
    """A ledger as somebody posted it: honest or not, so nothing is checked here."""

    ids: tuple[bytes, ...] = ()
    cumulatives: tuple[int, ...] = ()
    depth: int = 1

    @cached_property
    def tree(self) -> SumTree:
        """The tree that these leaves really make."""
        return SumTree.build(
            [
                (keccak(one + amount.to_bytes(16)) if any(one) or amount else bytes(32), amount)
                for one, amount in zip(self.ids, self.cumulatives, strict=True)
            ],
            self.depth,
        )

    def at(self, index: int) -> tuple[bytes, int]:
        """Id and cumulative amount at an index."""
        return (self.ids[index], self.cumulatives[index]) if index < len(self.ids) else (bytes(32), 0)

    @property
    def sound(self) -> bool:
        """Whether an honest operator can go on from here."""
        return all(map(any, self.ids)) and len(set(self.ids)) == len(self.ids)

    @property
    def ledger(self) -> StageLedger:
        """The same as AME's own ledger."""
        return StageLedger(self.ids, self.cumulatives, self.depth)


@dataclass(frozen=True)
class Stage:
    """One stage of a settlement: what was declared, and the leaves and weights behind it."""

    before: LedgerCommitment
    before_leaves: Leaves
    leaves: Leaves
    weights: tuple[int, ...]
    declared: LedgerCommitment
    weight_root: bytes
    weight_total: int

    @cached_property
    def weight_tree(self) -> SumTree:
        """The weights' tree as posted."""
        return SumTree.build([(bytes(32), weight) for weight in self.weights], self.leaves.depth)

    @property
    def amount(self) -> int:
        """What the stage is allocated."""
        return self.declared.total - self.before.total

    def provable(self) -> bool:
        """Whether proofs lead to the declared commitments at all; where they do not, challengeTotal finds it."""
        return (
            self.leaves.tree.ledger_commitment == self.declared
            and self.before_leaves.tree.ledger_commitment == self.before
            and (self.weight_tree.root, self.weight_tree.total) == (self.weight_root, self.weight_total)
        )

    def right_at(self, index: int) -> bool:
        """Whether new = old + telescoping part, for the same id."""
        weights = self.weights + (0,) * ((1 << self.leaves.depth) - len(self.weights))
        part = telescoping_split(self.amount, weights)[index] if self.weight_total else 0
        old_id, old = self.before_leaves.at(index)
        new_id, new = self.leaves.at(index)
        if new != old + part:
            return False
        return new_id == old_id if any(old_id) else any(new_id) or new == 0


@dataclass(frozen=True)
class Settlement:
    """A posted settlement."""

    stages: tuple[Stage, ...]
    revenue: int
    proposed_at: int


@dataclass
class Demand:
    """Who demanded a leaf, until when it can be answered, and whether the demand is open."""

    by: str
    answer_until: int
    open: bool = True


@dataclass
class Books:
    """All that a pool remembers."""

    unallocated: int = 0
    unclaimed: int = 0
    unwritten: int = 0  # of `unclaimed`: allocated by an activation that no transaction has stored
    pending: Settlement | None = None
    active_at: int = 0
    demanded: bool = False
    number: int = 0
    last_active_at: int = 0
    bond: bool = False
    closed: bool = False
    active: tuple[Leaves, ...] = ()
    active_commitments: tuple[LedgerCommitment, ...] = ()
    previous_commitments: tuple[LedgerCommitment, ...] = ()
    cancelled: set[int] = field(default_factory=set)
    claimed: Counter[tuple[int, bytes]] = field(default_factory=Counter)
    owed: Counter[bytes] = field(default_factory=Counter)
    credits: Counter[str] = field(default_factory=Counter)
    deposits: list[tuple[str, int]] = field(default_factory=list)  # less those that went back
    waiting_since: int = 0
    demands: dict[tuple[int, int, int], Demand] = field(default_factory=dict)
    money: Counter[str] = field(default_factory=Counter)  # balances in the pool's token
    ether: Counter[str] = field(default_factory=Counter)  # the same object in ETH pools

    def copy(self) -> Books:
        """Copy of everything that changes."""
        fresh = copy.copy(self)
        for name in ("cancelled", "claimed", "owed", "credits", "deposits", "money"):
            setattr(fresh, name, getattr(self, name).copy())
        fresh.ether = fresh.money if self.ether is self.money else self.ether.copy()
        fresh.demands = {key: copy.copy(one) for key, one in self.demands.items()}
        return fresh


def hash_of_deposits(deposits: Sequence[tuple[str, int]]) -> bytes:
    """As the pool chains them: abi.encode of the hash before, the depositor and the amount."""
    found = bytes(32)
    for depositor, amount in deposits:
        found = keccak(found + account_id(depositor) + amount.to_bytes(32))
    return found


class Registry:
    """Who holds an id and where it is paid."""

    def __init__(self) -> None:
        self.holders: dict[bytes, str] = {}
        self.payouts: dict[bytes, str] = {}
        self.accounts: dict[bytes, str] = {}

    def holder(self, contributor_id: bytes) -> str:
        """0 while a named id is unbound."""
        return self._account(contributor_id) or self.holders.get(contributor_id, NOBODY)

    def payout(self, contributor_id: bytes) -> str:
        """Where the id is paid."""
        return self.payouts.get(contributor_id) or self._account(contributor_id) or NOBODY

    def _account(self, contributor_id: bytes) -> str | None:
        """The account that an account id is, known to the story or not."""
        if any(contributor_id[:12]) or not any(contributor_id):
            return None
        return self.accounts.get(contributor_id) or to_checksum_address(contributor_id[12:])


class PoolModel:
    """The pool. `refuses(address)` says who turns ETH down at the moment."""

    def __init__(
        self, terms: Terms, address: str, now: int, registry: Registry, refuses: Callable[[str], bool]
    ) -> None:
        self.terms, self.address, self.registry, self.refuses = terms, address, registry, refuses
        self.created_at = self.now = now
        empty = Leaves()
        self.books = Books(active=(empty,) * terms.stage_count)
        self.books.active_commitments = (empty.tree.ledger_commitment,) * terms.stage_count
        if self.is_ether:
            self.books.ether = self.books.money

    @property
    def is_ether(self) -> bool:
        """Whether the pool's token is ETH."""
        return self.terms.token == NOBODY

    # Time

    @property
    def open_demands(self) -> int:
        """Unanswered demands of the pending settlement."""
        return sum(
            one.open for (number, _, _), one in self.books.demands.items() if number == self.books.number
        )

    def tick(self, now: int) -> None:
        """A pending settlement whose time has come is active."""
        self.now, books = now, self.books
        if books.pending is None or self.open_demands or now < books.active_at:
            return
        books.previous_commitments = books.active_commitments
        books.active = tuple(stage.leaves for stage in books.pending.stages)
        books.active_commitments = tuple(stage.declared for stage in books.pending.stages)
        books.unclaimed += books.pending.revenue
        books.unwritten = books.pending.revenue
        books.last_active_at = books.active_at
        books.pending, books.demanded = None, False

    # Money

    def _take(self, sender: str, value: int) -> None:
        self.books.ether[sender] -= value
        self.books.ether[self.address] += value

    def _give(self, purse: Counter[str], receiver: str, amount: int) -> None:
        purse[self.address] -= amount
        purse[receiver] += amount

    def _pay(self, recipient: str, amount: int) -> None:
        if recipient == NOBODY:
            raise Reverted("ZeroRecipient")
        if self.is_ether and self.refuses(recipient):
            raise Reverted("FailedCall")
        self._give(self.books.money, recipient, amount)

    def _send_bond(self, receiver: str, amount: int) -> None:
        if amount and self.refuses(receiver):
            self.books.credits[receiver] += amount
        else:
            self._give(self.books.ether, receiver, amount)

    # Deposits

    def deposit(self, sender: str, amount: int) -> int:
        """Money in."""
        books = self.books
        if books.closed:
            raise Reverted("PoolClosed")
        if amount == 0:
            raise Reverted("NothingArrived")
        token, ether = self.reserves()
        reserved = token - books.unclaimed + (ether if self.is_ether else 0)
        if reserved + books.unwritten + amount >= UINT128:  # a deposit stores no activation
            raise Reverted("SafeCastOverflowedUintDowncast")
        if self.terms.abandon_seconds:
            books.deposits.append((sender, amount))
            if amount > books.unallocated:
                books.waiting_since = self.now
        books.money[sender] -= amount
        books.money[self.address] += amount
        books.unallocated += amount
        return amount

    @property
    def deposits_hash(self) -> bytes:
        """Over all deposits that have not gone back."""
        return hash_of_deposits(self.books.deposits)

    def refund(self, hash_before: bytes, latest: Sequence[tuple[str, int]]) -> int:
        """Money back from an abandoned pool, to the latest deposits first."""
        books = self.books
        if not books.closed:
            since = max(books.last_active_at, self.created_at, books.waiting_since)
            if not self.terms.abandon_seconds or self.now < since + self.terms.abandon_seconds:
                raise Reverted("NotAbandoned")
            if books.pending:
                raise Reverted("SettlementPending")
            books.closed, books.unwritten = True, 0
        kept = books.deposits[: max(0, len(books.deposits) - len(latest))]
        if [*kept, *latest] != books.deposits or hash_before != hash_of_deposits(kept):
            raise Reverted("NotTheLatestDeposits")
        books.deposits, total = kept, 0
        for depositor, deposited in reversed(latest):
            amount = min(deposited, books.unallocated)
            books.unallocated -= amount
            total += amount
            if amount and self.is_ether and self.refuses(depositor):
                books.owed[account_id(depositor)] += amount
            else:
                self._give(books.money, depositor, amount)
        if total == 0:
            raise Reverted("NothingToRefund")
        return total

    # Settlements

    def propose(
        self,
        sender: str,
        value: int,
        table: Sequence[int],
        before: Sequence[LedgerCommitment],
        stages: Sequence[Stage],
    ) -> int:
        """Posts `stages`, whose declared totals must follow from the table."""
        books = self.books
        if sender != self.terms.proposer:
            raise Reverted("NotProposer")
        if books.closed:
            raise Reverted("PoolClosed")
        if books.pending:
            raise Reverted("SettlementPending")
        if value != (0 if books.bond else self.terms.bond_wei):
            raise Reverted("WrongBond")
        if table[0] != 0 or table[-1] <= 0:
            raise Reverted("InvalidTable")
        revenue = table[-1]
        if revenue > books.unallocated:
            raise Reverted("ExceedsUnallocated")
        amounts = stage_amounts(table)
        for stage, active, shown, amount in zip(
            stages, books.active_commitments, before, amounts, strict=True
        ):
            if shown != active:
                raise Reverted("WrongLedger")
            if not shown.depth <= stage.declared.depth <= 32:
                raise Reverted("DepthOutOfRange")
            if stage.weight_total > MAX_AMOUNT:
                raise Reverted("TotalTooLarge")
            if amount and not stage.weight_total:
                raise Reverted("NoWeights")
            if shown.total + amount > MAX_AMOUNT:
                raise Reverted("TotalTooLarge")
            assert stage.declared.total == shown.total + amount  # what the chain computes
        self._take(sender, value)
        books.number, books.unwritten = books.number + 1, 0
        books.bond, books.unallocated = True, books.unallocated - revenue
        books.pending = Settlement(tuple(stages), revenue, self.now)
        books.active_at = self.now + self.terms.challenge_seconds
        books.demanded, books.previous_commitments = False, ()
        return books.number

    def _pending(self) -> Settlement:
        if self.books.pending is None:
            raise Reverted("NotPending")
        return self.books.pending

    def _cancel(self) -> None:
        books = self.books
        books.unallocated += self._pending().revenue
        books.pending, books.demanded = None, False
        books.cancelled.add(books.number)

    def cancel(self, sender: str) -> None:
        """The arbiter's."""
        if sender != self.terms.arbiter:
            raise Reverted("NotArbiter")
        self._cancel()

    def withdraw_bond(self, sender: str, recipient: str) -> None:
        """The proposer's."""
        if sender != self.terms.proposer:
            raise Reverted("NotProposer")
        if self.books.pending:
            raise Reverted("SettlementPending")
        if not self.books.bond:
            raise Reverted("BondNotHeld")
        self.books.bond, self.books.unwritten = False, 0
        self._send_ether(recipient, self.terms.bond_wei)

    def withdraw_credit(self, sender: str, recipient: str) -> int:
        """A refused bond payment."""
        amount = self.books.credits[sender]
        if not amount:
            raise Reverted("NoCredit")
        self.books.credits[sender] = 0
        self._send_ether(recipient, amount)
        return amount

    def _send_ether(self, recipient: str, amount: int) -> None:
        if recipient == NOBODY:
            raise Reverted("ZeroRecipient")
        if self.refuses(recipient):
            raise Reverted("FailedCall")
        self._give(self.books.ether, recipient, amount)

    # Fraud proofs

    def _slash(self, challenger: str) -> None:
        self._cancel()
        self.books.bond = False
        self._send_bond(challenger, self.terms.bond_wei // 2)
        self._send_bond(NOBODY, self.terms.bond_wei - self.terms.bond_wei // 2)

    def _shown(self, stage: int, index: int) -> bool:
        """Whether the transition at an index is right; the proofs must lead somewhere."""
        posted = self._pending().stages[stage]
        if index >> posted.declared.depth:
            raise Reverted("MalformedProof")
        before_counts = not index >> posted.before.depth
        if not posted.leaves.tree.ledger_commitment == posted.declared:
            raise Reverted("InvalidLeaf")
        if before_counts and posted.before_leaves.tree.ledger_commitment != posted.before:
            raise Reverted("InvalidLeaf")
        if (posted.weight_tree.root, posted.weight_tree.total) != (posted.weight_root, posted.weight_total):
            raise Reverted("InvalidLeaf")
        return posted.right_at(index)

    def challenge_transition(self, sender: str, stage: int, index: int) -> None:
        """At one index."""
        if self._shown(stage, index):
            raise Reverted("NothingWrong")
        self._slash(sender)

    def challenge_total(self, sender: str, stage: int, of_weights: bool) -> None:
        """By the two children of a root."""
        posted = self._pending().stages[stage]
        real = posted.weight_tree.total if of_weights else posted.leaves.tree.total
        if real == (posted.weight_total if of_weights else posted.declared.total):
            raise Reverted("NothingWrong")
        self._slash(sender)

    def challenge_duplicate(self, sender: str, stage: int, first: int, second: int) -> None:
        """By two leaves, for the id at the first."""
        leaves, declared = self._pending().stages[stage].leaves, self._pending().stages[stage].declared
        one = leaves.at(first)[0]
        if not any(one) or first == second:
            raise Reverted("NothingWrong")
        if leaves.tree.ledger_commitment != declared or leaves.at(second)[0] != one:
            raise Reverted("InvalidLeaf")
        self._slash(sender)

    def demand(self, sender: str, value: int, stage: int, index: int) -> None:
        """That a leaf be shown."""
        posted, period = self._pending(), self.terms.challenge_seconds
        if self.now >= posted.proposed_at + period:
            raise Reverted("DemandPeriodOver")
        if value != self.terms.demand_bond_wei:
            raise Reverted("WrongBond")
        if index >> posted.stages[stage].declared.depth:
            raise Reverted("InvalidLeaf")
        key = self.books.number, stage, index
        if key in self.books.demands:
            raise Reverted("AlreadyDemanded")
        self._take(sender, value)
        self.books.demands[key] = Demand(sender, self.now + -(-period // 4))
        self.books.demanded, self.books.active_at = True, posted.proposed_at + 2 * period

    def _open_demand(self, number: int, stage: int, index: int) -> Demand:
        demand = self.books.demands.get((number, stage, index))
        if demand is None or not demand.open:
            raise Reverted("NoSuchDemand")
        return demand

    def answer(self, sender: str, stage: int, index: int) -> None:
        """With the leaf."""
        self._pending()
        demand = self._open_demand(self.books.number, stage, index)
        if self.now >= demand.answer_until:
            raise Reverted("TooLateToAnswer")
        if not self._shown(stage, index):
            raise Reverted("TransitionIsWrong")
        demand.open = False
        self._send_bond(sender, self.terms.demand_bond_wei)

    def cancel_unanswered(self, stage: int, index: int) -> None:
        """After the time to answer."""
        self._pending()
        demand = self._open_demand(self.books.number, stage, index)
        if self.now < demand.answer_until:
            raise Reverted("StillAnswerable")
        demand.open = False
        self._slash(demand.by)
        self._send_bond(demand.by, self.terms.demand_bond_wei)

    def reclaim_demand_bond(self, number: int, stage: int, index: int) -> None:
        """After a cancellation on other grounds."""
        if number not in self.books.cancelled:
            raise Reverted("NotCancelled")
        demand = self._open_demand(number, stage, index)
        demand.open = False
        self._send_bond(demand.by, self.terms.demand_bond_wei)

    # Claims

    def _verify(self, stage: int, shown: LedgerCommitment) -> None:
        previous = self.books.previous_commitments
        if shown != self.books.active_commitments[stage] and (not previous or shown != previous[stage]):
            raise Reverted("InvalidProof")
        self.books.unwritten = 0  # if the transaction as a whole succeeds

    def _settle(self, stage: int, one: bytes, cumulative: int) -> int:
        amount = cumulative - self.books.claimed[stage, one]
        if amount <= 0:
            return 0
        if amount > self.books.unclaimed:
            raise Reverted("ReachesReserves")
        self.books.unclaimed -= amount
        self.books.claimed[stage, one] = cumulative
        return amount

    def _pay_claim(self, one: bytes, recipient: str, amount: int) -> None:
        if self.is_ether and self.refuses(recipient):
            self.books.owed[one] += amount
        else:
            self._give(self.books.money, recipient, amount)

    def claim(self, stage: int, shown: LedgerCommitment, one: bytes, cumulative: int) -> int:
        """One leaf."""
        self._verify(stage, shown)
        recipient = self.registry.payout(one)
        if recipient == NOBODY:
            raise Reverted("Unbound")
        amount = self._settle(stage, one, cumulative)
        if amount:
            self._pay_claim(one, recipient, amount)
        return amount

    def claim_leaf(self, stage: int, one: bytes, cumulative: int) -> int:
        """One verified leaf of many: nothing of an unbound id."""
        recipient = self.registry.payout(one)
        if recipient == NOBODY or not cumulative:
            return 0
        amount = self._settle(stage, one, cumulative)
        if amount:
            self._pay_claim(one, recipient, amount)
        return amount

    def claim_many(self, items: Sequence[tuple[int, LedgerCommitment, bytes, int]]) -> int:
        """Leaves in their order."""
        self.books.unwritten = paid = 0
        for stage, shown, one, cumulative in items:
            self._verify(stage, shown)
            paid += self.claim_leaf(stage, one, cumulative)
        return paid

    def claim_range(self, stage: int, shown: LedgerCommitment, leaves: Sequence[tuple[bytes, int]]) -> int:
        """Neighbours."""
        self._verify(stage, shown)
        return sum([self.claim_leaf(stage, one, cumulative) for one, cumulative in leaves])

    def claim_to(
        self,
        recipient: str,
        consent: str | None,
        items: Sequence[tuple[int, LedgerCommitment, bytes, int]],
    ) -> int:
        """To another recipient; `consent` is the error that the missing consent gives, None where it is there."""
        if recipient == NOBODY:
            raise Reverted("ZeroRecipient")
        if not items:
            raise Reverted("NothingToClaim")
        one = items[0][2]
        if self.registry.holder(one) == NOBODY:
            raise Reverted("Unbound")
        if consent:
            raise Reverted(consent)
        paid = 0
        for stage, shown, found, cumulative in items:
            self._verify(stage, shown)
            if found != one:
                raise Reverted("MixedContributors")
            amount = self._settle(stage, one, cumulative)
            if amount:
                self._pay_claim(one, recipient, amount)
            paid += amount
        if not paid:
            raise Reverted("NothingToClaim")
        return paid

    def withdraw_owed(self, sender: str, one: bytes, recipient: str) -> int:
        """By the holder."""
        if self.registry.holder(one) != sender:
            raise Reverted("NotHolder")
        amount = self.books.owed[one]
        if not amount:
            raise Reverted("NothingOwed")
        self.books.owed[one] = 0
        self._pay(recipient, amount)
        return amount

    # What must hold of the books themselves

    def reserves(self) -> tuple[int, int]:
        """What the pool must hold in its token, and of bonds in ETH."""
        books = self.books
        token = books.unallocated + books.unclaimed + books.owed.total()
        token += books.pending.revenue if books.pending else 0
        ether = self.terms.bond_wei * books.bond + books.credits.total()
        ether += self.terms.demand_bond_wei * sum(one.open for one in books.demands.values())
        return token, ether
