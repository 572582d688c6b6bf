from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ame.arithmetic import stage_amounts
from ame.encoding import keccak
from ame.errors import InputError
from ame.execution.ledger import StageLedger
from ame.execution.settlement import Books, settle
from ame.records import Allocation, AllocationLine

POOL = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
STAGES = ("data", "model", "prompt")
PEOPLE = [keccak(b"person %d" % number) for number in range(9)]


@st.composite
def allocations(draw: st.DrawFn) -> Allocation:
    values = st.integers(-(10**24), 10**24)
    table = (0, *draw(st.lists(values, min_size=6, max_size=6)), draw(st.integers(1, 10**24)))
    lines = tuple(
        tuple(
            AllocationLine(person, draw(st.integers(0 if at else 1, 10**30)))
            for at, person in enumerate(draw(st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True)))
        )
        for _ in STAGES
    )
    return Allocation(STAGES, table, lines)


def history(made: list[Allocation]) -> list[Books]:
    found: list[Books] = []
    for number, allocation in enumerate(made, 1):
        ledgers = found[-1].ledgers if found else (StageLedger(),) * len(STAGES)
        found.append(settle(allocation, ledgers, chain_id=1, pool=POOL, number=number))
    return found


HISTORIES = st.lists(allocations(), min_size=1, max_size=4)


@given(HISTORIES)
def test_a_settlement_conserves_every_unit(made: list[Allocation]) -> None:
    for allocation, books in zip(made, history(made), strict=True):
        settlement = books.settlement
        assert list(settlement.amounts) == stage_amounts(allocation.table)
        assert sum(settlement.amounts) == allocation.table[-1]
        for update, amount in zip(settlement.updates, settlement.amounts, strict=True):
            assert update.afterwards.total - update.before.total == amount
    held = sum(sum(ledger.cumulatives) for ledger in history(made)[-1].ledgers)
    assert held == sum(allocation.table[-1] for allocation in made)


@given(HISTORIES)
def test_each_settlement_stands_on_the_one_before(made: list[Allocation]) -> None:
    books = history(made)
    for before, after in pairwise(books):
        assert [update.before for update in after.settlement.updates] == [
            update.afterwards for update in before.settlement.updates
        ]


@given(HISTORIES)
def test_the_proposal_is_what_the_updates_say(made: list[Allocation]) -> None:
    books = history(made)[-1]
    table, before, stages = books.proposal
    assert tuple(table) == books.settlement.table
    for update, ledger, stage in zip(books.settlement.updates, before, stages, strict=True):
        assert ledger == update.before
        assert stage == (
            update.afterwards.root,
            update.afterwards.depth,
            update.weight_root,
            update.weight_total,
        )


def test_a_known_settlement() -> None:
    lines = ((AllocationLine(PEOPLE[0], 1), AllocationLine(PEOPLE[1], 2)), (AllocationLine(PEOPLE[0], 5),))
    allocation = Allocation(("data", "model"), (0, 30, 70, 100), lines)
    books = settle(allocation, [StageLedger()] * 2, chain_id=1, pool=POOL, number=1)
    assert books.settlement.amounts == (30, 70)
    assert [ledger.cumulatives for ledger in books.ledgers] == [(10, 20), (70,)]


def test_a_ledger_for_each_stage_is_needed() -> None:
    allocation = Allocation(("data", "model"), (0, 30, 70, 100), ((AllocationLine(PEOPLE[0], 1),),) * 2)
    with pytest.raises(InputError, match="expected a ledger for each of 2 stages, got 1"):
        settle(allocation, [StageLedger()], chain_id=1, pool=POOL, number=1)


def test_a_stage_with_money_and_nobody_to_pay_is_refused() -> None:
    allocation = Allocation(("data", "model"), (0, 30, 70, 100), ((AllocationLine(PEOPLE[0], 1),), ()))
    with pytest.raises(InputError, match="expected a positive weight to split 70 over, got 0 zero weights"):
        settle(allocation, [StageLedger()] * 2, chain_id=1, pool=POOL, number=1)


def test_settling_changes_nothing_it_was_given() -> None:
    lines = ((AllocationLine(PEOPLE[0], 1),),) * 2
    allocation = Allocation(("data", "model"), (0, 30, 70, 100), lines)
    ledger = StageLedger((PEOPLE[1],), (5,), 1)
    before = replace(ledger)
    settle(allocation, [ledger, ledger], chain_id=1, pool=POOL, number=1)
    assert ledger == before
