"""What holds for all tests: Ape's state stays in the project, and browser tests need a browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# As the Makefile exports them, for whoever runs pytest directly.
os.environ.setdefault("APE_DATA_FOLDER", str(ROOT / ".ape"))
os.environ.setdefault("SOLCX_BINARY_PATH", str(ROOT / ".cache" / "solcx"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A machine without a browser skips what drives one, and pytest's summary says so."""
    if any(shutil.which(name) for name in BROWSERS):
        return
    skip = pytest.mark.skip(reason="no Chromium on this machine")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(skip)
