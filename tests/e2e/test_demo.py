"""The whole story as a newcomer meets it: `ame demo` on the embedded chain, then on a devnet that is restarted."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from ame.bundle import read_bundle
from ame.mapping.rights import load_rights
from scripts.foundry import environment, native

pytestmark = pytest.mark.chain

ROOT = Path(__file__).resolve().parents[2]
AME = Path(sys.executable).with_name("ame")

QUICK_PIPELINE = '''
"""The digits products with a utility that is drawn, not measured: these tests are about the chain."""
from examples.digits.pipeline import PIPELINES as REAL, Pipeline

class Quick(Pipeline):
    def utility(self, coalition):
        return sum((3 + bit % 4) / 100 for bit in range(coalition.bit_length()) if coalition >> bit & 1)

PIPELINES = {name: Quick(name, one.assets) for name, one in REAL.items()}
'''
QUICK_USAGE = """
from examples.digits import usage

def write_sales(folder, count=200, seed=1):
    return usage.write_sales(folder, count=min(count, 200), seed=seed)
"""


class Run(NamedTuple):
    """One run of a command."""

    returncode: int
    output: str


class Project:
    """A user's folder: Ape's configuration, and an example that is quick."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copy(ROOT / "ape-config.yaml", folder)
        quick = folder / "quick"
        quick.mkdir()
        (quick / "__init__.py").touch()
        (quick / "pipeline.py").write_text(QUICK_PIPELINE)
        (quick / "usage.py").write_text(QUICK_USAGE)
        shutil.copy(ROOT / "examples" / "digits" / "rights.yaml", quick)

    def ame(self, *arguments: str) -> Run:
        variables = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "APE_DATA_FOLDER": str(self.folder / ".ape"),
            "COLUMNS": "120",
        }
        done = subprocess.run(
            [AME, *arguments],
            cwd=self.folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=600,
        )
        return Run(done.returncode, done.stdout)

    @property
    def deployments(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.folder / "deployments" / "31337.json").read_text())
        return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run]:
    """The real example, told once."""
    project = Project(tmp_path_factory.mktemp("demo"))
    run = project.ame("demo", "-o", "out")
    assert run.returncode == 0, run.output
    return project, run


def test_the_books_add_up_to_the_last_unit(told: tuple[Project, Run]) -> None:
    _, run = told
    rows = re.findall(
        r"│ (USDX|ETH) +│ ([\d,.]+) \1 +│ ([\d,.]+) \1 +│ ([\d,.]+) \1 +│ ([\d,.]+) \1 +│", run.output
    )
    assert {row[0] for row in rows} == {"USDX", "ETH"}
    for _, *amounts in rows:
        deposited, claimed, unclaimed, unallocated = (int(re.sub("[,.]", "", text)) for text in amounts)
        assert deposited == claimed + unclaimed + unallocated
        assert claimed > 0


@pytest.mark.parametrize("pool", ["token", "eth"])
def test_every_bundle_is_what_was_sold(told: tuple[Project, Run], pool: str) -> None:
    project, run = told
    held = 0
    for number in (1, 2):
        bundle = read_bundle(project.folder / "out" / "bundles" / f"{pool}-{number}")
        settlement = bundle.settlement
        revenue = sum(record.amount for record in bundle.usage)
        assert settlement.table[-1] == sum(settlement.amounts) == revenue
        held += revenue
        assert sum(sum(ledger.cumulatives) for ledger in bundle.books.ledgers) == held
    assert bundle.token.text(held) in run.output


def test_at_least_ten_thousand_sales_of_three_products(told: tuple[Project, Run]) -> None:
    project, _ = told
    bundle = read_bundle(project.folder / "out" / "bundles" / "token-1")
    assert len(bundle.usage) >= 10_000
    assert len({record.pipeline for record in bundle.usage}) >= 3


def test_the_auditor_finds_all_four_settlements_true(told: tuple[Project, Run]) -> None:
    _, run = told
    assert len(re.findall(r"all \d+ checks hold", run.output)) == 4


