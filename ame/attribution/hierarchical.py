"""Values of players in a hierarchy of any depth: Owen value for two levels, Winter value for more.

Owen (1977), "Values of games with a priori unions"; Winter (1989), "A value for cooperative games with levels
structure of cooperation". At each level the children of a union play the Shapley game in which everybody
outside the union is there or not as whole unions, level by level. The parts of a union sum exactly to the
union's value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from math import factorial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ame.attribution import exact
from ame.attribution.coalitions import (
    FloatMatrix,
    FloatVector,
    Game,
    MaskArray,
    mask_array,
    popcounts,
    to_matrix,
)
from ame.errors import InputError

# A leaf is a player or a frozenset of players (a cluster: always present together, its value split equally).
Tree: TypeAlias = "int | frozenset[int] | Sequence[Tree]"


@dataclass(frozen=True)
class Limits:
    """Where enumeration ends and sampling begins, per union."""

    exact_children: int = 12  # 4,096 coalitions of one union
    exact_coalitions: int = 1 << 20  # contexts x coalitions of one union
    permutations: int = 512  # orders drawn for a union beyond that; even, since each comes with its reverse


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class HierarchicalValues:
    """values: per player; exact_values: the same as Fractions, where the game's values are integers."""

    values: FloatVector
    standard_errors: FloatVector
    exact_values: tuple[Fraction, ...]
    evaluations: int
    method: str
    seed: int


@dataclass(frozen=True)
class _Contexts:
    """What the rest of the hierarchy does: masks (c,), each with weight numerator / denominator."""

    masks: MaskArray
    numerators: list[int]
    denominator: int
    sampled: bool


@dataclass
class _Union:
    """One inner node of the tree; it asks coalitions (c, 2^b) when exact, (orders, b+1) when sampled."""

    children: tuple[_Union | tuple[int, ...], ...]
    contexts: _Contexts
    asked: MaskArray
    orders: NDArray[np.intp] | None = None
    rows: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))


@dataclass(frozen=True)
class Plan:
    """Which coalitions a hierarchy needs, each once, in ascending order."""

    players: int
    coalitions: MaskArray
    root: _Union
    sampled: bool
    seed: int


def hierarchical_values(
    game: Game, tree: Tree, *, limits: Limits = DEFAULT_LIMITS, seed: int = 0, batch: int = 4096
) -> HierarchicalValues:
    """Owen or Winter values, float64, of `game` under `tree` (nested sequences of players, each player once).

    Unions with more children than `limits` allows are sampled; their parts still sum to the union's value.
    """
    plan = plan_hierarchy(tree, game.players, limits=limits, seed=seed)
    values = np.empty(len(plan.coalitions))
    for start in range(0, len(values), batch):
        chunk = plan.coalitions[start : start + batch]
        values[start : start + batch] = game.values(to_matrix(chunk, game.players))
    if not np.isfinite(values).all():
        where = int(plan.coalitions[int(np.argmin(np.isfinite(values)))])
        raise InputError(f"coalition {where:#x}: expected a finite value")
    return solve(plan, values)


def plan_hierarchy(tree: Tree, players: int, *, limits: Limits = DEFAULT_LIMITS, seed: int = 0) -> Plan:
    """Walk the tree and list the distinct coalitions that its values need."""
    if isinstance(tree, int | frozenset):
        raise InputError("expected a tree with at least one union")
    leaves = [player for leaf in _leaves(tree) for player in leaf]
    if sorted(leaves) != list(range(players)):
        raise InputError(f"expected a tree that holds each of {players} players once, got {sorted(leaves)}")
    planner = _Planner(players, limits, seed)
    start = _Contexts(mask_array([0], players), [1], 1, False)
    root = planner.union(tree, start)
    asked = np.concatenate([union.asked.reshape(-1) for union in planner.unions])
    coalitions, inverse = np.unique(asked, return_inverse=True)
    first = 0
    for union in planner.unions:
        union.rows = inverse.reshape(-1)[first : first + union.asked.size].reshape(union.asked.shape)
        first += union.asked.size
    sampled = any(union.orders is not None for union in planner.unions)
    return Plan(players, coalitions, root, sampled, seed)


