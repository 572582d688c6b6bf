"""docs/gas.md holds what the frozen contracts cost, to the unit."""

from __future__ import annotations

import subprocess
import sys

import pytest
from foundry import ROOT, environment

pytestmark = pytest.mark.chain


def test_the_page_shows_the_receipts_of_these_contracts() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/gas.py", "--check"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
