"""The two real pipelines as games for sampling: every coalition truly run once, then kept by content hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ame.attribution import PipelineGame, process_pool
from ame.records import MICRO


def pipeline_table(name: str, kept: Path) -> np.ndarray:
    """(2^n,) utilities of one pipeline of examples/`name`; the first time takes a minute or two."""
    if name == "digits":
        from examples.digits.pipeline import PIPELINES

        pipeline = PIPELINES["lottery-posters"]
    else:
        from examples.text.pipeline import PIPELINES

        pipeline = PIPELINES["jobs-brief"]
    players = sum(map(len, pipeline.assets))
    with process_pool(2) as executor:
        game = PipelineGame(pipeline, executor, kept)
        return np.array(game.values_ppm(range(1 << players)), dtype=np.float64) / MICRO
