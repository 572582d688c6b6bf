"""Games from pipelines: a coalition is worth what the pipeline makes when truly run without the others."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from threadpoolctl import ThreadpoolController

from ame.attribution.cache import ValueCache
from ame.attribution.coalitions import CoalitionMatrix, FloatVector, to_masks
from ame.errors import InputError
from ame.records import MICRO

SMALLEST_CHUNK, LARGEST_CHUNK = 32, 256
LARGEST_UTILITY = 2**62 / MICRO
Progress = Callable[[int, int], None]  # (done, total)


class Pipeline(Protocol):
    """What `measure` asks for; must be picklable for process pools.

    A coalition has one bit per asset, in stage order; a stage without any bit uses its default substitute.
    `inputs_sha256` names everything that a value depends on: code version, data, parameters, seeds.
    """

    @property
    def name(self) -> str: ...
    @property
    def stages(self) -> tuple[str, ...]: ...
    @property
    def assets(self) -> tuple[tuple[str, ...], ...]: ...
    @property
    def inputs_sha256(self) -> str: ...
    def utility(self, coalition: int) -> float:
        """Run with this coalition and score the output."""


class Stage(NamedTuple):
    """One stage of a StagedPipeline: asset id -> content, and what stands in when none is present."""

    name: str
    contents: Mapping[str, Any]
    default: Any


@dataclass(frozen=True)
class StagedPipeline:
    """A Pipeline from parts.

    `run` gets per stage the contents that are present (or the default) and makes an output; `score` gives its
    utility.
    """

    name: str
    parts: tuple[Stage, ...]
    run: Callable[[Sequence[Any]], Any]
    score: Callable[[Any], float]
    inputs_sha256: str

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(part.name for part in self.parts)

    @property
    def assets(self) -> tuple[tuple[str, ...], ...]:
        """Per stage its asset ids."""
        return tuple(tuple(part.contents) for part in self.parts)

    def utility(self, coalition: int) -> float:
        """Run with this coalition and score the output."""
        chosen: list[Any] = []
        for part in self.parts:
            present = [content for bit, content in enumerate(part.contents.values()) if coalition >> bit & 1]
            chosen.append(tuple(present) if present else part.default)
            coalition >>= len(part.contents)
        return self.score(self.run(chosen))


class _Failure(NamedTuple):
    coalition: int
    reason: str


class PipelineGame:
    """Values of a pipeline's coalitions in integer ppm, each measured once and kept.

    executor: any `concurrent.futures.Executor` (processes, Dask's `Client.get_executor()`); None runs here.
    cache: a folder; values are kept there by content hash and survive a kill. Each worker computes with one
    BLAS thread, so that results do not depend on how many workers there are.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        executor: Executor | None = None,
        cache: Path | None = None,
        on_progress: Progress | None = None,
    ) -> None:
        self.pipeline, self.executor, self.on_progress = pipeline, executor, on_progress
        self.players = sum(len(assets) for assets in pipeline.assets)
        self.evaluations = 0
        self.known: dict[int, int] = {}
        self.store = None
        if cache is not None:
            self.store = ValueCache(cache, content_hash(pipeline))
            self.known.update(self.store.load())

    def values(self, coalitions: CoalitionMatrix) -> FloatVector:
        """Utilities of the rows, in units (not ppm), as quantised."""
        masks: list[int] = to_masks(coalitions).tolist()
        return np.array(self.values_ppm(masks), dtype=np.float64) / MICRO

    def values_ppm(self, masks: Sequence[int]) -> list[int]:
        """Utilities of these coalitions in ppm; measures the ones that are not known yet, each once."""
        missing = [mask for mask in dict.fromkeys(masks) if mask not in self.known]
        if missing:
            self._measure(missing)
        return [self.known[mask] for mask in masks]

    def _measure(self, missing: list[int]) -> None:
        chunks = _chunks(missing)
        done = 0
        if self.executor is None:
            with one_thread():
                for chunk in chunks:
                    done = self._keep(*_run(self.pipeline, chunk), done, len(missing))
            return
        futures = [self.executor.submit(_evaluate, self.pipeline, chunk) for chunk in chunks]
        try:
            for future in as_completed(futures):
                done = self._keep(*future.result(), done, len(missing))
        except BrokenExecutor as error:
            lost = [chunk for chunk, future in zip(chunks, futures, strict=True) if _is_lost(future)]
            self._rescue(futures)
            raise InputError(
                f"pipeline {self.pipeline.name}: a worker ended while it ran one of the coalitions "
                f"{_spans(lost)}: {error}"
            ) from error
        except BaseException:
            self._rescue(futures)
            raise

    def _keep(self, results: list[tuple[int, int]], failure: _Failure | None, done: int, total: int) -> int:
        self.known.update(results)
        self.evaluations += len(results)
        if self.store is not None:
            self.store.append(results)
        if failure is not None:
            raise InputError(self._describe(failure))
        if self.on_progress is not None:
            self.on_progress(done + len(results), total)
        return done + len(results)

    def _rescue(self, futures: Sequence[Future[tuple[list[tuple[int, int]], _Failure | None]]]) -> None:
        """Stop what has not begun, and keep what was finished or is being computed."""
        for future in futures:
            future.cancel()
        for future in futures:
            if future.cancelled() or future.exception() is not None:
                continue
            fresh = [pair for pair in future.result()[0] if pair[0] not in self.known]
            self._keep(fresh, None, 0, len(fresh))

    def _describe(self, failure: _Failure) -> str:
        names = [asset for assets in self.pipeline.assets for asset in assets]
        present = [name for bit, name in enumerate(names) if failure.coalition >> bit & 1]
        return (
            f"pipeline {self.pipeline.name}: coalition {failure.coalition:#x} "
            f"({', '.join(present) or 'nobody'}): {failure.reason}"
        )


