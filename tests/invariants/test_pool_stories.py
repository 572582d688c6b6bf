"""Short lives at the edges that random ones seldom touch, on both sides as in pool_machine.py."""

from __future__ import annotations

from functools import partial

import pytest

from ame.records import MAX_AMOUNT
from tests.invariants.pool_machine import (
    ABANDON,
    ARBITER,
    CUSTOMERS,
    DEMAND_BOND,
    HOLDERS,
    IDS,
    OTHER,
    OUTSIDER,
    PERIOD,
    PoolMachine,
    _falsify,
)
from tests.invariants.test_pool_state_machine import EtherPool, TokenPool

EVEN = ([1] * len(IDS),) * 3
VALUES = [100, 50, 300, 200, 600, 500]


@pytest.fixture(params=[TokenPool, EtherPool])
def life(request: pytest.FixtureRequest) -> PoolMachine:
    machine: PoolMachine = request.param()
    machine.open_pool(EVEN, False)
    return machine


def post(life: PoolMachine, lie: str = "", first: int = 0, second: int = 1, by: int = 10) -> None:
    """Money and a settlement, with a lie in the first stage or none; pending."""
    life.deposit_some(CUSTOMERS[1], 1_000)
    table = life._table(VALUES, 1_000)
    stages = list(life._honest(table, EVEN))
    if lie:
        stages[0] = _falsify(stages[0], lie, first, second, by)
    life._post(table, stages)
    life.books_agree()


def test_answers_are_in_time_until_the_last_second_and_then_demands_cancel(life: PoolMachine) -> None:
    post(life)
    life.wait(PERIOD - 1)
    for index in (0, 1):
        life.demand(OUTSIDER, 0, index, DEMAND_BOND)
    life.wait(1)
    life.demand(OUTSIDER, 0, 2, DEMAND_BOND)  # a second late
    life.wait(PERIOD // 2 - 1)
    life.cancel_unanswered(0, 0, 1)  # a second early
    life.answer(OTHER, 0, 0, 0)
    life.wait(1)
    life.answer(OTHER, 0, 0, 1)  # a second late
    assert life.model.open_demands == 1
    life.cancel_unanswered(0, 0, 1)
    assert life.model.books.number in life.model.books.cancelled
    life.books_agree()


def test_answered_settlements_become_active_after_both_periods(life: PoolMachine) -> None:
    post(life)
    life.demand(OUTSIDER, 1, 0, DEMAND_BOND)
    life.answer(OTHER, 0, 1, 0)
    life.wait(2 * PERIOD - 1)
    life.books_agree()
    assert life.model.books.pending
    life.wait(1)
    life.books_agree()
    assert not life.model.books.pending


@pytest.mark.parametrize(
    "lie", ["shift", "rename", "void", "duplicate", "inflate", "weights", "weight total"]
)
def test_each_lie_is_slashed_by_one_of_the_proofs(life: PoolMachine, lie: str) -> None:
    uneven = ([1, 2, 3, 4, 5, 6],) * 3
    life.deposit_some(CUSTOMERS[1], 1_000)
    table = life._table(VALUES, 1_000)
    stages = list(life._honest(table, uneven))
    stages[0] = _falsify(stages[0], lie, 0, 1, 10)
    life._post(table, stages)
    proposed = life.model.books.number
    life.challenge_duplicate(0, 0, len(stages[0].leaves.ids) - 1)
    for of_weights in (False, True):
        life.challenge_total(0, of_weights)
    for index in range(8):
        life.challenge_transition(OUTSIDER, 0, index)
    life.books_agree()
    assert proposed in life.model.books.cancelled


@pytest.mark.parametrize("lie", ["stale", "shrink depth"])
def test_what_does_not_stand_on_the_active_ledger_is_refused(life: PoolMachine, lie: str) -> None:
    before = life.model.books.number
    post(life, lie)
    assert life.model.books.number == before


def test_an_active_lie_pays_nothing_beyond_what_is_unclaimed(life: PoolMachine) -> None:
    for stage in range(3):
        for index in range(4):
            life.claim(99, stage, index)
    post(life, "shift", 0, 1, MAX_AMOUNT)
    life.wait(PERIOD)
    for index in (1, 0, 2, 3):
        life.claim(99, 0, index)
        life.books_agree()


def test_refused_ether_waits_for_its_holder() -> None:
    life = EtherPool()
    life.open_pool(EVEN, False)
    life.set_payout(0, "moody", True)
    life.change_mood(True)
    index = life.model.books.active[0].ids.index(IDS[0])
    life.claim(99, 0, index)
    life.claim_many([(99, 0, index), (99, 1, life.model.books.active[1].ids.index(IDS[0]))], True)
    assert life.model.books.owed[IDS[0]]
    life.books_agree()
    life.withdraw_owed(IDS[0], False, OTHER)
    life.withdraw_owed(IDS[0], True, "moody")
    assert life.model.books.owed[IDS[0]]
    life.withdraw_owed(IDS[0], True, OTHER)
    life.withdraw_owed(IDS[0], True, OTHER)
    life.books_agree()
    assert life.registry.holder(IDS[0]) == HOLDERS[0]
    assert not life.model.books.owed[IDS[0]]


def test_demand_bonds_go_back_once(life: PoolMachine) -> None:
    post(life)
    for index in (0, 1):
        life.demand(OUTSIDER, 0, index, DEMAND_BOND)
    life.cancel(ARBITER)
    number = life.model.books.number
    for _ in range(2):
        life.reclaim_demand_bond_of(number, 0, 0)
        life.books_agree()


def test_abandoned_deposits_go_back_once_and_the_latest_first(life: PoolMachine) -> None:
    life.deposit_some(CUSTOMERS[1], 333)
    life.chain.sleep(ABANDON - 1)
    life.refund(1, 0)
    life.chain.sleep(1)
    for count, shift in ((1, 1), (0, 0), (1, 0), (3, 0), (1, 0)):
        life.refund(count, shift)
        life.books_agree()
    assert life.model.books.closed
    assert not life.model.books.unallocated


def test_what_was_spent_is_the_oldest_deposits_money(life: PoolMachine) -> None:
    post(life)
    life.wait(PERIOD)
    life.deposit_some(CUSTOMERS[1], 300)
    life.chain.sleep(ABANDON)
    deposits = life.model.books.deposits
    left = life.model.books.unallocated
    assert deposits[0][0] != deposits[-1][0]
    assert left < sum(amount for _, amount in deposits)
    life.refund(len(deposits), 0)
    life.books_agree()
    assert not life.model.books.deposits


STORIES = (
    test_answers_are_in_time_until_the_last_second_and_then_demands_cancel,
    test_answered_settlements_become_active_after_both_periods,
    test_an_active_lie_pays_nothing_beyond_what_is_unclaimed,
    test_demand_bonds_go_back_once,
    test_abandoned_deposits_go_back_once_and_the_latest_first,
    test_what_was_spent_is_the_oldest_deposits_money,
    partial(test_each_lie_is_slashed_by_one_of_the_proofs, lie="duplicate"),
    partial(test_what_does_not_stand_on_the_active_ledger_is_refused, lie="stale"),
    partial(test_what_does_not_stand_on_the_active_ledger_is_refused, lie="shrink depth"),
)
