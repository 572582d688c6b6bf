"""Commands `ame attribute` and `ame evaluate`."""

from __future__ import annotations

import json
import math
import sys
from contextlib import nullcontext
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ame.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ame.attribution.game import Pipeline
    from ame.records import Measurement


@click.command()
@click.argument("pipeline")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder."
)
@click.option(
    "--usage", type=click.Path(path_type=Path), help="Sales (.csv or .jsonl); with them, shares are written."
)
@click.option("--only", multiple=True, help="Name of a pipeline; all of the module where none is given.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="For stages that are sampled."
)
@click.option("--cache", type=click.Path(path_type=Path, file_okay=False), help="Keep measured values here.")
@click.option("--alpha", default="0", show_default=True, help="Egalitarian mixture, 0 to 1, such as 1/10.")
@click.option("--minimum-signal", default="0", show_default=True, help="In standard errors.")
@click.option(
    "--cluster", "clusters", multiple=True, help="Assets that count as one, such as a,b; repeatable."
)
@click.option("--find-duplicates", is_flag=True, help="Look for copies, by content hash and by embedding.")
@click.option(
    "--similarity", default="99/100", show_default=True, help="Cosine from which two items are alike."
)
@click.option("--overlap", default="9/10", show_default=True, help="Part of each asset found in the other.")
@click.option(
    "--score",
    "scores",
    multiple=True,
    help="STAGE=METHOD: split a stage by knn-shapley, gradient-influence or traced-influence; repeatable.",
)
def attribute(
    pipeline: str,
    output: Path,
    usage: Path | None,
    only: tuple[str, ...],
    workers: int,
    seed: int,
    cache: Path | None,
    alpha: str,
    minimum_signal: str,
    clusters: tuple[str, ...],
    find_duplicates: bool,
    similarity: str,
    overlap: str,
    scores: tuple[str, ...],
) -> None:
    """Measure the PIPELINES of the Python module PIPELINE; write coalitions.json, and shares.json with
    --usage."""
    from rich.console import Console

    from ame.attribution.duplicates import DuplicateSearch
    from ame.attribution.measure import measure
    from ame.attribution.policies import Policies
    from ame.attribution.progress import progress_bar
    from ame.attribution.shares import shares
    from ame.attribution.usage import read_usage
    from ame.attribution.workers import process_pool
    from ame.bundle import encode_measurements, encode_shares

    pipelines = _load(pipeline, only)
    sales = None if usage is None else read_usage(usage, pipelines)
    policies = Policies(
        egalitarian_alpha=_fraction(alpha, "--alpha"),
        minimum_signal=_fraction(minimum_signal, "--minimum-signal"),
        clusters=_clusters(clusters, pipelines),
    )
    search = DuplicateSearch(_fraction(similarity, "--similarity"), _fraction(overlap, "--overlap"))
    scored = _scores(scores)
    console = Console(stderr=True)
    measurements: dict[str, Measurement] = {}
    with process_pool(workers) if workers > 1 else nullcontext() as executor:
        for name, one in pipelines.items():
            with progress_bar(name, console) as moved:
                measurements[name] = measure(
                    one,
                    executor,
                    seed,
                    policies=policies,
                    duplicates=search if find_duplicates else None,
                    scored=scored,
                    cache=cache,
                    on_progress=moved,
                )
    files = {"coalitions.json": encode_measurements(measurements)}
    if sales is not None:
        files["shares.json"] = encode_shares(shares(measurements, sales))
    output.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (output / file).write_bytes(content)
    _tell(measurements, sorted(files), output)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def evaluate(as_json: bool) -> None:
    """Compare rules of division with what people thought fair in 27 games (d'Eon and Larson 2020)."""
    from rich.console import Console
    from rich.table import Table

    from ame.attribution.evaluate import evaluate as judge

    scores = judge()
    if as_json:
        rows = [
            {**score._asdict(), "correlation": None if math.isnan(score.correlation) else score.correlation}
            for score in scores
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table(title="Rules against human reward divisions (27 games, mean answers)")
    for column in ("rule", "total variation", "mean abs. error (of 60)", "correlation"):
        table.add_column(column, justify="left" if column == "rule" else "right")
    for score in scores:
        correlation = "-" if math.isnan(score.correlation) else f"{score.correlation:.2f}"
        table.add_row(
            score.rule,
            f"{score.total_variation:.1%}",
            f"{score.mean_absolute_error:.2f}",
            correlation,
        )
    console = Console()
    console.print(table)
    for score in scores:
        if score.note:
            console.print(f"{score.rule}: {score.note}", highlight=False)


def _load(module: str, only: tuple[str, ...]) -> Mapping[str, Pipeline]:
    sys.path.insert(0, str(Path.cwd()))
    try:
        pipelines: Mapping[str, Pipeline] = import_module(module).PIPELINES
    except (ImportError, AttributeError) as error:
        if "/" in module or module.endswith(".py"):
            name = ".".join(Path(module).with_suffix("").parts)
            raise InputError(f"expected a module name such as {name}, got {module!r}") from None
        raise InputError(f"expected a module with PIPELINES, got {module!r}: {error}") from None
    finally:
        sys.path.pop(0)
    for name in only:
        if name not in pipelines:
            raise InputError(f"--only: expected one of {', '.join(pipelines)}, got {name!r}")
    return {name: one for name, one in pipelines.items() if not only or name in only}


def _clusters(words: tuple[str, ...], pipelines: Mapping[str, Pipeline]) -> tuple[tuple[str, ...], ...]:
    known = {asset for one in pipelines.values() for stage in one.assets for asset in stage}
    groups = tuple(tuple(part.strip() for part in word.split(",")) for word in words)
    for group in groups:
        if len(set(group)) != len(group) or len(group) < 2 or not set(group) <= known:
            raise InputError(
                f"--cluster: expected two or more assets of the pipelines, got {','.join(group)!r}"
            )
    everybody = [asset for group in groups for asset in group]
    if len(set(everybody)) != len(everybody):
        raise InputError("--cluster: expected each asset in at most one cluster")
    return groups


def _scores(words: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        stage, equals, method = word.partition("=")
        if not (stage and equals and method) or stage in found:
            raise InputError(f"--score: expected STAGE=METHOD, each stage once, got {word!r}")
        found[stage] = method
    return found


def _fraction(text: str, option: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{option}: expected a number such as 0.1 or 1/10, got {text!r}") from None


def _tell(measurements: Mapping[str, Measurement], files: list[str], output: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{', '.join(files)} in {output}")
    for column in ("pipeline", "stage", "asset", "value (ppm)", "standard error"):
        table.add_column(column, justify="left" if column in ("pipeline", "stage", "asset") else "right")
    for measurement in measurements.values():
        for stage, assets, values, errors in zip(
            measurement.stages,
            measurement.assets,
            measurement.inner,
            measurement.standard_errors,
            strict=True,
        ):
            for asset, value, error in zip(assets, values, errors, strict=True):
                shown = f"{float(value):,.0f}"
                table.add_row(measurement.pipeline, stage, asset, shown, f"{error:,}" if error else "exact")
    console = Console()
    console.print(table)
    for measurement in measurements.values():
        for line in _acting(measurement):
            console.print(f"{measurement.pipeline}: {line}", markup=False, highlight=False)


def _acting(measurement: Measurement) -> list[str]:
    """What acts, or will act, on the values above: no policy is silent."""
    from ame.attribution.policies import from_log

    policies, lines = (
        from_log(measurement.policies),
        ["policy: negative values count as zero when money follows"],
    )
    if policies.egalitarian_alpha:
        lines.append(f"policy: egalitarian mixture, alpha {policies.egalitarian_alpha}")
    if policies.minimum_signal:
        lines.append(f"policy: values below {policies.minimum_signal} standard errors count as zero")
    lines += [f"policy: one player: {', '.join(group)}" for group in policies.clusters]
    for entry in measurement.policies:
        if entry["policy"] == "duplicate_search":
            pairs: Any = entry["pairs"]
            lines += [f"duplicates: {' and '.join(pair['assets'])}: {pair['because']}" for pair in pairs]
            lines += [] if pairs else ["duplicates: none found"]
        if entry["policy"] == "stage_scores":
            stages: Any = entry["stages"]
            lines += [
                f"stage {one['stage']}: split by {one['method']} of {one['examples']} examples"
                for one in stages
            ]
    return lines
