"""Attacks that random lives seldom come upon, on both sides as in pool_machine.py; tests/seeded lets each of them in."""

from __future__ import annotations

from functools import partial

import pytest

from tests.invariants.pool_machine import (
    ARBITER,
    CUSTOMERS,
    IDS,
    OPERATOR,
    OTHER,
    OUTSIDER,
    PERIOD,
    PoolMachine,
    Reverted,
    _falsify,
    _raise,
)
from tests.invariants.test_pool_state_machine import EtherPool, TokenPool

BOUND = ([1, 2, 3, 4, 0, 0],) * 3  # nothing for names, so that everything can be claimed
VALUES = [100, 50, 300, 200, 600, 500]


@pytest.fixture(params=[TokenPool, EtherPool])
def life(request: pytest.FixtureRequest) -> PoolMachine:
    machine: PoolMachine = request.param()
    return machine


def post(life: PoolMachine, lie: str = "", first: int = 0, second: int = 1, by: int = 1) -> None:
    """A pool with an active settlement and, pending, one with a lie in its first stage or none."""
    life.open_pool(BOUND, False)
    life.deposit_some(CUSTOMERS[1], 1_000)
    table = life._table(VALUES, 1_000)
    stages = list(life._honest(table, BOUND))
    if lie:
        stages[0] = _falsify(stages[0], lie, first, second, by)
    life._post(table, stages)


def test_strangers_neither_cancel_nor_take_the_bond(life: PoolMachine) -> None:
    post(life)
    for stranger in (OUTSIDER, OPERATOR):
        life.cancel(stranger)
    life.books_agree()
    life.wait(PERIOD)
    for stranger in (OUTSIDER, ARBITER):
        life.withdraw_bond(stranger, OTHER)
    life.books_agree()
    life.withdraw_bond(OPERATOR, OTHER)
    life.books_agree()


def test_nothing_but_the_roots_own_node_shows_a_total(life: PoolMachine) -> None:
    post(life)
    for of_weights in (False, True):
        for top in (bytes(96), bytes(range(96)), bytes(48)):
            life.both(
                lambda: _raise("InvalidEvidence"),
                OUTSIDER, "challengeTotal", life._updates(), 0, of_weights, top,
            )  # fmt: skip
    life.books_agree()


def test_no_weight_but_the_committed_one_counts(life: PoolMachine) -> None:
    post(life)
    for index in range(4):
        *shown, (weight, proof) = life._shown(0, index)
        for false in ((weight + 1, proof), (weight, proof[48:] + proof[:48]), (0, bytes(len(proof)))):
            with pytest.raises(Reverted, match=r"InvalidLeaf|MalformedProof"):
                life.pool.call(OUTSIDER, "challengeTransition", *shown, false)
    life.books_agree()


@pytest.mark.parametrize("at", range(4))
def test_one_unit_moved_is_slashed_at_either_leaf(life: PoolMachine, at: int) -> None:
    post(life, "shift", at // 2, 2 + at % 2, 1)
    number = life.model.books.number
    life.challenge_transition(OUTSIDER, 0, at // 2 if at % 2 else 2 + at % 2)
    life.books_agree()
    assert number in life.model.books.cancelled


def test_an_id_that_was_replaced_is_slashed(life: PoolMachine) -> None:
    post(life, "rename", 2)
    for index in (0, 1, 3, 2):
        life.challenge_transition(OUTSIDER, 0, index)
        life.books_agree()
    assert life.model.books.number in life.model.books.cancelled


def test_a_false_ledger_that_nobody_challenged_reaches_no_reserves(life: PoolMachine) -> None:
    life.open_pool(BOUND, False)
    for stage in range(3):
        for index in range(4):
            life.claim(99, stage, index)
    assert not life.model.books.unclaimed
    life.deposit_some(CUSTOMERS[1], 1_000)
    table = life._table(VALUES, 1_000)
    stages = list(life._honest(table, BOUND))
    stages[2] = _falsify(stages[2], "shift", 3, 0, stages[2].leaves.cumulatives[3])
    life._post(table, stages)
    life.wait(PERIOD)
    life.deposit_some(CUSTOMERS[0], 10**9)
    assert stages[2].leaves.cumulatives[0] - life.model.books.claimed[2, IDS[0]] > 1_000
    for index in (0, 3):
        life.claim(99, 2, index)
        life.claim_many([(99, 2, index)], True)
    life.books_agree()


ATTACKS = (
    test_strangers_neither_cancel_nor_take_the_bond,
    test_nothing_but_the_roots_own_node_shows_a_total,
    test_no_weight_but_the_committed_one_counts,
    partial(test_one_unit_moved_is_slashed_at_either_leaf, at=0),
    partial(test_one_unit_moved_is_slashed_at_either_leaf, at=1),
    test_an_id_that_was_replaced_is_slashed,
    test_a_false_ledger_that_nobody_challenged_reaches_no_reserves,
)
