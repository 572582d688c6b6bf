"""The published schemas describe what is written; old bundles stay readable through them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.audit.tampering import honest_history

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.mark.parametrize("part", ["manifest", "settlement", "coalitions", "shares", "usage", "allocation"])
def test_a_bundle_follows_its_schemas(tmp_path: Path, part: str) -> None:
    history = honest_history(tmp_path)
    schema = json.loads((SCHEMAS / f"{part}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    lines = part in ("usage", "allocation")
    for folder in history.folders:
        data = (folder / (f"{part}.jsonl" if lines else f"{part}.json")).read_text()
        for document in data.splitlines() if lines else [data]:
            assert list(validator.iter_errors(json.loads(document))) == []
