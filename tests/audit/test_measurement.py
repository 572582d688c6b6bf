"""What stands behind the numbers: hierarchies of any depth, error bars, and pipelines that are run again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from click.testing import CliRunner

from ame.attribution.hierarchical import Limits
from ame.attribution.measure import measure
from ame.audit import number_checks
from ame.audit.case import Case, run
from ame.audit.commands import audit
from ame.audit.reading import Contents, read_files
from ame.audit.report import Check, Verdict
from ame.bundle import BUNDLE_FORMAT, encode_measurements
from ame.records import Measurement


def published(folder: Path, *measurements: Measurement) -> Path:
    """A bundle of nothing but coalitions.json."""
    data = encode_measurements({one.pipeline: one for one in measurements})
    folder.mkdir(exist_ok=True)
    (folder / "coalitions.json").write_bytes(data)
    part = {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
    manifest = {
        "format": BUNDLE_FORMAT, "chain_id": "1", "pool": "0x", "number": "1", "previous": None,
        "created_by": {}, "parts": {"coalitions.json": part},
    }  # fmt: skip
    (folder / "manifest.json").write_bytes(rfc8785.dumps(manifest))
    return folder


def checked(folder: Path, one: Measurement) -> Check:
    case = Case(Contents(read_files(published(folder, one))), None)
    return run("measurement", lambda: number_checks.measurement(case))


def first_plus(one: Measurement, name: str, by: Any) -> Measurement:
    """`by` more for the first asset of the first stage."""
    [first, *rest], *others = getattr(one, name)
    return replace(one, **{name: ((first + by, *rest), *others)})


@dataclass(frozen=True)
class Owners:
    """Owner -> asset -> shard: five shards of three data sets of two owners, and two models."""

    name: str = "owners"
    stages: tuple[str, ...] = ("data", "model")
    assets: tuple[tuple[str, ...], ...] = (("a/1/x", "a/1/y", "a/2/x", "b/1/x", "b/1/y"), ("m", "n"))
    inputs_sha256: str = "00" * 32

    @property
    def hierarchy(self) -> Any:
        return [[[[0, 1], 2], [[3, 4]]], [5, 6]]

    def utility(self, coalition: int) -> float:
        worth = (0.11, 0.07, 0.13, 0.05, 0.19, 0.3, 0.02)
        total = sum(part for player, part in enumerate(worth) if coalition >> player & 1)
        return total + 0.05 * (coalition & 0b1001 == 0b1001) - 0.02 * (coalition & 0b100010 == 0b100010)


@pytest.mark.parametrize("limits", [None, Limits(2, 8, 8)], ids=["exact", "sampled"])
def test_a_hierarchy_deeper_than_assets_is_derived_again(tmp_path: Path, limits: Limits | None) -> None:
    one = measure(Owners()) if limits is None else measure(Owners(), limits=limits, seed=3)
    check = checked(tmp_path, one)
    assert check.verdict is Verdict.TRUE, check.found
    check = checked(tmp_path, first_plus(one, "inner", Fraction(1, 7)))
    assert check.verdict is Verdict.FALSE
    assert check.where == "coalitions.json: owners: inner value of a/1/x in data, in ppm"


def test_another_hierarchy_than_was_measured_is_false(tmp_path: Path) -> None:
    one = measure(Owners())
    flat = tuple(
        {**entry, "tree": [[0, 1, 2, 3, 4], [5, 6]]} if entry["policy"] == "hierarchy" else entry
        for entry in one.policies
    )
    assert checked(tmp_path, replace(one, policies=flat)).verdict is not Verdict.TRUE
    without = tuple(entry for entry in one.policies if entry["policy"] != "hierarchy")
    assert checked(tmp_path, replace(one, policies=without)).verdict is not Verdict.TRUE


@pytest.mark.parametrize("limits", [None, Limits(2, 8, 8)], ids=["exact", "sampled"])
def test_a_prettier_error_bar_is_false(tmp_path: Path, limits: Limits | None) -> None:
    one = measure(Owners()) if limits is None else measure(Owners(), limits=limits, seed=3)
    check = checked(tmp_path, first_plus(one, "standard_errors", 2))
    assert check.verdict is Verdict.FALSE
    assert check.where == "coalitions.json: owners: standard error of a/1/x, in ppm"


MODULES = {"examples.digits.pipeline": "lottery-posters", "examples.text.pipeline": None}


@pytest.mark.parametrize(
    "module", ["examples.digits.pipeline", pytest.param("examples.text.pipeline", marks=pytest.mark.deep)]
)
def test_a_pipeline_is_run_again_and_a_false_value_found(tmp_path: Path, module: str) -> None:
    """Of each example: sampled and all coalitions hold; one value that is a ppm off is named."""
    pipelines: Mapping[str, Any] = import_module(module).PIPELINES
    name = MODULES[module] or min(pipelines)
    one = measure(pipelines[name])
    honest = published(tmp_path / "honest", one)
    for options in (["--sample", "5"], ["--all"]):
        check = rerun(honest, module, *options)
        assert check["verdict"] == "true", check["found"]
        count = len(one.values_ppm) if options == ["--all"] else 5
        assert check["found"] == f"{count} coalitions run again give the same values"
    mask = sorted(one.values_ppm)[len(one.values_ppm) // 2]
    false = replace(one, values_ppm={**one.values_ppm, mask: one.values_ppm[mask] + 1})
    check = rerun(published(tmp_path / "false", false), module, "--all")
    assert check["verdict"] == "false"
    assert check["where"] == f"coalitions.json: {name}: value of {mask:#x} in ppm, run again"
    assert (int(check["expected"]), int(check["found"])) == (one.values_ppm[mask], one.values_ppm[mask] + 1)


def test_other_code_or_data_than_was_measured_is_said(tmp_path: Path) -> None:
    pipelines = import_module("examples.digits.pipeline").PIPELINES
    one = measure(Owners())
    name = min(pipelines)
    check = rerun(published(tmp_path / "x", replace(one, pipeline=name)), "examples.digits.pipeline", "--all")
    assert check["verdict"] == "false"
    assert "other code or data than was measured" in check["found"]
    check = rerun(published(tmp_path / "y", one), "examples.digits.pipeline", "--all")
    assert (check["verdict"], check["expected"]) == ("false", "the pipeline owners in the module")


def rerun(folder: Path, module: str, *options: str) -> dict[str, str]:
    done = CliRunner().invoke(audit, [str(folder), "--rerun", module, *options, "--json"])
    [check] = [check for check in json.loads(done.output)["checks"] if check["name"] == "rerun"]
    return dict(check)
