"""The games of the benchmark; needs numpy alone, since every peer's environment imports it.

A game for sampling is drawn once, by the project's own environment, and read by all programs from one file.
"""

from __future__ import annotations

import time

import numpy as np

EVALUATIONS_PER_PLAYER = 40
SYNTHETIC = ("diminishing", "staged", "unanimity", "airport", "voting")
STAGES = 4


def table(players):
    """A game of 2^n random values."""
    return np.random.default_rng(players).random(1 << players)


def staged_function(stages, members):
    """Owen game: stages multiply, members of a stage have diminishing returns."""
    weights = np.random.default_rng(stages * members).random((stages, members)) + 0.1
    weights /= weights.sum(axis=1, keepdims=True)

    def values(present):
        inside = (np.asarray(present, dtype=float).reshape(-1, stages, members) * weights).sum(axis=2)
        return (0.3 + 0.7 * np.sqrt(inside)).prod(axis=1)

    return values, weights


def neighbours_data(points, queries=100, dimensions=16):
    """points, labels, queries and their labels."""
    random = np.random.default_rng(points)
    return (
        random.normal(size=(points, dimensions)),
        random.integers(0, 10, points),
        random.normal(size=(queries, dimensions)),
        random.integers(0, 10, queries),
    )


def draw(kind, players, instance):
    """The numbers that make a game: whole-number weights, so that its Shapley values can be had exactly."""
    random = np.random.default_rng([players, instance, SYNTHETIC.index(kind)])
    weights = 1 + (5 * random.lognormal(0.0, 1.0, players)).astype(np.int64)
    if kind == "airport":
        return {"costs": random.lognormal(0.0, 1.0, players)}
    if kind == "unanimity":
        terms = np.zeros((players, 3 * players), dtype=np.int8)
        for column, size in enumerate(random.integers(1, 6, 3 * players)):
            terms[random.choice(players, size, replace=False), column] = 1
        return {"terms": terms, "worth": random.random(3 * players)}
    stage = random.permutation(players) % STAGES if kind == "staged" else np.zeros(players, dtype=np.int64)
    return {"weights": weights, "stage": stage}


def worth_of_sum(kind, sums, total):
    """What members of one stage, of the given weight together, contribute as a factor."""
    if kind == "voting":
        return (2 * sums > total).astype(float)
    root = np.sqrt(sums / total)
    return 0.3 + 0.7 * root if kind == "staged" else root


class Sampled:
    """A game for sampling: `values` of 0/1 rows; counts what it is asked."""

    def __init__(self, kind, numbers):
        self.kind, self.numbers, self.asked = kind, dict(numbers), 0
        first = next(iter(self.numbers.values()))
        self.players = len(first).bit_length() - 1 if kind == "table" else len(first)
        if "weights" in self.numbers:
            stages = int(self.numbers["stage"].max()) + 1
            self.loads = np.zeros((self.players, stages))
            self.loads[np.arange(self.players), self.numbers["stage"]] = self.numbers["weights"]
        if "terms" in self.numbers:
            self.terms = self.numbers["terms"].astype(float)
            self.sizes = self.terms.sum(axis=0)

    @classmethod
    def load(cls, path):
        with np.load(path) as file:
            numbers = {name: file[name] for name in file.files if name != "truth"}
        return cls(str(numbers.pop("kind")), numbers)

    def values(self, present):
        present = np.atleast_2d(np.asarray(present, dtype=float))
        self.asked += len(present)
        if self.kind == "table":
            return self.numbers["table"][(present @ (2.0 ** np.arange(self.players))).astype(np.int64)]
        if self.kind == "unanimity":
            return (present @ self.terms > self.sizes - 0.5) @ self.numbers["worth"]
        if self.kind == "airport":
            return (present * self.numbers["costs"]).max(axis=1)
        sums = present @ self.loads
        return worth_of_sum(self.kind, sums, self.loads.sum(axis=0)).prod(axis=1)


def misplaced(values, truth):
    """Share paid to the wrong players after clipping and renormalising."""
    ours, theirs = np.maximum(values, 0.0), np.maximum(truth, 0.0)
    if not np.isfinite(ours).all() or ours.sum() == 0:
        return 1.0
    return float(0.5 * np.abs(ours / ours.sum() - theirs / theirs.sum()).sum())


def best_time(work, seconds=1.0, most=200):
    """(seconds of the fastest run, its result): runs again until `seconds` are over. Whatever a program compiles at
    its first call, it has compiled before."""
    best, result, runs, begun = float("inf"), None, 0, time.perf_counter()
    while runs == 0 or (time.perf_counter() - begun < seconds and runs < most):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best, result
