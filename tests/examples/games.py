"""Plain Owen values of a pipeline by enumeration, written independently of ame.attribution."""

from __future__ import annotations

import time
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits


def stage_masks(pipeline) -> list[int]:
    """Per stage the coalition of all its assets."""
    masks, first = [], 0
    for assets in pipeline.assets:
        masks.append(((1 << len(assets)) - 1) << first)
        first += len(assets)
    return masks


def everybody(pipeline) -> int:
    return sum(stage_masks(pipeline))


class Remembering:
    """The pipeline's utility, each coalition asked once."""

    def __init__(self, pipeline) -> None:
        self.pipeline, self.values = pipeline, {}

    def __call__(self, coalition: int) -> float:
        if coalition not in self.values:
            self.values[coalition] = self.pipeline.utility(coalition)
        return self.values[coalition]


def owen_values(pipeline, utility) -> dict[str, float]:
    """asset -> Owen value (Owen 1977) with the stages as unions."""
    masks, stages, values = stage_masks(pipeline), len(pipeline.stages), {}
    first = 0
    for stage, assets in enumerate(pipeline.assets):
        others = [mask for index, mask in enumerate(masks) if index != stage]
        game = np.zeros(1 << len(assets))
        for size in range(stages):
            for present in combinations(others, size):
                weight = 1 / (stages * comb(stages - 1, size))
                game += [weight * utility(sum(present) | inner << first) for inner in range(len(game))]
        for index, asset in enumerate(assets):
            without = [inner for inner in range(len(game)) if not inner >> index & 1]
            values[asset] = sum(
                (game[inner | 1 << index] - game[inner])
                / (len(assets) * comb(len(assets) - 1, inner.bit_count()))
                for inner in without
            )
        first += len(assets)
    return values


class Measured(NamedTuple):
    """Owen values, utility of every coalition that they need, and the seconds of one core that these took."""

    values: dict[str, float]
    utility: Remembering
    seconds: float


def measure(pipeline) -> Measured:
    """Everything on one BLAS thread, as AME's own executors do: the matrices are small."""
    utility, start = Remembering(pipeline), time.process_time()
    with threadpool_limits(limits=1):
        values = owen_values(pipeline, utility)
    return Measured(values, utility, time.process_time() - start)