def solve(plan: Plan, values: FloatVector) -> HierarchicalValues:
    """Float values of all players from the values of `plan.coalitions`."""
    result, errors = np.zeros(plan.players), np.zeros(plan.players)
    _solve_float(plan.root, values, None, result, errors)
    return HierarchicalValues(result, errors, (), len(values), _method(plan), plan.seed)


def solve_exact(plan: Plan, values: Sequence[int]) -> HierarchicalValues:
    """The same from integers, as Fractions: no rounding, so that parts sum to their union to the bit."""
    table = np.array([int(value) for value in values], dtype=object)
    exact_values = [Fraction(0)] * plan.players
    whole = Fraction(int(table[plan.root.rows[0, -1]]) - int(table[plan.root.rows[0, 0]]))
    _solve_fractions(plan.root, table, whole, exact_values)
    floats = solve(plan, table.astype(np.float64))
    return HierarchicalValues(
        np.array([float(value) for value in exact_values]),
        floats.standard_errors,
        tuple(exact_values),
        len(table),
        _method(plan),
        plan.seed,
    )


def _method(plan: Plan) -> str:
    return "hierarchical-sampled" if plan.sampled else "hierarchical-exact"


def _mask(tree: Tree) -> int:
    """All players below."""
    if isinstance(tree, int):
        return 1 << tree
    return sum(map(_mask, tree))


def _leaves(tree: Tree) -> list[tuple[int, ...]]:
    if isinstance(tree, int):
        return [(tree,)]
    if isinstance(tree, frozenset):
        return [tuple(sorted(tree))]
    return [leaf for child in tree for leaf in _leaves(child)]


@lru_cache(maxsize=256)
def _others(count: int, position: int) -> tuple[NDArray[np.intp], list[int]]:
    """The subsets of `count` children without the one at `position`, and in how many orders each comes first."""
    chosen = np.flatnonzero((np.arange(1 << count) >> position & 1) == 0)
    sizes = popcounts(count)[chosen].tolist()
    return chosen, [factorial(size) * factorial(count - size - 1) for size in sizes]


