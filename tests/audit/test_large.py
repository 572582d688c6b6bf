"""A million contributors: under a minute of work and 1.6 GB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ame.audit.audit import audit
from tests.audit.large import large_history

ROOT = Path(__file__).parents[2]
BUILD = """
import pickle, sys
from pathlib import Path
from tests.audit.large import large_history
history = large_history(Path(sys.argv[1]), assets=100, holders=10_000)
pickle.dump((history.folders, history.facts), open(sys.argv[2], "wb"))
"""
AUDIT = """
import json, pickle, resource, sys
from ame.audit.audit import audit
from tests.memory import peak_memory
folders, facts = pickle.load(open(sys.argv[1], "rb"))
report = audit(folders, facts)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"exit": report.exit_code, "sentence": report.sentence, "seconds": used.ru_utime + used.ru_stime,
                  "gigabytes": peak_memory() / 2**30}))
"""


def test_a_thousand_holders_of_sampled_assets_are_true(tmp_path: Path) -> None:
    history = large_history(tmp_path, assets=20, holders=50)
    report = audit(history.folders, history.facts)
    assert report.exit_code == 0, report.sentence


@pytest.mark.deep
def test_a_million_contributors_are_audited_in_a_minute_and_little_memory(tmp_path: Path) -> None:
    saved = tmp_path / "history.pickle"
    python(BUILD, tmp_path, saved)
    found = json.loads(python(AUDIT, saved))
    ledger = sum(path.stat().st_size for path in tmp_path.glob("bundle-1/ledger/*.bin"))
    sys.stderr.write(
        f"a million contributors: {found['seconds']:.0f} s of processor, {found['gigabytes']:.2f} GB; "
        f"ledgers {ledger / 10**6:.0f} MB\n"
    )
    assert found["exit"] == 0, found["sentence"]
    assert 64 * 10**6 <= ledger < 100 * 10**6
    assert found["seconds"] < 60
    assert found["gigabytes"] < 1.6


def python(program: str, *arguments: Path) -> str:
    """What a program prints that is run by itself."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
