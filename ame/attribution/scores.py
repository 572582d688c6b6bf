"""Stages with too much inside to run coalitions of: their assets are valued by scores of the examples they hold.

The stage as a whole keeps its Shapley value from truly run coalitions; scores only split it. They are made
once, become integers, and stand in the Measurement's log, from which anyone can redo the split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ame.attribution.coalitions import FloatMatrix, FloatVector
from ame.attribution.influence import gradient_influence, traced_influence
from ame.attribution.knn import by_provider, knn_shapley
from ame.errors import InputError, SignalError

PARTS = 10**9  # scores are rounded once, to parts per billion of the sum of their sizes


@dataclass(frozen=True)
class Examples:
    """A stage's examples in an embedding. owners (n,): place of the asset in its stage; points (n, d), labels
    (n,); queries (q, d) with query_labels (q,) are what a good stage should tell rightly."""

    owners: NDArray[np.integer[Any]]
    points: FloatMatrix
    labels: NDArray[Any]
    queries: FloatMatrix
    query_labels: NDArray[Any]
    neighbours: int = 5


@dataclass(frozen=True)
class Gradients:
    """Gradients of the loss per example. owners (n,); checkpoints: (training (n, p), queries (q, p), learning
    rate), the trained model last."""

    owners: NDArray[np.integer[Any]]
    checkpoints: tuple[tuple[FloatMatrix, FloatMatrix, float], ...]
    damping: float = 0.1


class ScoredPipeline(Protocol):
    """What a pipeline offers besides `utility`, for the methods that it supports."""

    def examples(self, stage: str) -> Examples:
        """For `knn-shapley`."""

    def gradients(self, stage: str) -> Gradients:
        """For `gradient-influence` and `traced-influence`."""


METHODS = {"knn-shapley": "examples", "gradient-influence": "gradients", "traced-influence": "gradients"}


@dataclass(frozen=True)
class StageScores:
    """ppb: one integer per asset, in parts per billion of the sum of their sizes; may be negative."""

    stage: str
    method: str
    examples: int
    parameters: Mapping[str, str]
    ppb: tuple[int, ...]


def score_stage(
    pipeline: object, stage: str, assets: Sequence[str], method: str, clusters: Sequence[Sequence[str]] = ()
) -> StageScores:
    """Score a stage's assets by `method`.

    Of each cluster of duplicates only the member with the most examples (the first of these) is scored, and
    its score is split equally among all members, so that copies gain nothing.
    """
    if method not in METHODS:
        raise InputError(f"stage {stage}: expected a method of {sorted(METHODS)}, got {method!r}")
    offer = getattr(pipeline, METHODS[method], None)
    if offer is None:
        raise InputError(
            f"stage {stage}: {method} needs a pipeline with {METHODS[method]}(stage), this one has none"
        )
    data = offer(stage)
    owners = np.asarray(data.owners)
    if owners.ndim != 1 or not len(owners) or owners.min() < 0 or owners.max() >= len(assets):
        raise InputError(f"stage {stage}: expected an owner from 0 to {len(assets) - 1} for each example")
    groups = _groups(assets, clusters, np.bincount(owners, minlength=len(assets)))
    kept = np.isin(owners, list(groups))
    values, parameters = _values(data, method, kept)
    summed = by_provider(values, owners[kept], len(assets))
    size = float(np.abs(summed).sum())
    if size == 0.0 or not np.isfinite(size):
        raise SignalError(f"stage {stage}: expected a score other than zero, got {summed.tolist()}")
    ppb = [0] * len(assets)
    for first, members in groups.items():
        parts = round(float(summed[first]) / size * PARTS)
        for rank, member in enumerate(members):  # telescoping, so that they sum to the group's score
            ppb[member] = parts * (rank + 1) // len(members) - parts * rank // len(members)
    return StageScores(stage, method, int(kept.sum()), parameters, tuple(ppb))


def split_by_scores(value: Fraction, ppb: Sequence[int]) -> list[Fraction]:
    """The stage's value in proportion to the positive scores; sums to it exactly.

    Scores below zero count as zero here, and keep their sign in the log: at a trained optimum influences sum to about
    zero, so that a split in proportion to signed ones would be arbitrarily large. A stage whose value is not
    positive is split equally: in proportion, whose data did most good would be charged most. Raises SignalError
    where no score is positive.
    """
    positive = [max(part, 0) for part in ppb]
    total = sum(positive)
    if total == 0:
        raise SignalError(f"expected a positive score, got {list(ppb)} parts per billion")
    if value <= 0:
        return [value / len(ppb)] * len(ppb)
    return [value * part / total for part in positive]


def to_log(scores: Sequence[StageScores], assets: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """The policy record that tells all of it."""
    return {
        "policy": "stage_scores",
        "stages": [
            {
                "stage": one.stage,
                "method": one.method,
                "examples": str(one.examples),
                "parameters": dict(one.parameters),
                "scores_ppb": {
                    asset: str(part) for asset, part in zip(assets[one.stage], one.ppb, strict=True)
                },
            }
            for one in scores
        ],
    }


def from_log(log: Iterable[Mapping[str, Any]], assets: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """Stage -> scores of its assets in ppb, as a log tells them."""
    found: dict[str, list[int]] = {}
    for entry in log:
        if entry.get("policy") != "stage_scores":
            continue
        try:
            for one in entry["stages"]:
                names, told = assets[one["stage"]], one["scores_ppb"]
                if set(told) != set(names) or one["stage"] in found or one["method"] not in METHODS:
                    raise InputError("expected each asset of each stage once, and a known method")
                found[one["stage"]] = [int(told[name]) for name in names]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"policies: stage_scores: expected complete scores: {error}") from None
    return found


def _values(data: Any, method: str, kept: NDArray[np.bool_]) -> tuple[FloatVector, dict[str, str]]:
    if method == "knn-shapley":
        values = knn_shapley(
            np.asarray(data.points)[kept],
            np.asarray(data.labels)[kept],
            data.queries,
            data.query_labels,
            data.neighbours,
        )
        return values, {"neighbours": str(data.neighbours), "queries": str(len(data.queries))}
    checkpoints = [
        (np.asarray(training)[kept], queries, rate) for training, queries, rate in data.checkpoints
    ]
    if not checkpoints:
        raise InputError("expected at least one checkpoint")
    training, queries, _ = checkpoints[-1]
    told = {"checkpoints": str(len(checkpoints)), "queries": str(len(queries))}
    if method == "traced-influence":
        return traced_influence(checkpoints), told
    return gradient_influence(training, queries, data.damping), told | {"damping": str(data.damping)}


def _groups(
    assets: Sequence[str], clusters: Sequence[Sequence[str]], examples: NDArray[np.intp]
) -> dict[int, list[int]]:
    """Place of who is scored -> places of those who share it."""
    place = {asset: number for number, asset in enumerate(assets)}
    alone, groups = set(range(len(assets))), {}
    for cluster in clusters:
        members = sorted(place[asset] for asset in cluster if asset in place)
        if members:
            groups[max(members, key=lambda one: (examples[one], -one))] = members
            alone -= set(members)
    return groups | {one: [one] for one in sorted(alone)}
