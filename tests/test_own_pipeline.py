"""The first section of docs/attribution.md is run as it stands there."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from ame.execution.settings import read_settings
from tests.test_cli import ame

PAGE = (Path(__file__).resolve().parents[1] / "docs/attribution.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Your own pipeline")[1].split("\n## ")[0]
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", SECTION, re.DOTALL))


def test_your_own_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for block, name in (("python", "shop.py"), ("json", "sales.jsonl"), ("yaml", "settle.yaml")):
        (tmp_path / name).write_text(BLOCKS[block])
    (tmp_path / "rights.yaml").write_text("format: ame-rights/1\n")
    attribute, settle = (line.split()[1:] for line in BLOCKS["sh"].splitlines())

    done = ame(tmp_path, *attribute)

    assert done.returncode == 0, done.stderr
    measured = json.loads((tmp_path / "measured/coalitions.json").read_bytes())["pipelines"]["verses"]
    # Two words of the poems, two of the news, one of them in both, and the prompt's.
    assert measured["values_ppm"]["0x7"] == "400000"
    weights = json.loads((tmp_path / "measured/shares.json").read_bytes())["table"]
    assert weights[-1] == "2400000"
    monkeypatch.syspath_prepend(tmp_path)
    settings = read_settings(tmp_path / settle[1])
    assert (list(settings.pipelines), settings.pool) == (["verses"], "demo")
    assert (settings.rights, settings.cache) == (tmp_path / "rights.yaml", tmp_path / "values")
    sys.modules.pop("shop", None)
