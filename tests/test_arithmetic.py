from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ame.arithmetic import shapley_numerators, stage_amounts, telescoping_split
from ame.errors import InputError
from ame.records import MAX_AMOUNT

AMOUNTS = st.integers(0, MAX_AMOUNT)
WEIGHTS = st.lists(st.integers(0, MAX_AMOUNT), min_size=1, max_size=40).filter(any)


def tables(players: int) -> st.SearchStrategy[list[int]]:
    inner = st.lists(st.integers(-MAX_AMOUNT, MAX_AMOUNT), min_size=2**players - 2, max_size=2**players - 2)
    return st.tuples(inner, st.integers(1, MAX_AMOUNT)).map(lambda drawn: [0, *drawn[0], drawn[1]])


GAMES = st.integers(1, 5).flatmap(tables)


@given(AMOUNTS, WEIGHTS)
def test_parts_add_up_exactly_and_are_within_one_unit(amount: int, weights: list[int]) -> None:
    parts = telescoping_split(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert part >= 0
        assert abs(part - Fraction(amount * weight, sum(weights))) < 1


@given(AMOUNTS, WEIGHTS, st.integers(1, 10**6))
def test_a_split_does_not_depend_on_the_weights_scale(amount: int, weights: list[int], scale: int) -> None:
    assert telescoping_split(amount, [weight * scale for weight in weights]) == telescoping_split(
        amount, weights
    )


@given(AMOUNTS, WEIGHTS)
def test_weight_zero_gets_nothing_and_changes_nothing(amount: int, weights: list[int]) -> None:
    spread = [value for weight in weights for value in (0, weight)]
    parts = telescoping_split(amount, spread)
    assert not any(parts[::2])
    assert parts[1::2] == telescoping_split(amount, weights)


def test_a_known_split() -> None:
    assert telescoping_split(10, [1, 1, 1]) == [3, 3, 4]


def test_nothing_can_be_split_over_nothing() -> None:
    assert telescoping_split(0, [0, 0]) == [0, 0]
    assert telescoping_split(0, []) == []


@pytest.mark.parametrize(
    ("amount", "weights", "message"),
    [
        (1, [0, 0], "expected a positive weight to split 1 over, got 2 zero weights"),
        (1, [], "expected a positive weight to split 1 over, got 0 zero weights"),
        (-1, [1], "expected an amount and weights of at least 0"),
        (1, [2, -1], "expected an amount and weights of at least 0"),
    ],
)
def test_a_split_refuses(amount: int, weights: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        telescoping_split(amount, weights)


def by_orders(table: list[int]) -> list[int]:
    """The definition: the sum over all orders of what each player adds."""
    players = len(table).bit_length() - 1
    sums = [0] * players
    for order in permutations(range(players)):
        coalition = 0
        for player in order:
            sums[player] += table[coalition | 1 << player] - table[coalition]
            coalition |= 1 << player
    return sums


@given(GAMES)
def test_numerators_are_the_sum_over_all_orders(table: list[int]) -> None:
    assert shapley_numerators(table) == by_orders(table)


@given(st.lists(st.integers(-(10**30), 10**30), min_size=1, max_size=5))
def test_an_additive_game_gives_each_its_own(worth: list[int]) -> None:
    table = [
        sum(value for player, value in enumerate(worth) if coalition >> player & 1)
        for coalition in range(1 << len(worth))
    ]
    factorial = len(list(permutations(worth)))
    assert shapley_numerators(table) == [value * factorial for value in worth]


@given(GAMES)
def test_numerators_add_up_to_the_whole(table: list[int]) -> None:
    players = len(table).bit_length() - 1
    assert sum(shapley_numerators(table)) == table[-1] * len(list(permutations(range(players))))


def test_symmetric_players_get_the_same() -> None:
    first, second, third = shapley_numerators([0, 5, 5, 9, 1, 7, 7, 12])
    assert first == second != third


@pytest.mark.parametrize("size", [0, 1, 3, 6])
def test_numerators_refuse_what_is_no_game(size: int) -> None:
    with pytest.raises(InputError, match=rf"expected a table of 2\^n values with n >= 1, got {size}"):
        shapley_numerators([0] * size)


@given(GAMES)
def test_stage_amounts_add_up_to_the_revenue_and_negative_stages_get_nothing(table: list[int]) -> None:
    amounts = stage_amounts(table)
    assert sum(amounts) == table[-1]
    for amount, value in zip(amounts, shapley_numerators(table), strict=True):
        assert amount >= 0
        assert value > 0 or amount == 0


def test_a_negative_stage_gets_nothing_and_the_others_share() -> None:
    assert stage_amounts([0, 100, -60, 40]) == [40, 0]


@pytest.mark.parametrize("table", [[], [1, 2], [0, 0], [0, -1], [0, 5, 5, 0]])
def test_stage_amounts_refuse_a_table_without_revenue(table: list[int]) -> None:
    with pytest.raises(InputError, match="starts with 0 and ends with a positive revenue"):
        stage_amounts(table)


def test_where_the_revenue_is_positive_some_stage_is() -> None:
    assert stage_amounts([0, -5, 100, 1]) == [0, 1]
