"""The games of the benchmark; needs numpy alone, since every peer's environment imports it."""

from __future__ import annotations

import time

import numpy as np

EVALUATIONS_PER_PLAYER = 40
REPEATS = 3


def table(players):
    return np.random.default_rng(players).random(1 << players)


def staged_function(stages, members):
    """Owen game: stages multiply, members of a stage have diminishing returns."""
    weights = np.random.default_rng(stages * members).random((stages, members)) + 0.1
    weights /= weights.sum(axis=1, keepdims=True)

    def values(present):
        inside = (np.asarray(present, dtype=float).reshape(-1, stages, members) * weights).sum(axis=2)
        return (0.3 + 0.7 * np.sqrt(inside)).prod(axis=1)

    return values


class Sampled:
    """A game for sampling: `values` of 0/1 rows and what the Shapley values truly are."""

    def __init__(self, kind, players):
        self.kind, self.players = kind, players
        self.random = np.random.default_rng([players, 7])
        self.weights = self.random.lognormal(0.0, 1.0, players)
        self.weights /= self.weights.sum()
        self.stage = np.zeros((players, 4))
        self.stage[np.arange(players), self.random.integers(0, 4, players)] = 1.0
        self.stage *= self.weights[:, None]
        self.stage /= self.stage.sum(axis=0)
        sizes = self.random.integers(1, 6, 3 * players)
        self.terms = np.zeros((players, 3 * players))
        for column, size in enumerate(sizes):
            self.terms[self.random.choice(players, size, replace=False), column] = 1.0
        self.worth = self.random.random(3 * players)
        self.costs = self.random.lognormal(0.0, 1.0, players)

    def values(self, present):
        present = np.atleast_2d(np.asarray(present, dtype=float))
        if self.kind == "unanimity":
            return (present @ self.terms > self.terms.sum(axis=0) - 0.5) @ self.worth
        if self.kind == "airport":
            return (present * self.costs).max(axis=1)
        if self.kind == "voting":
            return (present @ self.weights > 0.5).astype(float)
        return self._of_sums(present @ self._loads())

    def truth(self, orders=20_000):
        """Closed form where there is one, else the mean over many orders and their reverses."""
        if self.kind == "unanimity":
            return self.terms @ (self.worth / self.terms.sum(axis=0))
        if self.kind == "airport":
            order = np.argsort(self.costs)
            steps = np.diff(self.costs[order], prepend=0.0) / np.arange(self.players, 0, -1)
            result = np.empty(self.players)
            result[order] = np.cumsum(steps)
            return result
        random, total = np.random.default_rng(99), np.zeros(self.players)
        loads = self._loads()
        for _ in range(orders // 2):
            forward = random.permutation(self.players)
            for order in (forward, forward[::-1]):
                sums = np.vstack([np.zeros(loads.shape[1]), np.cumsum(loads[order], axis=0)])
                total[order] += np.diff(self._of_sums(sums))
        return total / (2 * (orders // 2))

    def _loads(self):
        return self.stage if self.kind == "staged" else self.weights[:, None]

    def _of_sums(self, sums):
        if self.kind == "staged":
            return (0.3 + 0.7 * np.sqrt(np.maximum(sums, 0.0))).prod(axis=1)
        if self.kind == "voting":
            return (sums[:, 0] > 0.5).astype(float)
        return np.sqrt(np.maximum(sums[:, 0], 0.0))


def neighbours_data(points, queries=100, dimensions=16):
    random = np.random.default_rng(points)
    return (
        random.normal(size=(points, dimensions)),
        random.integers(0, 10, points),
        random.normal(size=(queries, dimensions)),
        random.integers(0, 10, queries),
    )


def misplaced(values, truth):
    """Share paid to the wrong players after clipping and renormalising."""
    ours, theirs = np.maximum(values, 0.0), np.maximum(truth, 0.0)
    if ours.sum() == 0:
        return 1.0
    return float(0.5 * np.abs(ours / ours.sum() - theirs / theirs.sum()).sum())


def best_time(work, repeats=REPEATS):
    """(seconds of the fastest run, its result)."""
    best, result = float("inf"), None
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result
