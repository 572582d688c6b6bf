"""Attribution's first half: a pipeline is run for all coalitions that its hierarchy needs, and measured."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ame.attribution.duplicates import DuplicateSearch, find_duplicates, merge
from ame.attribution.duplicates import to_log as duplicates_to_log
from ame.attribution.game import Pipeline, PipelineGame, Progress
from ame.attribution.hierarchical import (
    DEFAULT_LIMITS,
    Limits,
    Plan,
    Tree,
    plan_hierarchy,
    solve,
    solve_exact,
)
from ame.attribution.policies import NOTED, PLAIN, Policies
from ame.attribution.policies import from_log as policies_from_log
from ame.attribution.scores import StageScores, score_stage, split_by_scores
from ame.attribution.scores import from_log as scores_from_log
from ame.attribution.scores import to_log as scores_to_log
from ame.errors import InputError, SignalError
from ame.records import Measurement

T = TypeVar("T")
# No bundle may make its auditor enumerate more than this.
LARGEST = Limits(exact_children=20, exact_coalitions=1 << 22, permutations=1 << 14)


def measure(
    pipeline: Pipeline,
    executor: Executor | None = None,
    seed: int = 0,
    *,
    limits: Limits = DEFAULT_LIMITS,
    policies: Policies = PLAIN,
    duplicates: DuplicateSearch | None = None,
    scored: Mapping[str, str] | None = None,
    cache: Path | None = None,
    on_progress: Progress | None = None,
) -> Measurement:
    """Stage table and hierarchical values of every asset, in integers and Fractions of ppm.

    Exact within `limits`, sampled within larger stages. duplicates: look for copies, which join
    `policies.clusters`. scored: stage -> method of `scores.METHODS`; such a stage is run only whole, and its value
    is split by scores of the examples that its assets hold. The same seed gives the same Measurement on any
    machine whose pipeline gives the same utilities to the ppm, whatever the executor.
    """
    _check_assets(pipeline)
    assets = pipeline.assets
    notes: list[Mapping[str, object]] = []
    if duplicates is not None:
        pairs = find_duplicates(pipeline, assets, duplicates)
        everything = [asset for stage in assets for asset in stage]
        elsewhere = tuple(group for group in policies.clusters if not set(group) & set(everything))
        policies = replace(policies, clusters=merge(policies.clusters, pairs, everything) + elsewhere)
        notes.append(duplicates_to_log(duplicates, pairs))
    found = _score(pipeline, scored or {}, policies)
    if found:
        notes.append(scores_to_log(found, dict(zip(pipeline.stages, assets, strict=True))))
    tree = getattr(pipeline, "hierarchy", None)
    if tree is not None:
        notes.append({"policy": "hierarchy", "tree": _to_json(tree)})
    if limits != DEFAULT_LIMITS:
        notes.append({"policy": "limits"} | {name: str(value) for name, value in asdict(limits).items()})
    log = (*policies.log(), *notes)
    plan = _plan(pipeline.name, pipeline.stages, assets, log, seed)
    game = PipelineGame(pipeline, executor, cache, on_progress)
    masks = [int(mask) for mask in plan.coalitions]
    values = game.values_ppm(masks)
    solved = solve_exact(plan, values)
    errors = [_round_up(error) for error in solved.standard_errors]
    scores = {one.stage: one.ppb for one in found}
    return Measurement(
        pipeline=pipeline.name,
        stages=tuple(pipeline.stages),
        assets=tuple(tuple(stage) for stage in assets),
        values_ppm=dict(zip(masks, values, strict=True)),
        inner=_inner(solved.exact_values, pipeline.stages, assets, scores),
        standard_errors=_by_stage(errors, assets),
        method=solved.method + ("+scores" if found else ""),
        seed=seed,
        evaluations=len(masks),
        inputs_sha256=pipeline.inputs_sha256,
        policies=log,
    )


def derive_inner(one: Measurement) -> tuple[tuple[Fraction, ...], ...]:
    """The assets' values once more, from a Measurement's coalitions and log alone.

    Raises KeyError where a coalition is missing that they need, InputError for a log that does not fit.
    """
    scores = scores_from_log(one.policies, dict(zip(one.stages, one.assets, strict=True)))
    plan = _plan(one.pipeline, one.stages, one.assets, one.policies, one.seed)
    values = [one.values_ppm[int(mask)] for mask in plan.coalitions]
    return _inner(solve_exact(plan, values).exact_values, one.stages, one.assets, scores)


def derive_errors(one: Measurement) -> tuple[tuple[int, ...], ...]:
    """The assets' standard errors once more, in ppm. Floats: another machine may round the last one up differently.

    Raises what derive_inner raises.
    """
    plan = _plan(one.pipeline, one.stages, one.assets, one.policies, one.seed)
    values = np.array([one.values_ppm[int(mask)] for mask in plan.coalitions], dtype=np.float64)
    errors = [_round_up(error) for error in solve(plan, values).standard_errors]
    return _by_stage(errors, one.assets)


def is_two_levels(one: Measurement) -> bool:
    """Whether its values are plain Owen values of stage -> asset, each asset a player."""
    notes = {str(entry.get("policy")) for entry in one.policies} & NOTED - {"duplicate_search"}
    return one.method == "hierarchical-exact" and not notes and not policies_from_log(one.policies).clusters


def stage_tree(
    assets: Sequence[Sequence[str]], clusters: Sequence[Sequence[str]] = (), whole: Collection[int] = ()
) -> list[Tree]:
    """The hierarchy stage -> asset, where each cluster of near-duplicates, and each stage in `whole`, is a leaf."""
    group_of = {asset: number for number, group in enumerate(clusters) for asset in group}
    tree: list[Tree] = []
    player = 0
    for number, stage in enumerate(assets):
        leaves: dict[object, set[int]] = {}
        for asset in stage:
            leaves.setdefault(number if number in whole else group_of.get(asset, asset), set()).add(player)
            player += 1
        inner: list[Tree] = [
            frozenset(leaf) if len(leaf) > 1 else next(iter(leaf)) for leaf in leaves.values()
        ]
        tree.append(inner[0] if number in whole else inner)
    return tree


def _plan(
    name: str,
    stages: Sequence[str],
    assets: Sequence[Sequence[str]],
    log: Sequence[Mapping[str, Any]],
    seed: int,
) -> Plan:
    """The plan that a log describes: the same for who measures and for who audits."""
    noted = {str(entry["policy"]): entry for entry in log if entry.get("policy") in NOTED}
    everything = [asset for stage in assets for asset in stage]
    scores = scores_from_log(log, dict(zip(stages, assets, strict=True)))
    clusters = [
        [asset for asset in group if asset in everything] for group in policies_from_log(log).clusters
    ]
    for group in clusters:
        if len({stage for stage, members in enumerate(assets) if set(group) & set(members)}) > 1:
            raise InputError(f"pipeline {name}: expected a cluster within one stage, got {group}")
    if "hierarchy" not in noted:
        whole = {number for number, stage in enumerate(stages) if stage in scores}
        tree: Tree = stage_tree(assets, clusters, whole)
    elif scores or any(clusters):
        raise InputError(f"pipeline {name}: expected neither clusters nor scores with a hierarchy of its own")
    else:
        tree = _from_json(noted["hierarchy"].get("tree"))
    limits = _limits(noted["limits"]) if "limits" in noted else DEFAULT_LIMITS
    return plan_hierarchy(tree, len(everything), limits=limits, seed=seed)


def _check_assets(pipeline: Pipeline) -> None:
    name, assets = pipeline.name, pipeline.assets
    if len(assets) != len(pipeline.stages) or not all(assets):
        raise InputError(f"pipeline {name}: expected at least one asset for each of {list(pipeline.stages)}")
    everything = [asset for stage in assets for asset in stage]
    if len(set(everything)) != len(everything):
        raise InputError(f"pipeline {name}: expected each asset once, got {sorted(everything)}")


def _score(pipeline: Pipeline, scored: Mapping[str, str], policies: Policies) -> list[StageScores]:
    for stage in scored:
        if stage not in pipeline.stages:
            raise InputError(
                f"pipeline {pipeline.name}: scores: expected one of {list(pipeline.stages)}, got {stage!r}"
            )
    return [
        score_stage(pipeline, stage, assets, scored[stage], policies.clusters)
        for stage, assets in zip(pipeline.stages, pipeline.assets, strict=True)
        if stage in scored
    ]


def _inner(
    values: Sequence[Fraction],
    stages: Sequence[str],
    assets: Sequence[Sequence[str]],
    scores: Mapping[str, Sequence[int]],
) -> tuple[tuple[Fraction, ...], ...]:
    """Per stage the assets' values; a scored stage's sum is split by its scores."""
    result: list[tuple[Fraction, ...]] = []
    for stage, parts in zip(stages, _by_stage(values, assets), strict=True):
        try:
            whole = sum(parts, Fraction(0))
            result.append(tuple(split_by_scores(whole, scores[stage])) if stage in scores else parts)
        except SignalError as error:
            raise SignalError(f"stage {stage}: {error}") from None
    return tuple(result)


def _to_json(tree: Tree) -> object:
    if isinstance(tree, int):
        return tree
    return {"cluster": sorted(tree)} if isinstance(tree, frozenset) else [_to_json(child) for child in tree]


def _from_json(told: object, depth: int = 0) -> Tree:
    if type(told) is int and 0 <= told < 1 << 16:
        return told
    if isinstance(told, Mapping) and set(told) == {"cluster"} and isinstance(told["cluster"], list | tuple):
        if all(type(one) is int for one in told["cluster"]):
            return frozenset(told["cluster"])
    elif isinstance(told, list | tuple) and depth < 32:
        return [_from_json(child, depth + 1) for child in told]
    raise InputError(
        f"policies: hierarchy: expected players, clusters and lists of them, got {str(told)[:80]}"
    )


def _limits(told: Mapping[str, Any]) -> Limits:
    try:
        limits = Limits(**{name: int(told[name]) for name in asdict(DEFAULT_LIMITS)})
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"policies: limits: expected whole numbers: {error}") from None
    for name, most in asdict(LARGEST).items():
        if not 1 <= getattr(limits, name) <= most:
            raise InputError(f"policies: limits: {name}: expected 1 to {most}, got {getattr(limits, name)}")
    return limits


def _by_stage(values: Sequence[T], assets: Sequence[Sequence[str]]) -> tuple[tuple[T, ...], ...]:
    players = iter(values)
    return tuple(tuple(next(players) for _ in stage) for stage in assets)


def _round_up(error: float) -> int:
    """A standard error in whole ppm, never understated."""
    return -int(-error // 1) if error < 2**62 else 2**62
