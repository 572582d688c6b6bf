"""Runs coalitions of the pipelines again, sampled or all, and gives their values in ppm."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from ame.attribution.game import PipelineGame
from ame.audit.case import Case, differ
from ame.audit.reading import decoded


def rerun_of(
    pipelines: Mapping[str, Any], sample: int | None
) -> Callable[[Case], Mapping[str, Mapping[int, int]]]:
    """A rerun for `audit`: `sample` coalitions of each pipeline, or all where it is None.

    The sample is drawn with the manifest's hash as seed: nobody knew it before the numbers were published.
    """

    def run(case: Case) -> Mapping[str, Mapping[int, int]]:
        values: dict[str, Mapping[int, int]] = {}
        for name, one in sorted(decoded(lambda: case.contents.measurements).items()):
            if name not in pipelines:
                differ(
                    f"the pipeline {name} in the module", f"only {', '.join(sorted(pipelines))}", "--rerun"
                )
            pipeline = pipelines[name]
            found, where = pipeline.inputs_sha256, f"coalitions.json: {name}: inputs_sha256"
            if found != one.inputs_sha256:
                differ(one.inputs_sha256, f"{found}: other code or data than was measured", where)
            masks = sorted(one.values_ppm)
            if sample is not None and sample < len(masks):
                chance = random.Random(f"{case.contents.files.sha256} {name}")  # noqa: S311 - no secret
                masks = sorted(chance.sample(masks, sample))
            again = PipelineGame(pipeline).values_ppm(masks)
            values[name] = dict(zip(masks, again, strict=True))
        return values

    return run
