"""L-BFGS: a smooth function lowered step by step, along slopes and a curvature read off the latest steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ame.attribution.coalitions import FloatVector

REMEMBERED = 10  # steps from which the curvature is known


def lowered(
    loss: Callable[[FloatVector], tuple[float, FloatVector]], point: FloatVector, steps: int
) -> FloatVector:
    """A point after some steps of L-BFGS (Nocedal 1980), each of which lowers the loss or is the last.

    loss gives value and slope at a point (d,).
    """
    value, slope = loss(point)
    memory: list[tuple[FloatVector, FloatVector]] = []
    for _ in range(steps):
        step = -_curved(slope, memory)
        for _ in range(20):
            tried, (lower, bent) = point + step, loss(point + step)
            if lower <= value + 1e-4 * float(step @ slope):
                break
            step = step / 2
        else:
            break
        if float(step @ (bent - slope)) > 0.0:
            memory = [*memory, (step, bent - slope)][-REMEMBERED:]
        point, value, slope = tried, lower, bent
    return point


def _curved(slope: FloatVector, memory: list[tuple[FloatVector, FloatVector]]) -> FloatVector:
    """The slope times the inverse curvature that the steps and changes of slope in `memory` tell; at first of norm 1."""
    if not memory:
        return np.asarray(slope / max(float(np.linalg.norm(slope)), 1e-300))
    parts: list[float] = []
    for step, change in reversed(memory):
        parts.append(float(step @ slope) / float(step @ change))
        slope = slope - parts[-1] * change
    step, change = memory[-1]
    slope = slope * (float(step @ change) / float(change @ change))
    for (step, change), part in zip(memory, reversed(parts), strict=True):
        slope = slope + step * (part - float(change @ slope) / float(step @ change))
    return slope
