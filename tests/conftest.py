"""What holds for all tests: Ape's state stays in the project, and the files that take longest run first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# As the Makefile exports them, for whoever runs pytest directly.
os.environ.setdefault("APE_DATA_FOLDER", str(ROOT / ".ape"))
os.environ.setdefault("SOLCX_BINARY_PATH", str(ROOT / ".cache" / "solcx"))

# A worker runs a whole file: one that takes a minute and comes last would leave the other core idle.
LONGEST = (
    "tests/e2e/test_demo.py",
    "tests/audit/test_watch_process.py",
    "tests/test_artifacts.py",
    "tests/portal/test_page.py",
    "tests/attribution/test_sampling.py",
    "tests/agreement/test_history.py",
    "tests/examples/test_digits_pipeline.py",
    "tests/mapping/test_yaml.py",
    "tests/examples/test_text_pipeline.py",
    "tests/attribution/test_game.py",
    "tests/test_bounded_json.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {ROOT / name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