class _Planner:
    def __init__(self, players: int, limits: Limits, seed: int) -> None:
        self.players, self.limits, self.seed = players, limits, seed
        self.unions: list[_Union] = []

    def union(self, tree: Sequence[Tree], contexts: _Contexts) -> _Union:
        if not tree:
            raise InputError("expected unions with at least one child")
        children = [_mask(child) for child in tree]
        count = len(children)
        fits = len(contexts.masks) << min(count, 62) <= self.limits.exact_coalitions
        if count <= self.limits.exact_children and fits:
            node, inner = self._enumerate(children, contexts)
        else:
            node, inner = self._sample(children, contexts)
        self.unions.append(node)
        node.children = tuple(
            _leaves(child)[0] if isinstance(child, int | frozenset) else self.union(child, inner(position))
            for position, child in enumerate(tree)
        )
        return node

    def _enumerate(
        self, children: list[int], contexts: _Contexts
    ) -> tuple[_Union, Callable[[int], _Contexts]]:
        count = len(children)
        members = mask_array(children, self.players)
        subsets = np.zeros(1 << count, dtype=members.dtype)
        for position in range(count):
            half = 1 << position
            subsets[half : 2 * half] = subsets[:half] | members[position]

        def inner(position: int) -> _Contexts:
            chosen, weights = _others(count, position)
            return _Contexts(
                (contexts.masks[:, None] | subsets[chosen][None, :]).reshape(-1),
                [outer * weight for outer in contexts.numerators for weight in weights],
                contexts.denominator * factorial(count),
                contexts.sampled,
            )

        return _Union((), contexts, contexts.masks[:, None] | subsets[None, :]), inner

    @cached_property
    def random(self) -> np.random.Generator:
        """Needed only where a union is sampled."""
        return np.random.Generator(np.random.PCG64(self.seed))

    def _sample(self, children: list[int], contexts: _Contexts) -> tuple[_Union, Callable[[int], _Contexts]]:
        """Orders in pairs, each with its reverse, in a context drawn by its weight."""
        count, pairs = len(children), max(1, self.limits.permutations // 2)
        forward = np.array([self.random.permutation(count) for _ in range(pairs)])
        orders = np.stack([forward, forward[:, ::-1]], axis=1).reshape(2 * pairs, count)
        chance = np.array([part / contexts.denominator for part in contexts.numerators])
        drawn = np.repeat(self.random.choice(len(chance), size=pairs, p=chance / chance.sum()), 2)
        masks = mask_array(children, self.players)
        asked = np.empty((2 * pairs, count + 1), dtype=masks.dtype)
        asked[:, 0] = contexts.masks[drawn]
        for position in range(count):
            asked[:, position + 1] = asked[:, position] | masks[orders[:, position]]

        def inner(position: int) -> _Contexts:
            before = np.argmax(orders == position, axis=1)
            prefixes = asked[np.arange(len(orders)), before]
            return _Contexts(prefixes, [1] * len(orders), len(orders), True)

        return _Union((), contexts, asked, orders), inner


def _solve_float(
    union: _Union, values: FloatVector, target: float | None, result: FloatVector, errors: FloatVector
) -> None:
    """Share the union's value among its children; `target` is that value as the level above estimated it."""
    parts, errors_of_parts = _parts_float(union, values[union.rows])
    if target is not None:
        parts += (target - parts.sum()) / len(parts)
    for child, part, error in zip(union.children, parts, errors_of_parts, strict=True):
        if isinstance(child, _Union):
            _solve_float(child, values, float(part), result, errors)
        else:
            result[list(child)] = part / len(child)
            errors[list(child)] = error / len(child)


def _parts_float(union: _Union, values: FloatMatrix) -> tuple[FloatVector, FloatVector]:
    count = len(union.children)
    if union.orders is not None:
        marginals = np.empty((len(values), count))
        np.put_along_axis(marginals, union.orders, np.diff(values, axis=1), axis=1)
        pairs = marginals.reshape(-1, 2, count).mean(axis=1)
        return pairs.mean(axis=0), _standard_error(pairs)
    if union.contexts.sampled:
        each = values @ exact.shapley_matrix(count).T
        paired = each.reshape(-1, 2, count).mean(axis=1) if len(each) % 2 == 0 else each
        return each.mean(axis=0), _standard_error(paired)
    weights = np.array([part / union.contexts.denominator for part in union.contexts.numerators])
    return exact.shapley(weights @ values), np.zeros(count)


def _standard_error(samples: FloatMatrix) -> FloatVector:
    """Of the mean of independent rows; infinite for one row, which says nothing."""
    if len(samples) < 2:
        return np.full(samples.shape[1], np.inf)
    error: FloatVector = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return error


def _solve_fractions(union: _Union, values: NDArray[Any], target: Fraction, result: list[Fraction]) -> None:
    parts = _parts_fractions(union, values[union.rows])
    missing = (target - sum(parts, Fraction(0))) / len(parts)
    for child, part in zip(union.children, parts, strict=True):
        if isinstance(child, _Union):
            _solve_fractions(child, values, part + missing, result)
        else:
            for player in child:
                result[player] = (part + missing) / len(child)


def _parts_fractions(union: _Union, values: NDArray[Any]) -> list[Fraction]:
    count = len(union.children)
    if union.orders is not None:
        sums = [0] * count
        for order, gains in zip(union.orders.tolist(), np.diff(values, axis=1).tolist(), strict=True):
            for child, gain in zip(order, gains, strict=True):
                sums[child] += gain
        return [Fraction(total, len(union.orders)) for total in sums]
    averaged = np.array(union.contexts.numerators, dtype=object) @ values
    scale = union.contexts.denominator * factorial(count)
    return [Fraction(part, scale) for part in exact.shapley_numerators(averaged.tolist())]
