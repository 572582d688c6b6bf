"""tools/verify.mjs shares no code with the package; both must say the same of the same bundles."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.audit.fake_node import FakeNode, served
from tests.audit.synthetic import History
from tests.audit.tampering import Copy, copy_of, honest_history, random_history
from tests.audit.test_tampering import CHANGES, Change

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node") or "node"
# What the second opinion does not look at: where weights come from (rights, names, reasons, hierarchical values,
# asset weights), code, the pool's balance, and YAML. It asks the pool that the bundle names.
ONLY_OURS = {"allocation", "names", "code", "balance", "measurement", "shares"}
ONLY_OURS_BY_NAME = {"rights that are no YAML", "another pool's"}


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> History:
    return honest_history(tmp_path_factory.mktemp("honest"))


def second_opinion(copy: Copy) -> tuple[int, str]:
    older = [part for folder in copy.folders[:-1] for part in ("--older", str(folder))]
    with served(FakeNode(copy.facts)) as url:
        done = subprocess.run(
            [str(NODE), str(ROOT / "tools/verify.mjs"), *older, str(copy.folder), url],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert "    at " not in done.stderr
    return done.returncode, done.stdout


def test_both_find_the_honest_settlement_true(honest: History, tmp_path: Path) -> None:
    code, out = second_opinion(copy_of(honest, tmp_path))
    assert code == 0, out


@pytest.mark.parametrize("number", range(3))
def test_both_find_random_histories_true(tmp_path: Path, number: int) -> None:
    history = random_history(tmp_path, number)
    code, out = second_opinion(Copy(history.folders, history.facts))
    assert code == 0, out


SAME = [change for change in CHANGES if change[1] not in ONLY_OURS and change[0] not in ONLY_OURS_BY_NAME]


# One program start each: a few in the short run, all of them in the long one.
CASES = [
    pytest.param(name, change, id=name, marks=() if at % (len(SAME) // 6) == 0 else pytest.mark.deep)
    for at, (name, _, change) in enumerate(SAME)
]


@pytest.mark.parametrize(("name", "change"), CASES)
def test_both_find_the_change(honest: History, tmp_path: Path, name: str, change: Change) -> None:
    copy = copy_of(honest, tmp_path)
    change(copy)
    code, out = second_opinion(copy)
    assert code == copy.report().exit_code == 1, out


def test_both_cannot_tell_when_a_part_is_missing(honest: History, tmp_path: Path) -> None:
    copy = copy_of(honest, tmp_path)
    (copy.folder / "usage.jsonl").unlink()
    assert second_opinion(copy)[0] == copy.report().exit_code == 2


def test_it_stays_short_and_alone() -> None:
    lines = (ROOT / "tools/verify.mjs").read_text().splitlines()
    assert len(lines) < 300
    modules = re.findall(
        r"""(?:^import .*? from |\bimport\(|\brequire\()["']([^"']+)""", "\n".join(lines), re.MULTILINE
    )
    assert set(modules) == {"node:crypto", "node:fs", "node:path", "viem"}


def verify(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(NODE), script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_without_viem_it_says_how_to_get_it(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tools/verify.mjs", tmp_path)
    done = verify(tmp_path / "verify.mjs", "bundle", "http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "viem is not installed: run `make setup` first\n"


def test_a_chain_without_the_pool_and_a_node_that_is_away_are_told(honest: History) -> None:
    bundle, facts = str(honest.folders[-1]), honest.facts
    with served(FakeNode(replace(facts, code=b""))) as url:
        absent = verify(ROOT / "tools/verify.mjs", bundle, url)
    away = verify(ROOT / "tools/verify.mjs", bundle, url)  # the same address, closed now
    for done, detail in (
        (absent, f"no contract at {facts.pool} on this chain"),
        (away, f"no node answers at {url}"),
    ):
        assert done.returncode == 2, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == {
            "check": "chain", "verdict": "unknown", "detail": detail,
        }  # fmt: skip
