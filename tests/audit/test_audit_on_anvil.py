"""`ame audit` and tools/verify.mjs as processes against a real node: the same verdicts, and their exit codes."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from ame.audit.facts import ChainFacts
from ame.audit.gather import gather_facts
from ame.bundle import write_bundle
from ame.encoding import ZERO_ADDRESS
from ame.execution.chain import connect, create_pool, deposit, propose, terms_of
from ame.pipeline import settle
from ame.records import Terms
from tests.audit.devnet import anvil, free_port
from tests.audit.synthetic import random_epoch
from tests.audit.tampering import Copy
from tests.audit.test_tampering import move_units, plus, set_item
from tests.audit.test_watch import cheat

pytestmark = pytest.mark.chain

ROOT = Path(__file__).resolve().parents[2]
AME = Path(sys.executable).with_name("ame")
NODE = shutil.which("node")
BOND, PERIOD = 10**18, 3600


class Posted(NamedTuple):
    """A pool on a node: two active settlements with claims, and a third that is a lie which was posted with right
    hashes."""

    url: str
    folders: list[Path]
    facts: ChainFacts


@pytest.fixture(scope="module")
def posted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Posted]:
    folder, folders = tmp_path_factory.mktemp("bundles"), []
    with anvil() as url, connect(f"ethereum:devnet:{url}") as chain:
        operator = chain.account("TEST::0")
        contributors = chain.deploy("ContributorRegistry", sender=operator)
        terms = Terms(ZERO_ADDRESS, 3, operator.address, ZERO_ADDRESS, contributors.address, PERIOD, 0, BOND, 10**16,
                      bytes(31) + b"\7")  # fmt: skip
        pool = create_pool(chain, chain.deploy("PoolFactory", sender=operator), terms, operator)
        seed, ledgers, previous = random.Random(9), None, None
        for number in (1, 2, 3):
            deposit(chain, pool, 10**9 + number, operator)
            epoch = random_epoch(seed, number, 10**9, people=6)
            epoch = replace(
                epoch, chain_id=chain.id, pool=pool.address, terms=terms_of(pool), previous=previous,
                ledgers=ledgers or epoch.ledgers,
            )  # fmt: skip
            bundle = settle(epoch) if number < 3 else cheat(settle(epoch))
            folders.append(folder / str(number))
            evidence = write_bundle(folders[-1], bundle)
            propose(chain, pool, bundle.books, evidence, operator)
            if number < 3:
                ledgers, previous = bundle.books.ledgers, evidence.hex()
                chain.wait(PERIOD)
                claim = ledgers[0].range_claim(0, 0, len(ledgers[0].ids))
                chain.send(pool.claimRange, claim, sender=operator)
        yield Posted(url, folders, gather_facts(chain, pool.address))


def ours(tmp_path: Path, url: str | None, *folders: Path, options: tuple[str, ...] = ()) -> tuple[int, str]:
    network = () if url is None else ("--network", f"ethereum:devnet:{url}")
    done = subprocess.run(
        [AME, "audit", *folders, *network, *options], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT), "APE_DATA_FOLDER": str(tmp_path / ".ape")},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def second(url: str, *folders: Path) -> tuple[int, str]:
    older = [part for folder in folders[:-1] for part in ("--older", folder)]
    done = subprocess.run(
        [str(NODE), ROOT / "tools/verify.mjs", *older, folders[-1], url],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def both(tmp_path: Path, url: str, *folders: Path) -> tuple[int, str]:
    """The verdict that both give."""
    code, text = ours(tmp_path, url, *folders)
    if NODE is not None:
        other, said = second(url, *folders)
        assert other == code, f"{text}\n{said}"
    return code, text


def test_both_find_the_honest_settlements_true(posted: Posted, tmp_path: Path) -> None:
    assert both(tmp_path, posted.url, posted.folders[0])[0] == 0
    code, text = both(tmp_path, posted.url, *posted.folders[:2])
    assert code == 0, text
    assert text.startswith("Every number holds")


def test_a_lie_that_was_posted_is_located(posted: Posted, tmp_path: Path) -> None:
    """The proposer published exactly what he posted: only the arithmetic gives him away."""
    code, text = both(tmp_path, posted.url, *posted.folders)
    assert code == 1, text
    [line] = [line for line in text.splitlines() if "✗ transition" in line]
    assert "(+5)" in line, text


CHANGES: list[tuple[str, str, Callable[[Copy], object]]] = [
    ("usage", "manifest", lambda c: c.raw("usage.jsonl", lambda data: data[:-3])),
    ("amount", "telescoping",
     lambda c: c.lines("allocation.jsonl", lambda rows: set_item(rows, 0, "amount", plus)).repost()),
    ("unit moved", "telescoping", lambda c: c.lines("allocation.jsonl", move_units).repost()),
    ("ledger", "roots", lambda c: c.raw("ledger/prompt.bin", lambda data: data[:47] + b"\xff" + data[48:]).repost()),
    ("table", "table", lambda c: c.document("settlement.json", lambda d: d["table"].__setitem__(3, "7")).repost()),
    ("number", "evidence", lambda c: c.document("manifest.json", lambda m: m.update(number="1"))),
    ("chain", "chain", lambda c: c.document("manifest.json", lambda m: m.update(chain_id="1"))),
]  # fmt: skip


# Two programs and Ape's start for each: one in the short run.
CASES = [
    pytest.param(*one, id=one[0], marks=() if one[0] == "amount" else pytest.mark.deep) for one in CHANGES
]


@pytest.mark.parametrize(("name", "check", "change"), CASES)
def test_both_find_the_change(
    posted: Posted, tmp_path: Path, name: str, check: str, change: Callable[[Copy], object]
) -> None:
    """The manifest is written again where the change is hidden so; the chain still has the other evidence."""
    folders = [tmp_path / folder.name for folder in posted.folders[:2]]
    for folder, copy in zip(posted.folders, folders, strict=False):
        shutil.copytree(folder, copy)
    change(Copy(folders, posted.facts))
    code, text = both(tmp_path, posted.url, *folders)
    assert code == 1, text
    assert f"✗ {check} " in text, text
    if check != "manifest":
        assert "✗ evidence " in text, text


@pytest.mark.deep
def test_both_cannot_tell_without_a_part_or_a_node(posted: Posted, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(posted.folders[0], copy)
    nobody = f"http://127.0.0.1:{free_port()}"
    assert both(tmp_path, nobody, copy)[0] == 2
    (copy / "usage.jsonl").unlink()
    code, text = both(tmp_path, posted.url, copy)
    assert code == 2, text
    assert both(tmp_path, posted.url, tmp_path / "nothing")[0] == 2


def test_without_a_chain_and_with_a_wrong_rerun_it_cannot_tell(posted: Posted, tmp_path: Path) -> None:
    assert ours(tmp_path, None, posted.folders[0])[0] == 2
    code, text = ours(tmp_path, None, posted.folders[0], options=("--rerun", "no.such.module"))
    assert code == 2
    assert "--rerun: expected a module with PIPELINES" in text


@pytest.mark.deep
def test_the_scan_resumes_and_writes_reports(posted: Posted, tmp_path: Path) -> None:
    events, report = tmp_path / "events.json", tmp_path / "report"
    options = ("--events", str(events), "--html", f"{report}.html", "--markdown", f"{report}.md", "--json")
    code, text = ours(tmp_path, posted.url, posted.folders[0], options=options)
    assert (code, json.loads(text)["verdict"]) == (0, "true")
    assert json.loads(events.read_text())["last"] == posted.facts.block
    assert ours(tmp_path, posted.url, posted.folders[0], options=options)[0] == 0
    assert "Every number holds" in report.with_suffix(".html").read_text()