def _is_lost(future: Future[Any]) -> bool:
    return future.done() and not future.cancelled() and isinstance(future.exception(), BrokenExecutor)


def _spans(chunks: list[list[int]]) -> str:
    """The chunks by their ends, at most four."""
    told = [f"{chunk[0]:#x}..{chunk[-1]:#x}" for chunk in chunks[:4]]
    return ", ".join(told) + (" and others" if len(chunks) > 4 else "")


def _chunks(missing: list[int]) -> list[list[int]]:
    """About 16 pieces of nearly the same size, each of 32 to 256 (one smaller piece where there are fewer than 32)."""
    count = max(min(16, len(missing) // SMALLEST_CHUNK), math.ceil(len(missing) / LARGEST_CHUNK), 1)
    bounds = [len(missing) * number // count for number in range(count + 1)]
    return [missing[start:stop] for start, stop in pairwise(bounds)]


def content_hash(pipeline: Pipeline) -> str:
    """SHA-256 of what a pipeline's values depend on: its name, stages, assets and inputs."""
    parts = [pipeline.name, pipeline.stages, pipeline.assets, pipeline.inputs_sha256]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()


def to_ppm(utility: object) -> int:
    """Round once, to the nearest millionth, ties to even; NaN, infinity and what is no number are refused."""
    if type(utility) is not float:  # the usual case is not looked at twice
        if isinstance(utility, bool) or not isinstance(utility, int | float | np.floating | np.integer):
            raise InputError(f"expected a number as utility, got {utility!r}")
        utility = float(utility)
    if not -LARGEST_UTILITY < utility < LARGEST_UTILITY:  # NaN is not either
        raise InputError(f"expected a finite utility below 2^62 ppm, got {utility!r}")
    return round(utility * MICRO)


def one_thread() -> AbstractContextManager[Any]:
    """BLAS and OpenMP of this process limited to one thread. Their libraries come with Python's modules, and are looked
    for again when there are more of these: looking takes milliseconds where many libraries are loaded."""
    limit: AbstractContextManager[Any] = _controller(len(sys.modules)).limit(limits=1)
    return limit


@lru_cache(maxsize=1)
def _controller(modules: int) -> ThreadpoolController:  # noqa: ARG001 the key
    return ThreadpoolController()


def _evaluate(pipeline: Pipeline, coalitions: Sequence[int]) -> tuple[list[tuple[int, int]], _Failure | None]:
    """What a worker does with a chunk."""
    with one_thread():
        return _run(pipeline, coalitions)


def _run(pipeline: Pipeline, coalitions: Sequence[int]) -> tuple[list[tuple[int, int]], _Failure | None]:
    """Values until the first failure, which is told, not raised, so that none is lost."""
    results: list[tuple[int, int]] = []
    utility = pipeline.utility
    for coalition in coalitions:
        try:
            results.append((coalition, to_ppm(utility(coalition))))
        except Exception as error:  # whatever a pipeline raises is reported with its coalition
            return results, _Failure(coalition, f"{type(error).__name__}: {error}")
    return results, None