def test_both_liars_are_caught(told: tuple[Project, Run]) -> None:
    _, run = told
    said = " ".join(run.output.split())
    assert "One unit added in allocation.jsonl: false" in said
    assert "settlement cancelled" in said


def test_the_late_wallet_is_paid(told: tuple[Project, Run]) -> None:
    _, run = told
    assert "claims both epochs after binding" in run.output
    assert "one range claim for each stage" in run.output
    assert "is paid by an outsider's transaction" in run.output


def test_the_report_is_one_file_that_tells_it(told: tuple[Project, Run]) -> None:
    project, _ = told
    page = (project.folder / "out" / "report.html").read_text(encoding="utf-8")
    for heading in ("Stage shares", "Money flow", "Assets, their holders", "Claims", "The auditor"):
        assert heading in page
    rights = load_rights(project.folder / "out" / "bundles" / "token-2" / "rights.yaml")
    for asset in rights.assets.values():
        held = ", ".join(f"{holding.contributor} {holding.ppm / 10_000:g} %" for holding in asset.holdings)
        assert f"<td>{asset.id}<td>{asset.license}<td>{held}<td>" in page
    assert "data:image/png;base64," in page
    assert "<svg" in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']+""", page), "the page needs nothing beside it"
    for pool in ("token", "eth"):
        bundle = read_bundle(project.folder / "out" / "bundles" / f"{pool}-2")
        for amount in (bundle.settlement.table[-1], *bundle.settlement.amounts):
            assert bundle.token.text(amount).removesuffix(f" {bundle.token.symbol}") in page


def test_nothing_is_left_beside_the_output(told: tuple[Project, Run]) -> None:
    project, _ = told
    assert not (project.folder / "deployments").exists()
    assert not list((project.folder / "out").rglob("*.draft"))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def anvil(port: int, state: Path) -> Iterator[None]:
    """A devnet as `make devnet` starts it; its state is kept when it stops."""
    command = [
        native("anvil"),
        "--port",
        str(port),
        "--state",
        state,
        "--chain-id",
        "31337",
        "--hardfork",
        "prague",
    ]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "anvil has ended"
                assert time.monotonic() < until, "anvil does not answer"
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.deep
def test_a_devnet_remembers_and_a_restarted_one_is_noticed(tmp_path: Path) -> None:
    project, port = Project(tmp_path), free_port()
    network = ("--network", f"ethereum:devnet:http://127.0.0.1:{port}")
    demo = ("demo", "--example", "quick", "-o", "out", *network)
    with anvil(port, tmp_path / "state.json"):
        first = project.ame(*demo)
        assert first.returncode == 0, first.output
        assert "started anew" not in first.output
        before = project.deployments
    with anvil(port, tmp_path / "state.json"):
        second = project.ame(*demo)
        assert second.returncode == 0, second.output
        assert "started anew" not in second.output
        for name in ("ContributorRegistry", "PoolFactory"):
            assert project.deployments[name] == before[name]
        assert project.deployments["pool/token"] != before["pool/token"]
        status = project.ame("status", "token", "--json", *network)
        assert json.loads(status.output)["status"] == "cancelled", (
            "the forged third settlement was the last one"
        )
    with anvil(port, tmp_path / "empty.json"):
        lost = project.ame("status", "token", *network)
        assert lost.returncode == 1
        assert lost.output.count("\n") == 1
        assert "no contract at" in lost.output
        assert "was the chain restarted?" in lost.output
        third = project.ame(*demo)
        assert third.returncode == 0, third.output
        said = " ".join(third.output.split())
        assert "31337.json remembers contracts that chain 31337 does not have: it was started anew" in said
        assert "Deploying again" in said
    away = project.ame("status", "token", *network)
    assert away.returncode == 1
    assert away.output.startswith(f"Error: cannot reach 'ethereum:devnet:http://127.0.0.1:{port}'")
