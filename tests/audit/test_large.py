"""A million contributors: under a minute of work and 1.6 GB."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ame.audit.audit import audit
from tests.audit.large import large_history

ROOT = Path(__file__).parents[2]
AUDIT = """
import pickle, sys
from ame.audit.audit import audit
folders, facts = pickle.load(open(sys.argv[1], "rb"))
report = audit(folders, facts)
print(report.sentence)
sys.exit(report.exit_code)
"""


def test_a_thousand_holders_of_sampled_assets_are_true(tmp_path: Path) -> None:
    history = large_history(tmp_path, assets=20, holders=50)
    report = audit(history.folders, history.facts)
    assert report.exit_code == 0, report.sentence


@pytest.mark.deep
def test_a_million_contributors_are_audited_in_a_minute_and_little_memory(tmp_path: Path) -> None:
    import pickle

    history = large_history(tmp_path, assets=100, holders=10_000)
    saved = tmp_path / "history.pickle"
    saved.write_bytes(pickle.dumps((history.folders, history.facts)))
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", AUDIT, str(saved)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - started
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    gigabytes = after.ru_maxrss / 2**20
    ledger = sum(
        (history.folders[0] / f"ledger/{name}.bin").stat().st_size for name in ("training_data", "base_model")
    )
    sys.stderr.write(
        f"a million contributors: {seconds:.0f} s of processor, {wall:.0f} s in all, {gigabytes:.2f} GB; "
        f"ledgers {ledger / 10**6:.0f} MB\n"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ledger < 100 * 10**6
    assert seconds < 60
    assert gigabytes < 1.6
