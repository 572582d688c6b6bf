"""Attribution's first half: a pipeline is run for all coalitions that its hierarchy needs, and measured."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TypeVar

from ame.attribution.game import Pipeline, PipelineGame, Progress
from ame.attribution.hierarchical import DEFAULT_LIMITS, Limits, Plan, Tree, plan_hierarchy, solve_exact
from ame.attribution.policies import PLAIN, Policies
from ame.errors import InputError
from ame.records import Measurement

T = TypeVar("T")


def measure(
    pipeline: Pipeline,
    executor: Executor | None = None,
    seed: int = 0,
    *,
    limits: Limits = DEFAULT_LIMITS,
    policies: Policies = PLAIN,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> Measurement:
    """Stage table and hierarchical values of every asset, in integers and Fractions of ppm.

    Exact within `limits`, sampled within larger stages. The same seed gives the same Measurement on any
    machine whose pipeline gives the same utilities to the ppm, whatever the executor.
    """
    plan = _plan(pipeline, limits, policies, seed)
    game = PipelineGame(pipeline, executor, cache, on_progress)
    masks = [int(mask) for mask in plan.coalitions]
    values = game.values_ppm(masks)
    solved = solve_exact(plan, values)
    errors = [_round_up(error) for error in solved.standard_errors]
    return Measurement(
        pipeline=pipeline.name,
        stages=tuple(pipeline.stages),
        assets=tuple(tuple(assets) for assets in pipeline.assets),
        values_ppm=dict(zip(masks, values, strict=True)),
        inner=_by_stage(solved.exact_values, pipeline.assets),
        standard_errors=_by_stage(errors, pipeline.assets),
        method=solved.method,
        seed=seed,
        evaluations=len(masks),
        inputs_sha256=pipeline.inputs_sha256,
        policies=policies.log(),
    )


def stage_tree(assets: Sequence[Sequence[str]], clusters: Sequence[Sequence[str]] = ()) -> list[list[Tree]]:
    """The hierarchy stage -> asset, where each cluster of near-duplicates is one leaf."""
    group_of = {asset: number for number, group in enumerate(clusters) for asset in group}
    tree: list[list[Tree]] = []
    player = 0
    for stage in assets:
        leaves: dict[object, set[int]] = {}
        for asset in stage:
            leaves.setdefault(group_of.get(asset, asset), set()).add(player)
            player += 1
        tree.append([frozenset(leaf) if len(leaf) > 1 else next(iter(leaf)) for leaf in leaves.values()])
    return tree


def _plan(pipeline: Pipeline, limits: Limits, policies: Policies, seed: int) -> Plan:
    name, assets = pipeline.name, pipeline.assets
    if len(assets) != len(pipeline.stages) or not all(assets):
        raise InputError(f"pipeline {name}: expected at least one asset for each of {list(pipeline.stages)}")
    everything = [asset for stage in assets for asset in stage]
    if len(set(everything)) != len(everything):
        raise InputError(f"pipeline {name}: expected each asset once, got {sorted(everything)}")
    here = [tuple(asset for asset in group if asset in everything) for group in policies.clusters]
    for group in here:
        if len({stage for stage, members in enumerate(assets) if set(group) & set(members)}) > 1:
            raise InputError(f"pipeline {name}: expected a cluster within one stage, got {list(group)}")
    tree: Tree = getattr(pipeline, "hierarchy", None) or stage_tree(assets, here)
    return plan_hierarchy(tree, len(everything), limits=limits, seed=seed)


def _by_stage(values: Sequence[T], assets: Sequence[Sequence[str]]) -> tuple[tuple[T, ...], ...]:
    players = iter(values)
    return tuple(tuple(next(players) for _ in stage) for stage in assets)


def _round_up(error: float) -> int:
    """A standard error in whole ppm, never understated."""
    return -int(-error // 1) if error < 2**62 else 2**62
