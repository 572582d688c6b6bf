from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ame.attribution.coalitions import TableGame
from ame.attribution.exact import shapley
from ame.attribution.hierarchical import Limits, hierarchical_values, plan_hierarchy, solve_exact
from ame.errors import InputError
from tests.attribution.games import FunctionGame, unanimity

seeds = st.integers(0, 2**32)


def by_orders(table, tree, players):
    """The definition: the mean marginal over all orders in which unions stay together."""

    def orders(node):
        if isinstance(node, int):
            return [(node,)]
        found = []
        for arrangement in permutations(node):
            parts = [()]
            for child in arrangement:
                parts = [part + tail for part in parts for tail in orders(child)]
            found += parts
        return found

    total = np.zeros(players)
    every = orders(tree)
    for order in every:
        mask = 0
        for player in order:
            total[player] += table[mask | 1 << player] - table[mask]
            mask |= 1 << player
    return total / len(every)


@settings(max_examples=10, deadline=None)
@given(
    seeds,
    st.sampled_from([[[0, 1], [2, 3, 4]], [0, [1, 2], [3, 4]], [[[0, 1], 2], [3, 4]], [[0, [1, [2, 3]]], 4]]),
)
def test_values_are_means_over_orders_that_keep_unions_together(seed, tree):
    table = np.random.default_rng(seed).normal(size=32)
    assert hierarchical_values(TableGame(table), tree).values == pytest.approx(by_orders(table, tree, 5))


def test_one_level_is_shapley():
    table = np.random.default_rng(0).normal(size=256)
    assert hierarchical_values(TableGame(table), range(8)).values == pytest.approx(shapley(table))


@settings(max_examples=20)
@given(seeds)
def test_parts_sum_exactly_to_their_union(seed):
    tree = [[0, 1, [2, 3]], [4, [5, 6, 7]]]
    table = np.random.default_rng(seed).integers(-(10**6), 10**6, 256)
    plan = plan_hierarchy(tree, 8)
    values = solve_exact(plan, [int(table[mask]) for mask in plan.coalitions]).exact_values
    outer = [int(table[mask]) for mask in (0, 0x0F, 0xF0, 0xFF)]
    assert sum(values[:4]) == Fraction(outer[1] - outer[0] + outer[3] - outer[2], 2)
    assert sum(values) == outer[3] - outer[0]


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_parts_of_a_sampled_union_sum_exactly_too(seed):
    tree = [[0, 1, 2, [3, 4, 5, 6]], [7, 8]]
    table = np.random.default_rng(seed).integers(-(10**6), 10**6, 512)
    exact_plan = plan_hierarchy(tree, 9)
    plan = plan_hierarchy(tree, 9, limits=Limits(exact_children=3, permutations=16), seed=seed)
    exact_values = solve_exact(exact_plan, [int(table[mask]) for mask in exact_plan.coalitions]).exact_values
    solved = solve_exact(plan, [int(table[mask]) for mask in plan.coalitions])
    assert solved.method == "hierarchical-sampled"
    assert sum(solved.exact_values[:7]) == sum(exact_values[:7])
    assert solved.exact_values[7:] == exact_values[7:]


def test_sampled_intervals_cover():
    table = np.random.default_rng(1).normal(size=1 << 9)
    tree = [[0, 1, 2, 3, 4, 5, 6], [7, 8]]
    truth = hierarchical_values(TableGame(table), tree).values
    inside = []
    for seed in range(60):
        sampled = hierarchical_values(
            TableGame(table), tree, limits=Limits(exact_children=4, permutations=60), seed=seed
        )
        inside.append(np.abs(sampled.values - truth)[:7] <= 1.96 * sampled.standard_errors[:7])
    assert 0.90 <= np.mean(inside) <= 0.98


@pytest.mark.parametrize("members", [4, 8])
def test_owen_asks_each_coalition_once_and_no_more_than_needed(members):
    game = FunctionGame(4 * members, lambda present: present.sum(axis=1) ** 0.5)
    tree = [list(range(stage * members, (stage + 1) * members)) for stage in range(4)]
    result = hierarchical_values(game, tree)
    asked = np.vstack(game.asked)
    assert len(np.unique(asked, axis=0)) == len(asked) == result.evaluations <= 4 * 2**3 * 2**members
    assert result.values == pytest.approx([np.sqrt(4 * members) / (4 * members)] * 4 * members)


def test_splitting_oneself_takes_nothing_from_another_stage():
    table, _ = unanimity(4, {0b0011: 1.0, 0b0101: 2.0, 0b1100: 1.0})
    values = hierarchical_values(TableGame(table), [[0, 1, 2], 3]).values
    whole = shapley(np.array([table[0], table[0b0111], table[0b1000], table[0b1111]]))
    assert values[:3].sum() == pytest.approx(whole[0])


def test_a_cluster_is_one_player_and_splits_equally():
    table = np.random.default_rng(0).integers(0, 100, 16)
    game = TableGame(table)
    values = hierarchical_values(game, [frozenset({0, 1}), 2, 3]).values
    merged = shapley(np.array([table[(c & 1) * 3 | (c >> 1) << 2] for c in range(8)], dtype=float))
    assert values == pytest.approx([merged[0] / 2, merged[0] / 2, merged[1], merged[2]])


def test_more_than_64_players():
    game = FunctionGame(70, lambda present: present.sum(axis=1))
    tree = [list(range(first, first + 10)) for first in range(0, 70, 10)]
    assert hierarchical_values(game, tree).values == pytest.approx([1.0] * 70)


@pytest.mark.parametrize("tree", [[0, 1], [0, 1, 2, 2], [[0, 1, 2], []], 3])
def test_a_tree_that_does_not_hold_each_player_once_is_refused(tree):
    with pytest.raises(InputError, match="expected"):
        hierarchical_values(TableGame(np.zeros(8)), tree)


def test_a_value_that_is_not_finite_names_its_coalition():
    with pytest.raises(InputError, match="coalition 0x3: expected a finite value"):
        hierarchical_values(TableGame(np.array([0.0, 1.0, 1.0, np.nan])), [0, 1])
