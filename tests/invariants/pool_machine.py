"""The state machine: real contracts in an EVM and the model of model.py, given the same calls by Hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ame.arithmetic import stage_amounts
from ame.encoding import account_id, commitment, keccak, named_id, typed_data
from ame.errors import SignalError
from ame.execution.ledger import StageWeights
from ame.execution.merkle_sum import depth_for
from ame.execution.settlement import settle
from ame.records import MAX_AMOUNT, Allocation, AllocationLine, LedgerCommitment, Terms
from tests.invariants.evm import Chain, Code, Reverted
from tests.invariants.model import NOBODY, Leaves, PoolModel, Registry, Stage, hash_of_deposits

START = 1_767_225_600
PERIOD, ABANDON, BOND, DEMAND_BOND = 1_000, 5_000, 1_000_001, 7
RICH = 2**127
STAGES = ("data", "model", "prompt")

# Refuses ETH while its word is not 0. A call with one word sets it; a longer one (target ‖ value ‖ data) is passed on:
# recv: if callvalue-only { if sload(0) revert else stop }; set: sstore(0, calldataload(0)); else call, and answer the same.
MOODY = Code(
    [],
    bytes.fromhex(
        "60418060095f395ff3"
        "361560305736602014603b576040360360405f375f5f604036035f6020355f355af13d5f5f3e602c573d5f"
        "fd5b3d5ff35b5f54603757005b5f5ffd5b5f355f5500"
    ),
)

WALLETS = [Account.from_key(keccak(b"state machine %d" % number)) for number in range(5)]
REGISTRAR = Account.from_key(keccak(b"registrar"))


def _actor(name: str) -> str:
    return to_checksum_address(keccak(name.encode())[:20])


OPERATOR, ARBITER, OUTSIDER, OTHER = map(_actor, ("operator", "arbiter", "outsider", "other"))
CUSTOMERS = (_actor("alice's firm"), _actor("bob's firm"))
HOLDERS = tuple(wallet.address for wallet in WALLETS)
NAMES = ("hf:carol", "hf:dave")
IDS = (
    *(account_id(wallet.address) for wallet in WALLETS[:4]),
    *(named_id(REGISTRAR.address, name) for name in NAMES),
)

stages = st.integers(0, len(STAGES) - 1)
indices = st.integers(0, 8)
people = st.sampled_from((OPERATOR, ARBITER, OUTSIDER, *HOLDERS))
weights = st.lists(st.sampled_from((0, 1, 2, 7, 10**6, 10**24)), min_size=len(IDS), max_size=len(IDS))
LIES = (
    "shift",
    "inflate",
    "rename",
    "void",
    "duplicate",
    "weights",
    "weight total",
    "weight root",
    "shrink depth",
    "stale",
)


class Opened(NamedTuple):
    """A leaf with what its proof leads to, and the Claim that shows it."""

    stage: int
    shown: LedgerCommitment
    contributor_id: bytes
    cumulative: int
    claim: tuple[Any, ...]

    @property
    def item(self) -> tuple[int, LedgerCommitment, bytes, int]:
        """What the model needs."""
        return self[:4]


class PoolMachine(RuleBasedStateMachine):
    """One pool. Subclasses say in which token, and with which code."""

    ether = False
    codes: Callable[[str], Code] = staticmethod(Code.frozen)
    prevrandao = bytes(32)
    unlimited_code = False

    @initialize(
        every_weight=st.tuples(weights, weights, weights), closes=st.integers(0, 5).map(lambda n: n == 0)
    )
    def open_pool(self, every_weight: Sequence[list[int]], closes: bool) -> None:
        """Contracts, actors and their money; a first settlement. Few lives are spent on abandonment."""
        self.closes = closes
        self.chain = Chain(START, prevrandao=self.prevrandao, unlimited_code=self.unlimited_code)
        self.names = self.chain.deploy(self.codes("ContributorRegistry"))
        self.token = self.chain.deploy(self.codes("TestToken"), "Test", "T", 6)
        self.moody = self.chain.deploy(MOODY).address
        terms = Terms(
            NOBODY if self.ether else self.token.address, len(STAGES), OPERATOR, ARBITER, self.names.address,
            PERIOD, ABANDON, BOND, DEMAND_BOND, keccak(b"terms"),
        )  # fmt: skip
        self.pool = self.chain.deploy(self.codes("SettlementPool"), tuple(terms))
        self.people = (
            NOBODY,
            OPERATOR,
            ARBITER,
            OUTSIDER,
            OTHER,
            *CUSTOMERS,
            *HOLDERS,
            self.moody,
            self.pool.address,
        )
        self.refusing = False
        self.registry = Registry()
        self.registry.accounts = dict(zip(IDS, HOLDERS[:4], strict=False))
        self.model = PoolModel(
            terms, self.pool.address, START, self.registry, lambda who: self.refusing and who == self.moody
        )
        self.history: list[tuple[Leaves, ...]] = [self.model.books.active]
        for person in (OPERATOR, ARBITER, OUTSIDER, *CUSTOMERS, *HOLDERS, self.moody):
            self.chain.evm.set_balance(person, RICH)
            self.model.books.ether[person] = RICH
            if self.ether or person == self.moody:
                continue
            self.token.call(person, "mint", person, RICH)
            self.token.call(person, "approve", self.pool.address, 2**256 - 1)
            self.model.books.money[person] = RICH
        self.settle_honestly(every_weight, [100, 50, 300, 200, 600, 500])

    def deposit_some(self, customer: str, amount: int) -> None:
        """A plain deposit, of what the customer has."""
        amount = min(amount, self.model.books.money[customer])
        self.both(
            lambda: self.model.deposit(customer, amount),
            customer, "deposit", amount, bytes(32), value=amount if self.ether else 0,
        )  # fmt: skip

    # Both sides

    def both(
        self, expected: Callable[[], Any], sender: str, name: str, *arguments: Any, value: int = 0
    ) -> Any:
        """The same call on both sides: the same value, or the same error. None where it reverted."""
        self.model.tick(self.chain.now)
        saved = self.model.books.copy()
        try:
            wanted: Any = expected()
        except Reverted as error:
            self.model.books = saved
            with pytest.raises(Reverted) as found:
                self._send(sender, name, *arguments, value=value)
            assert str(found.value) == str(error)  # noqa: PT017 - two errors that must agree
            return None
        answer = self._send(sender, name, *arguments, value=value)
        assert wanted is None or answer == wanted
        return True

    def _send(self, sender: str, name: str, *arguments: Any, value: int) -> Any:
        """Contracts send through somebody's transaction."""
        through = sender if sender == self.moody else None
        return self.pool.call(OUTSIDER if through else sender, name, *arguments, value=value, through=through)

    @invariant()
    def books_agree(self) -> None:
        """Every number that the pool shows is the model's, and it holds exactly what it owes."""
        if not hasattr(self, "pool"):
            return
        self.model.tick(self.chain.now)
        books, pool = self.model.books, self.pool
        assert pool.read("unallocated") == books.unallocated
        assert pool.read("unclaimed") == books.unclaimed
        assert pool.read("pendingRevenue") == (books.pending.revenue if books.pending else 0)
        assert pool.read("bondHeld") == books.bond
        assert pool.read("closed") == books.closed
        status = (
            0 if not books.number else 1 if books.pending else 3 if books.number in books.cancelled else 2
        )
        active = [
            number for number in range(books.number + (not books.pending)) if number not in books.cancelled
        ]
        when = books.active_at if books.pending else books.last_active_at
        assert pool.read("status") == (books.number, status, when, active[-1] if active else 0)
        token, ether = self.model.reserves()
        assert pool.read("reserved") == token - books.unclaimed + (ether if self.ether else 0)
        assert self.balance(self.pool.address) == token + (ether if self.ether else 0)
        assert self.chain.evm.get_balance(self.pool.address) == ether + (token if self.ether else 0)
        for person in self.people:
            assert self.balance(person) == books.money[person]
            assert self.chain.evm.get_balance(person) == books.ether[person]
        for person in (OUTSIDER, self.moody):
            assert pool.read("credits", person) == books.credits[person]
        assert pool.read("depositsHash") == self.model.deposits_hash
        for one in IDS:
            assert pool.read("owed", one) == books.owed[one]
            for stage in range(len(STAGES)):
                assert pool.read("claimed", stage, one) == books.claimed[stage, one]
        previous = books.previous_commitments or (None,) * len(STAGES)
        for stage, (now, before) in enumerate(zip(books.active_commitments, previous, strict=True)):
            shown = commitment(before) if before else bytes(32)
            assert pool.read("commitments", stage) == (commitment(now), shown)

    def balance(self, person: str) -> int:
        """In the pool's token."""
        return self.chain.evm.get_balance(person) if self.ether else self.token.read("balanceOf", person)

    # Money in

    @rule(
        customer=st.sampled_from(CUSTOMERS),
        amount=st.one_of(st.integers(1, 10**6), st.sampled_from((0, 1, 10**18, RICH // 2, RICH))),
        wrong=st.integers(0, 9),
    )
    def deposit(self, customer: str, amount: int, wrong: int) -> None:
        if wrong == 0 and self.model.books.ether[customer] > 2 * 10**18:  # ETH that is not the amount
            amount = min(amount, 10**18)
            wanted = "PoolClosed" if self.model.books.closed else "WrongValue"
            self.both(
                lambda: _raise(wanted),
                customer,
                "deposit",
                amount,
                bytes(32),
                value=1 if not self.ether else amount + 1,
            )
            return
        self.deposit_some(customer, amount)

    @precondition(lambda self: self.closes or self._pending())
    @rule(count=st.integers(0, 3), shift=st.sampled_from((0, 0, 0, 1)))
    def refund(self, count: int, shift: int) -> None:
        """The latest deposits, or as many that are not quite the latest."""
        deposits = self.model.books.deposits
        first = max(0, len(deposits) - count - shift)
        latest = deposits[first : first + count]
        before = hash_of_deposits(deposits[:first])
        self.both(lambda: self.model.refund(before, latest), OUTSIDER, "refund", before, latest)

    # Time

    @rule(seconds=st.sampled_from((1, 499, 500, 501, 999, 1_000, 1_000, 1_001, 2_000)))
    def wait(self, seconds: int) -> None:
        self.chain.sleep(seconds)
        self.model.tick(self.chain.now)

    @precondition(lambda self: self.closes and not self._pending())
    @rule()
    def wait_for_abandonment(self) -> None:
        self.chain.sleep(ABANDON - PERIOD)
        self.model.tick(self.chain.now)

    # Settlements

    def _table(self, values: Sequence[int], revenue: int) -> list[int]:
        return [0, *(value * revenue // 1_000 for value in values), revenue]

    def _honest(self, table: list[int], every_weight: Sequence[list[int]]) -> tuple[Stage, ...]:
        """What AME's own execution makes of it."""
        books = self.model.books
        lines = tuple(
            tuple(
                AllocationLine(one, weight)
                for one, weight in sorted(zip(IDS, row if any(row) else (1, *row[1:]), strict=True))
                if weight
            )
            for row in every_weight
        )
        made = settle(
            Allocation(STAGES, tuple(table), lines), [leaves.ledger for leaves in books.active],
            chain_id=1, pool=self.pool.address, number=books.number + 1,
        )  # fmt: skip
        return tuple(
            Stage(
                update.before, leaves, Leaves(ledger.ids, ledger.cumulatives, ledger.depth), weights.weights,
                update.afterwards, update.weight_root, update.weight_total,
            )
            for update, leaves, ledger, weights in zip(
                made.settlement.updates, books.active, made.ledgers, made.weights, strict=True
            )
        )  # fmt: skip

    def _sound(self) -> bool:
        """Whether an honest operator can go on from the active ledgers."""
        return all(
            leaves.sound and leaves.tree.ledger_commitment == declared
            for leaves, declared in zip(
                self.model.books.active, self.model.books.active_commitments, strict=True
            )
        )

    @precondition(lambda self: self._sound() and not self._pending() and not self.model.books.closed)
    @rule(
        every_weight=st.tuples(weights, weights, weights),
        values=st.lists(st.integers(0, 1_000), min_size=6, max_size=6),
    )
    def settle_honestly(self, every_weight: Sequence[list[int]], values: list[int]) -> None:
        """New money, an honest settlement, and the time that makes it active."""
        self.model.tick(self.chain.now)
        self.deposit_some(CUSTOMERS[0], 1_000_003)
        table = self._table(values, 1_000_003)
        try:
            self._post(table, self._honest(table, every_weight))
        except ValueError:  # nothing to split by, or a ledger beyond 128 bits: AME refuses to make it
            return
        self.wait(PERIOD)

    @precondition(lambda self: self._sound() and not self._pending())
    @rule(
        values=st.lists(st.integers(-100, 1_000), min_size=6, max_size=6),
        share=st.sampled_from((1, 1, 2, 3)),
        more=st.sampled_from((0,) * 6 + (1,)),
        every_weight=st.tuples(weights, weights, weights),
        lie=st.one_of(st.none(), st.none(), st.sampled_from(LIES)),
        stage=stages, first=indices, second=indices, by=st.integers(1, 1_000),
    )  # fmt: skip
    def propose(self, values, share, more, every_weight, lie, stage, first, second, by) -> None:  # type: ignore[no-untyped-def]
        self.model.tick(self.chain.now)
        table = self._table(values, min(self.model.books.unallocated // share + more, MAX_AMOUNT))
        try:
            stage_amounts(table)
            posted = list(self._honest(table, every_weight)) if table[-1] > 0 else self._idle()
        except SignalError:
            posted = self._idle()
        except ValueError:  # a ledger beyond 128 bits, which AME refuses to make
            return
        if lie:
            posted[stage] = _falsify(posted[stage], lie, first, second, by)
        self._post(table, posted)

    @precondition(lambda self: self._sound() and not self._pending() and not self.model.books.closed)
    @rule(
        every_weight=st.tuples(weights, weights, weights), lie=st.one_of(st.none(), st.sampled_from(LIES[:-2])),
        stage=stages, first=indices, second=indices, by=st.integers(1, 10**6),
        way=st.sampled_from(("prove", "prove", "total", "duplicate", "demand", "demand", "answer", "arbiter", "let")),
        who=st.sampled_from((OUTSIDER, OUTSIDER, "moody")), pause=st.sampled_from((0, 499, 999, 1_000)),
    )  # fmt: skip
    def lie_and_be_found(self, every_weight, lie, stage, first, second, by, way, who, pause) -> None:  # type: ignore[no-untyped-def]
        """A settlement, false or not, and one of the ways in which it can end."""
        self.deposit_some(CUSTOMERS[1], by + 17)
        self.model.tick(self.chain.now)
        try:
            posted = list(self._honest(self._table([100, 50, 300, 200, 600, 500], by + 17), every_weight))
        except ValueError:
            return
        if lie:
            posted[stage] = _falsify(posted[stage], lie, first, second, by)
        self._post(self._table([100, 50, 300, 200, 600, 500], by + 17), posted)
        if way == "let":
            self.wait(PERIOD - 1)
            self.books_agree()
            self.wait(1)
            return
        if way in ("demand", "answer"):
            for index in (first, second):
                self.demand(who, stage, index, DEMAND_BOND)
            self.books_agree()
            self.wait(pause)
            if way == "answer":
                self.answer(who, 0, stage, first)
                self.wait(PERIOD // 2)
                self.books_agree()
                self.challenge_transition(who, stage, second)
                self.answer(OUTSIDER, 0, stage, second)
            self.wait(PERIOD)
            self.books_agree()
            self.cancel_unanswered(0, stage, first)
            self.cancel_unanswered(0, stage, second)
        elif way == "prove":
            self.wait(pause)
            for index in (first, second, *range(8)):
                self.challenge_transition(who, stage, index)
        elif way == "total":
            self.challenge_total(stage, False)
            self.challenge_total(stage, True)
        elif way == "duplicate":
            self.challenge_duplicate(stage, first, len(posted[stage].leaves.ids) - 1)
        else:
            self.demand(who, stage, first, DEMAND_BOND)
            self.cancel(ARBITER)
        self.books_agree()
        for number, place, index in sorted(self.model.books.demands):
            self.reclaim_demand_bond_of(number, place, index)
        # What is not active pays nothing.
        for index in range(len(posted[stage].leaves.ids)):
            self.claim(len(self.history) - 1, stage, index)

    def _idle(self) -> list[Stage]:
        """Something to post where the table is refused anyway."""
        return [
            Stage(declared, leaves, leaves, (1,), declared, bytes(32), 1)
            for leaves, declared in zip(
                self.model.books.active, self.model.books.active_commitments, strict=True
            )
        ]

    def _post(self, table: list[int], posted: Sequence[Stage], sender: str = OPERATOR, off: int = 0) -> None:
        value = (0 if self.model.books.bond else BOND) + off
        before = [stage.before for stage in posted]
        proposals = [
            (stage.declared.root, stage.declared.depth, stage.weight_root, stage.weight_total)
            for stage in posted
        ]
        done = self.both(
            lambda: self.model.propose(sender, value, table, before, posted),
            sender, "propose", table, [tuple(one) for one in before], proposals, bytes(32), value=value,
        )  # fmt: skip
        if done:
            self.history = [*self.history[-3:], tuple(stage.leaves for stage in posted)]

    @precondition(lambda self: self._sound())
    @rule(
        sender=st.sampled_from((OPERATOR, OPERATOR, OUTSIDER)),
        off=st.integers(0, 1),
        table=st.lists(st.integers(-5, 5), min_size=8, max_size=8),
    )
    def propose_nonsense(self, sender: str, off: int, table: list[int]) -> None:
        """Not the operator, or not the bond, or not a table."""
        self.model.tick(self.chain.now)
        if sender == OPERATOR and not off:
            table[0] = 1
        self._post(table, self._idle(), sender, off)

    @precondition(lambda self: self._pending())
    @rule(sender=st.sampled_from((ARBITER, OPERATOR, OUTSIDER)))
    def cancel(self, sender: str) -> None:
        self.both(lambda: self.model.cancel(sender), sender, "cancel")

    @rule(
        sender=st.sampled_from((OPERATOR, OPERATOR, OUTSIDER)),
        recipient=st.sampled_from((OTHER, "moody", NOBODY)),
    )
    def withdraw_bond(self, sender: str, recipient: str) -> None:
        recipient = self._named(recipient)
        self.both(lambda: self.model.withdraw_bond(sender, recipient), sender, "withdrawBond", recipient)

    @precondition(lambda self: self.model.books.credits.total())
    @rule(sender=st.sampled_from(("moody", OUTSIDER)), recipient=st.sampled_from((OTHER, "moody", NOBODY)))
    def withdraw_credit(self, sender: str, recipient: str) -> None:
        sender, recipient = self._named(sender), self._named(recipient)
        self.both(lambda: self.model.withdraw_credit(sender, recipient), sender, "withdrawCredit", recipient)

    def _named(self, person: str) -> str:
        return self.moody if person == "moody" else person

    # Fraud proofs

    def _updates(self) -> list[tuple[Any, ...]]:
        pending = self.model.books.pending
        return [
            (tuple(stage.before), tuple(stage.declared), stage.weight_root, stage.weight_total)
            for stage in (pending.stages if pending else ())
        ]

    @precondition(lambda self: not self._pending())
    @rule(stage=stages, index=indices)
    def too_late(self, stage: int, index: int) -> None:
        """What needs a pending settlement, a demand, a credit or something owed, without it."""
        self.challenge_transition(OUTSIDER, stage, index)
        self.demand(OUTSIDER, stage, index, DEMAND_BOND)
        self.answer(OUTSIDER, 0, stage, index)
        self.cancel(ARBITER)
        self.cancel_unanswered(0, stage, index)
        self.reclaim_demand_bond(0, stage, index)
        self.challenge_total(stage, False)
        self.challenge_duplicate(stage, 0, 1)
        self.withdraw_credit(OUTSIDER, OTHER)
        self.withdraw_owed(IDS[index % len(IDS)], index < 4, OTHER)

    def _shown(self, stage: int, index: int) -> tuple[Any, ...]:
        """Updates, stage, index and the three proofs of a transition."""
        if not self.model.books.pending:
            nothing = (bytes(32), 0, b"")
            return [], stage, index, nothing, nothing, (0, b"")
        posted = self.model.books.pending.stages[stage]
        small = index & (1 << posted.before.depth) - 1
        inside = index & (1 << posted.leaves.depth) - 1
        weight = posted.weights[inside] if inside < len(posted.weights) else 0
        return (
            self._updates(), stage, index,
            (*posted.before_leaves.at(small), posted.before_leaves.tree.proof(small)),
            (*posted.leaves.at(inside), posted.leaves.tree.proof(inside)),
            (weight, posted.weight_tree.proof(inside)),
        )  # fmt: skip

    def _pending(self) -> bool:
        self.model.tick(self.chain.now)
        return self.model.books.pending is not None

    @precondition(lambda self: self._pending())
    @rule(sender=st.sampled_from((OUTSIDER, OUTSIDER, "moody")), stage=stages, index=indices)
    def challenge_transition(self, sender: str, stage: int, index: int) -> None:
        self._as(sender, lambda who: self.model.challenge_transition(who, stage, index), "challengeTransition",
                 lambda: self._shown(stage, index))  # fmt: skip

    def _as(
        self,
        sender: str,
        expected: Callable[[str], Any],
        name: str,
        arguments: Callable[[], Any],
        value: int = 0,
    ) -> None:
        """`arguments` are taken after the clock has moved the pending settlement."""
        self.model.tick(self.chain.now)
        who = self._named(sender)
        self.both(lambda: expected(who), who, name, *arguments(), value=value)

    @precondition(lambda self: self._pending())
    @rule()
    def challenge_what_is_wrong(self) -> None:
        """Whatever is wrong with the pending settlement, one of the proofs shows it; nothing else is ever cancelled."""
        self.model.tick(self.chain.now)
        pending = self.model.books.pending
        if not pending:
            return None
        for number, stage in enumerate(pending.stages):
            if stage.leaves.tree.total != stage.declared.total:
                return self.challenge_total(number, False)
            if stage.provable() and (
                wrong := [i for i in range(1 << stage.leaves.depth) if not stage.right_at(i)]
            ):
                return self.challenge_transition(OUTSIDER, number, wrong[0])
        return None

    @precondition(lambda self: self._pending())
    @rule(stage=stages, of_weights=st.booleans())
    def challenge_total(self, stage: int, of_weights: bool) -> None:
        self.model.tick(self.chain.now)
        top = bytes(96)
        if self.model.books.pending:
            posted = self.model.books.pending.stages[stage]
            tree = posted.weight_tree if of_weights else posted.leaves.tree
            top = tree.proof((1 << tree.depth) - 1)[-48:] + tree.proof(0)[-48:]
            if tree.root != (posted.weight_root if of_weights else posted.declared.root):
                self.both(
                    lambda: _raise("InvalidEvidence"),
                    OUTSIDER,
                    "challengeTotal",
                    self._updates(),
                    stage,
                    of_weights,
                    top,
                )
                return
        self.both(
            lambda: self.model.challenge_total(OUTSIDER, stage, of_weights),
            OUTSIDER, "challengeTotal", self._updates(), stage, of_weights, top,
        )  # fmt: skip

    @precondition(lambda self: self._pending())
    @rule(stage=stages, first=indices, second=indices)
    def challenge_duplicate(self, stage: int, first: int, second: int) -> None:
        self.model.tick(self.chain.now)
        if not self.model.books.pending:
            nothing = (0, 0, b"")
            self.both(
                lambda: _raise("NotPending"),
                OUTSIDER,
                "challengeDuplicate",
                [],
                stage,
                bytes(32),
                *nothing,
                *nothing,
            )
            return
        leaves = self.model.books.pending.stages[stage].leaves
        first, second = (one & (1 << leaves.depth) - 1 for one in (first, second))
        self.both(
            lambda: self.model.challenge_duplicate(OUTSIDER, stage, first, second),
            OUTSIDER, "challengeDuplicate", self._updates(), stage, leaves.at(first)[0],
            first, leaves.at(first)[1], leaves.tree.proof(first),
            second, leaves.at(second)[1], leaves.tree.proof(second),
        )  # fmt: skip

    @precondition(lambda self: self._pending())
    @rule(stage=stages, index=indices, false=st.integers(0, 3))
    def challenge_with_other_updates(self, stage: int, index: int, false: int) -> None:
        """Nobody slashes with updates that were not proposed."""
        self.model.tick(self.chain.now)
        if not self.model.books.pending:
            return
        updates, *rest = self._shown(stage, index)
        root, *others = updates[stage][1]
        updates[stage] = (updates[stage][0], (root, others[0] + 1 + false, others[1]), *updates[stage][2:])
        self.both(lambda: _raise("WrongUpdates"), OUTSIDER, "challengeTransition", updates, *rest)

    @precondition(lambda self: self._pending())
    @rule(
        sender=st.sampled_from((OUTSIDER, OUTSIDER, "moody")),
        stage=stages,
        index=indices,
        value=st.sampled_from((DEMAND_BOND,) * 5 + (0,)),
    )
    def demand(self, sender: str, stage: int, index: int, value: int) -> None:
        self._as(sender, lambda who: self.model.demand(who, value, stage, index), "demand",
                 lambda: (self._updates(), stage, index), value)  # fmt: skip

    def _demanded(self, choice: int, stage: int, index: int) -> tuple[int, int, int]:
        """Mostly a leaf that somebody demanded."""
        keys = sorted(self.model.books.demands)
        return keys[choice % len(keys)] if keys and choice else (self.model.books.number, stage, index)

    @precondition(lambda self: self._pending() and self.model.open_demands)
    @rule(
        sender=st.sampled_from((OPERATOR, OUTSIDER, "moody")),
        choice=st.integers(0, 5),
        stage=stages,
        index=indices,
    )
    def answer(self, sender: str, choice: int, stage: int, index: int) -> None:
        _, stage, index = self._demanded(choice, stage, index)
        self._as(
            sender,
            lambda who: self.model.answer(who, stage, index),
            "answer",
            lambda: self._shown(stage, index),
        )

    @precondition(lambda self: self._pending() and self.model.open_demands)
    @rule(choice=st.integers(0, 5), stage=stages, index=indices)
    def cancel_unanswered(self, choice: int, stage: int, index: int) -> None:
        _, stage, index = self._demanded(choice, stage, index)
        self.both(lambda: self.model.cancel_unanswered(stage, index), OTHER, "cancelUnanswered", stage, index)

    @precondition(lambda self: any(one.open for one in self.model.books.demands.values()))
    @rule(choice=st.integers(0, 5), stage=stages, index=indices)
    def reclaim_demand_bond(self, choice: int, stage: int, index: int) -> None:
        self.reclaim_demand_bond_of(*self._demanded(choice, stage, index))

    def reclaim_demand_bond_of(self, *key: int) -> None:
        """The bond of one demand."""
        self.both(lambda: self.model.reclaim_demand_bond(*key), OTHER, "reclaimDemandBond", *key)

    # Money out

    def _ledger(self, which: int) -> tuple[Leaves, ...]:
        """The active ledgers mostly, else any posted one: pending, previous, cancelled, long ago."""
        self.model.tick(self.chain.now)
        return self.history[which] if which < len(self.history) else self.model.books.active

    def _open(self, which: int, stage: int, index: int) -> Opened:
        leaves = self._ledger(which)[stage]
        index %= max(1, len(leaves.ids))
        one, cumulative = leaves.at(index)
        shown = leaves.tree.ledger_commitment
        return Opened(
            stage, shown, one, cumulative, (stage, index, one, cumulative, leaves.tree.proof(index))
        )

    @rule(which=st.integers(0, 12), stage=stages, index=indices)
    def claim(self, which: int, stage: int, index: int) -> None:
        leaf = self._open(which, stage, index)
        self.both(lambda: self.model.claim(*leaf.item), OUTSIDER, "claim", leaf.claim)

    @rule(stage=stages, index=indices, more=st.sampled_from((-1, 1, 10**6)), spot=st.integers(0, 10**6))
    def claim_with_false_proof(self, stage: int, index: int, more: int, spot: int) -> None:
        """A greater amount, another's leaf at one's own index, and one flipped bit pay nothing."""
        leaf = self._open(99, stage, index)
        _, at, one, cumulative, proof = leaf.claim
        thief = OTHER if one == account_id(OUTSIDER) else OUTSIDER  # whom an active lie may really have named
        flipped = bytearray(proof)
        flipped[spot % len(proof)] ^= 1 << spot % 8
        for false in (
            (stage, at, one, max(0, cumulative + more) if cumulative + more >= 0 else 5, proof),
            (stage, at, account_id(thief), cumulative + (not cumulative), proof),
            (stage, at, one, cumulative, proof[:-1]),
            (stage, at + (1 << leaf.shown.depth), one, cumulative, proof),
        ):
            whole = false[1] == at and false[4] == proof
            if whole and any(false[2:4] == ledgers[stage].at(at) for ledgers in self.history):
                continue  # true in the previous ledger, from which only this leaf may differ
            with pytest.raises(Reverted, match=r"InvalidProof|MalformedProof"):
                self.pool.call(OUTSIDER, "claim", false)
        with pytest.raises(Reverted, match=r"InvalidProof|MalformedProof"):
            self.pool.call(OUTSIDER, "claim", (stage, at, one, cumulative, bytes(flipped)))

    @rule(
        picks=st.lists(
            st.tuples(st.sampled_from((99, 99, 99, 99, 99, 99, 0, 1, 2)), stages, indices), max_size=4
        ),
        twice=st.booleans(),
    )
    def claim_many(self, picks: list[tuple[int, int, int]], twice: bool) -> None:
        leaves = [self._open(*pick) for pick in picks + picks[:1] * twice]
        self.both(
            lambda: self.model.claim_many([leaf.item for leaf in leaves]),
            OUTSIDER, "claimBatch", [leaf.claim for leaf in leaves],
        )  # fmt: skip

    @rule(which=st.integers(0, 12), stage=stages, first=indices, count=st.integers(1, 8))
    def claim_range(self, which: int, stage: int, first: int, count: int) -> None:
        leaves = self._ledger(which)[stage]
        size = 1 << leaves.depth
        first %= size
        count = min(count, size - first)
        part = [leaves.at(index) for index in range(first, first + count)]
        proof = leaves.tree.range_proof(first, count)
        shown = leaves.tree.ledger_commitment
        self.both(
            lambda: self.model.claim_range(stage, shown, part),
            OUTSIDER, "claimRange",
            (stage, [one for one, _ in part], [amount for _, amount in part], first, leaves.depth, proof),
        )  # fmt: skip

    @rule(
        picks=st.lists(st.tuples(stages, indices), min_size=1, max_size=3),
        recipient=st.sampled_from((OTHER, OTHER, "moody", NOBODY)),
        by=st.sampled_from(("holder", "signature", "signature", "nobody", "stranger", "late", "replay")),
        together=st.booleans(),
    )
    def claim_to(self, picks: list[tuple[int, int]], recipient: str, by: str, together: bool) -> None:
        recipient = self._named(recipient)
        leaves = [self._open(99, *pick) for pick in picks]
        if together:  # else the ids may differ
            one = leaves[0].contributor_id
            active = self.model.books.active
            leaves = [
                self._open(99, stage, active[stage].ids.index(one))
                for stage in dict.fromkeys(stage for stage, _ in picks)
                if one in active[stage].ids
            ] or leaves[:1]
        one = leaves[0].contributor_id
        holder = self.registry.holder(one)
        sender, deadline, signature, problem = OUTSIDER, self.chain.now, b"", "InvalidSignature"
        if by == "holder" and holder in HOLDERS:
            sender, problem = holder, None
        elif by in ("signature", "late", "replay") and holder in HOLDERS and recipient != NOBODY:
            nonce = self.pool.read("nonces", holder) + (by == "replay")
            message = typed_data(
                "AME SettlementPool", 1, self.pool.address, "ClaimTo",
                contributorId=one, recipient=recipient, nonce=nonce, deadline=deadline - (by == "late"),
            )  # fmt: skip
            wallet = WALLETS[HOLDERS.index(holder)]
            signature = wallet.sign_typed_data(full_message=message).signature
            problem = {"signature": None, "late": "SignatureExpired", "replay": "InvalidSignature"}[by]
            deadline -= by == "late"
        elif by == "stranger" and recipient != NOBODY:
            signature = REGISTRAR.sign_typed_data(
                full_message=typed_data(
                    "AME SettlementPool", 1, self.pool.address, "ClaimTo",
                    contributorId=one, recipient=recipient, nonce=0, deadline=deadline,
                )
            ).signature  # fmt: skip
        if holder == sender:  # an active lie may have named the stranger himself
            problem = None
        used = self.pool.read("nonces", holder)
        done = self.both(
            lambda: self.model.claim_to(recipient, problem, [leaf.item for leaf in leaves]),
            sender, "claimTo", [leaf.claim for leaf in leaves], recipient, signature, deadline,
        )  # fmt: skip
        assert self.pool.read("nonces", holder) == used + bool(done and sender != holder)

    @precondition(lambda self: self.model.books.owed.total())
    @rule(
        one=st.sampled_from(IDS),
        right=st.booleans(),
        recipient=st.sampled_from((OTHER, OTHER, "moody", NOBODY)),
    )
    def withdraw_owed(self, one: bytes, right: bool, recipient: str) -> None:
        sender, recipient = self.registry.holder(one) if right else OUTSIDER, self._named(recipient)
        if sender == NOBODY:
            sender = OUTSIDER
        self.both(
            lambda: self.model.withdraw_owed(sender, one, recipient), sender, "withdrawOwed", one, recipient
        )

    # The registry

    @rule(refuses=st.sampled_from((True, True, False)))
    def change_mood(self, refuses: bool) -> None:
        self.refusing = refuses
        self.chain.evm.message_call(OUTSIDER, self.moody, calldata=bytes(31) + bytes([refuses]))

    @rule(
        number=st.integers(0, 3),
        payout=st.sampled_from((OTHER, "moody", "moody")),
        right=st.sampled_from((True, True, False)),
    )
    def set_payout(self, number: int, payout: str, right: bool) -> None:
        payout = self._named(payout)
        if right:
            self.names.call(HOLDERS[number], "setPayout", IDS[number], payout)
            self.registry.payouts[IDS[number]] = payout
        else:
            with pytest.raises(Reverted, match="NotAllowed"):
                self.names.call(OUTSIDER, "setPayout", IDS[number], payout)

    @rule(
        name=st.integers(0, 1),
        payout=st.sampled_from((HOLDERS[4], "moody")),
        forged=st.sampled_from(("", "", "vouch", "consent")),
    )
    def bind(self, name: int, payout: str, forged: str) -> None:
        """A named id is bound, perhaps long after money was allocated to it."""
        payout, holder, deadline = self._named(payout), WALLETS[4], self.chain.now
        one, external = IDS[4 + name], keccak(NAMES[name].encode())
        vouch = typed_data(
            "AME ContributorRegistry", 1, self.names.address, "Vouch",
            externalIdHash=external, holder=holder.address, recoverySeconds=0, deadline=deadline,
        )  # fmt: skip
        consent = typed_data(
            "AME ContributorRegistry", 1, self.names.address, "Bind",
            contributorId=one, holder=holder.address, payout=payout, recoverySeconds=0,
            nonce=self.names.read("nonces", holder.address), deadline=deadline,
        )  # fmt: skip
        vouched = (
            (WALLETS[0] if forged == "vouch" else REGISTRAR).sign_typed_data(full_message=vouch).signature
        )
        agreed = (
            (WALLETS[0] if forged == "consent" else holder).sign_typed_data(full_message=consent).signature
        )
        arguments = (
            REGISTRAR.address,
            external,
            holder.address,
            payout,
            0,
            deadline,
            deadline,
            vouched,
            agreed,
        )
        if one in self.registry.holders or forged:
            with pytest.raises(
                Reverted, match="AlreadyBound" if one in self.registry.holders else "InvalidSignature"
            ):
                self.names.call(OUTSIDER, "bind", *arguments)
            return
        assert self.names.call(OUTSIDER, "bind", *arguments) == one
        self.registry.holders[one], self.registry.payouts[one] = holder.address, payout


def _raise(name: str) -> None:
    raise Reverted(name)


def _falsify(stage: Stage, lie: str, first: int, second: int, by: int) -> Stage:
    """The same stage with one lie in it, where there is room for that lie."""
    ids, amounts, leaves = list(stage.leaves.ids), list(stage.leaves.cumulatives), stage.leaves
    first, second = first % len(ids), second % len(ids)
    weights, total, root, before = stage.weights, stage.weight_total, stage.weight_root, stage.before
    match lie:
        case "shift":
            moved = min(by, amounts[first])
            amounts[first] -= moved
            amounts[second] += moved
        case "inflate":
            amounts[first] += by
        case "rename":
            ids[first] = account_id(OUTSIDER)
        case "void":
            ids[first] = bytes(32)
        case "duplicate":
            ids.append(ids[first])
            amounts.append(amounts[first] // 2)
            amounts[first] -= amounts[-1]
        case "weights":
            weights = weights[1:] + weights[:1]
            root = StageWeights(weights, leaves.depth).tree.root
        case "weight total":
            total += by
        case "weight root":
            root = keccak(root)
        case "stale":
            before = before._replace(total=before.total + 1)
    leaves = Leaves(tuple(ids), tuple(amounts), max(leaves.depth, depth_for(len(ids))))
    if leaves.depth != stage.leaves.depth:
        root = StageWeights(weights, leaves.depth).tree.root
    declared = LedgerCommitment(leaves.tree.root, stage.declared.total, leaves.depth)
    if lie == "shrink depth":
        declared = declared._replace(depth=(0, 33)[by % 2])
    if lie == "stale":
        declared = declared._replace(total=declared.total + 1)
    return Stage(before, stage.before_leaves, leaves, weights, declared, root, total)
