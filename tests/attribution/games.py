"""Games whose values are known in closed form, and a small pipeline; both are used by many tests."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np

from ame.attribution.coalitions import CoalitionMatrix, FloatVector, to_matrix


def rows(players: int) -> CoalitionMatrix:
    return to_matrix(np.arange(1 << players, dtype=np.uint64), players)


def airport(costs: list[float]) -> tuple[FloatVector, FloatVector]:
    """The longest runway among those present; each piece is shared by who needs it (Littlechild and Owen 1973)."""
    table = (rows(len(costs)) * np.array(costs)).max(axis=1)
    order = np.argsort(costs)
    values = np.zeros(len(costs))
    before, share = 0.0, 0.0
    for rank, player in enumerate(order):
        share += (costs[player] - before) / (len(costs) - rank)
        before = costs[player]
        values[player] = share
    return table, values


def unanimity(players: int, terms: dict[int, float]) -> tuple[FloatVector, FloatVector]:
    """sum of c [T within S]; each term is shared equally by its members (Shapley 1953)."""
    table, values = np.zeros(1 << players), np.zeros(players)
    for mask, weight in terms.items():
        table += weight * ((np.arange(1 << players) & mask) == mask)
        members = [player for player in range(players) if mask >> player & 1]
        values[members] += weight / len(members)
    return table, values


class FunctionGame:
    """A game from a vectorised function of 0/1 rows; counts what it is asked."""

    def __init__(self, players: int, function) -> None:
        self.players, self.function, self.asked = players, function, []

    def values(self, coalitions: CoalitionMatrix) -> FloatVector:
        self.asked.append(coalitions.copy())
        return self.function(coalitions.astype(float))


def concave(players: int, seed: int = 0):
    weights = np.random.default_rng(seed).lognormal(0.0, 1.0, players)
    return FunctionGame(
        players, lambda present: np.log1p(4 * (present * (weights / weights.sum())).sum(axis=1))
    )


@dataclass(frozen=True)
class SmallPipeline:
    """Two stages of 3 and 2 assets; utility with an interaction; `bad` is the coalition that fails."""

    name: str = "small"
    stages: tuple[str, ...] = ("training_data", "prompt")
    assets: tuple[tuple[str, ...], ...] = (("a", "b", "c"), ("x", "y"))
    inputs_sha256: str = "ab" * 32
    bad: int = -1
    returned: float = field(default=float("nan"))

    def utility(self, coalition: int) -> float:
        if coalition == self.bad:
            return self.returned
        data = (coalition & 7).bit_count() / 3
        prompt = (coalition >> 3).bit_count() / 2
        return 0.1 + 0.3 * data**0.5 + 0.2 * prompt + 0.4 * data * prompt * (1 + (coalition & 1))


class ThreadsPipeline(SmallPipeline):
    """Its utility is how many BLAS threads the worker may use."""

    def utility(self, coalition: int) -> float:
        from threadpoolctl import threadpool_info

        return float(max(pool["num_threads"] for pool in threadpool_info())) + 0 * os.getpid()
