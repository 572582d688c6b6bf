"""Do the pool's own events and books add up, over all settlements since its creation?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ame.audit import independent
from ame.audit.case import Case, differ, same
from ame.audit.facts import ACTIVE, PENDING, ChainFacts, PoolEvent
from ame.encoding import ZERO_ADDRESS
from ame.errors import CannotTell
from ame.records import LedgerCommitment

INITIAL = LedgerCommitment(independent.INITIAL_ROOT, 0, 1)


def history(case: Case) -> str:
    """Every settlement starts where the last active one ended, and allocates the Shapley value of its table."""
    facts = _whole(case)
    ledgers: Sequence[LedgerCommitment] = [INITIAL] * facts.terms.stage_count
    proposals = list(facts.named("Proposed"))
    numbers = [event.args["number"] for event in proposals]
    same(list(range(1, len(numbers) + 1)), numbers, "Proposed: numbers")
    same(facts.books.number, len(numbers), "status(): latest number")
    for event in proposals:
        ledgers = _follow(facts, event, ledgers)
    for stage, ledger in enumerate(ledgers):
        same(
            facts.books.commitments[stage][0],
            independent.commitment(*ledger),
            f"commitments({stage}): active",
        )
    _check_order(facts)
    return f"{len(proposals)} settlements lead from one to the next"


def _follow(
    facts: ChainFacts, event: PoolEvent, ledgers: Sequence[LedgerCommitment]
) -> Sequence[LedgerCommitment]:
    args = event.args
    where = f"Proposed({args['number']})"
    same(0, args["table"][0], f"{where}: value of nobody")
    due = independent.amounts(args["table"])
    same(list(due), list(args["amounts"]), f"{where}: amounts, the Shapley value of the table")
    for stage, (update, before, amount) in enumerate(zip(args["stages"], ledgers, due, strict=True)):
        same(before, update.before, f"{where}: stage {stage}: ledger before")
        same(before.total + amount, update.afterwards.total, f"{where}: stage {stage}: total")
        if update.afterwards.depth < before.depth:
            differ(f"a depth of at least {before.depth}", update.afterwards.depth, f"{where}: stage {stage}")
    if facts.status(args["number"]) == ACTIVE:
        return [update.afterwards for update in args["stages"]]
    return ledgers


def _check_order(facts: ChainFacts) -> None:
    places = [(event.block, event.log_index) for event in facts.events]
    for earlier, later in pairwise(places):
        if earlier >= later:
            differ(f"an event after {earlier}", later, "events: order of block and log index")
    cancelled = [event.args["number"] for event in facts.named("Cancelled")]
    if len(set(cancelled)) != len(cancelled):
        differ("each settlement cancelled at most once", sorted(cancelled), "Cancelled")


def deposits(case: Case) -> str:
    """What was deposited is allocated, pending, refunded or unallocated: nothing else."""
    facts = _whole(case)
    deposited = sum(event.args["amount"] for event in facts.named("Deposited"))
    refunded = sum(event.args["amount"] for event in facts.named("Refunded"))
    allocated, pending = _allocated(facts, ACTIVE), _allocated(facts, PENDING)
    same(pending, facts.books.pending_revenue, "pendingRevenue()")
    same(
        deposited - refunded,
        allocated + pending + facts.books.unallocated,
        "deposits less refunds, against allocated + pending + unallocated()",
    )
    return (
        f"deposits {deposited} = allocated {allocated} + pending {pending} + unallocated "
        f"{facts.books.unallocated} + refunded {refunded}"
    )


def claims(case: Case) -> str:
    """Claims add up per contributor, never beyond the ledger, and what was allocated and not paid is there to be paid.

    The pool may hold more for claims than that: anybody can send it tokens without `deposit`.
    """
    facts = _whole(case)
    paid: dict[tuple[int, bytes], int] = {}
    for event in facts.named("Claimed"):
        if event.args["stage"] >= facts.terms.stage_count:
            differ(
                f"a stage below {facts.terms.stage_count}",
                event.args["stage"],
                f"Claimed in block {event.block}",
            )
        key = (event.args["stage"], event.args["contributorId"])
        paid[key] = paid.get(key, 0) + event.args["amount"]
        where = f"Claimed in block {event.block}: 0x{key[1].hex()} in stage {key[0]}"
        same(paid[key], event.args["cumulative"], f"{where}: cumulative")
    allocated, claimed = _allocated(facts, ACTIVE), sum(paid.values())
    if facts.books.unclaimed < allocated - claimed:
        differ(
            f"at least {allocated - claimed}",
            facts.books.unclaimed,
            "unclaimed(), against allocated less claimed",
        )
    if case.number == facts.books.active_number and facts.status(case.number) == ACTIVE:
        _check_within(case, paid)
    return f"claimed {claimed} of {allocated} allocated; {facts.books.unclaimed} there for the rest"


def _check_within(case: Case, paid: dict[tuple[int, bytes], int]) -> None:
    """Nobody was paid more than the ledger of the audited settlement, the active one, holds for them."""
    due = [dict(zip(rows.ids, rows.cumulatives, strict=True)) for rows in case.ledgers]
    for (stage, contributor_id), amount in paid.items():
        if amount > due[stage].get(contributor_id, 0):
            differ(
                f"at most {due[stage].get(contributor_id, 0)}",
                amount,
                f"Claimed: 0x{contributor_id.hex()} in stage {stage}",
            )


def balance(case: Case) -> str:
    """The pool holds at least what it owes: unallocated, pending, allocated but unpaid, owed; ETH of bonds and credits."""
    facts = _whole(case)
    books = facts.books
    owed = _sum(facts, "Owed") - _sum(facts, "OwedWithdrawn")
    credits_ = _sum(facts, "CreditKept") - _sum(facts, "CreditWithdrawn")
    demands = sum(1 for _ in facts.named("Demanded")) - sum(
        1 for name in ("Answered", "DemandBondReturned") for _ in facts.named(name)
    )
    unanswered = sum(1 for event in facts.named("Cancelled") if event.args["reason"] == 4)
    bonds = facts.terms.bond_wei * books.bond_held + facts.terms.demand_bond_wei * (demands - unanswered)
    unpaid = _allocated(facts, ACTIVE) - _sum(facts, "Claimed")
    money = books.unallocated + books.pending_revenue + unpaid + owed
    of_ether = facts.terms.token == ZERO_ADDRESS
    needed = money + (bonds + credits_ if of_ether else 0)
    if facts.balance < needed:
        differ(f"at least {needed}", f"{facts.balance} ({facts.balance - needed:+d})", "balance of the pool")
    if not of_ether and facts.ether < bonds + credits_:
        differ(f"at least {bonds + credits_} wei", f"{facts.ether} wei", "ETH of bonds and credits")
    return f"holds {facts.balance}, owes {needed}"


def _sum(facts: ChainFacts, name: str) -> int:
    return sum(event.args["amount"] for event in facts.named(name))


def _allocated(facts: ChainFacts, status: str) -> int:
    return sum(
        event.args["table"][-1]
        for event in facts.named("Proposed")
        if facts.status(event.args["number"]) == status
    )


def _whole(case: Case) -> ChainFacts:
    if not case.facts.complete:
        raise CannotTell(f"events before block {case.facts.first_block} were not read")
    return case.facts
