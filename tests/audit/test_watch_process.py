"""`ame watch` as a process on a real node: killed, restarted, without its node for a while, through a reorganisation."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ame.bundle import Bundle, write_bundle
from ame.encoding import ZERO_ADDRESS
from ame.execution.chain import Chain, connect, create_pool, deposit, propose, terms_of
from ame.pipeline import settle
from ame.records import Terms
from tests.audit.devnet import Proxy, Web, anvil, proxied, served
from tests.audit.synthetic import random_epoch
from tests.audit.test_watch import cheat

pytestmark = pytest.mark.chain

ROOT = Path(__file__).resolve().parents[2]
AME = Path(sys.executable).with_name("ame")
BOND, DEMAND_BOND, PERIOD, SHORT = 10**18, 10**16, 3600, 160
CANCELLED, PENDING = 3, 1
PATIENCE_SECONDS = 90  # of a test that waits for a process on a busy machine
salts = iter(range(1, 10**6))


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    with anvil() as url:
        yield url


@pytest.fixture(scope="module")
def chain(node: str) -> Iterator[Chain]:
    with connect(f"ethereum:devnet:{node}") as opened:
        yield opened


@pytest.fixture(scope="module")
def factory(chain: Chain) -> tuple[Any, Any]:
    operator = chain.account("TEST::0")
    return chain.deploy("ContributorRegistry", sender=operator), chain.deploy("PoolFactory", sender=operator)


@pytest.fixture
def proxy(node: str) -> Iterator[Proxy]:
    with proxied(node) as one:
        yield one


class Watching:
    """`ame watch`, its output in a file."""

    def __init__(self, folder: Path, proxy: Proxy, pool: Any, bundles: str, *options: str) -> None:
        self.log = folder / "watch.log"
        command = [
            AME, "watch", pool.address, "--network", f"ethereum:devnet:{proxy.url}", "--bundles", bundles,
            "--cache", folder / "cache", "--pause", "1", *(options or ("--account", "TEST::6")),
        ]  # fmt: skip
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "APE_DATA_FOLDER": str(folder / ".ape")}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert self.process.poll() is None, f"the watcher has ended:\n{self.said}"
            assert time.monotonic() < end, f"{what} did not happen:\n{self.said}"
            time.sleep(0.2)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def watching(folder: Path, proxy: Proxy, pool: Any, bundles: str, *options: str) -> Iterator[Watching]:
    one = Watching(folder, proxy, pool, bundles, *options)
    try:
        yield one
    finally:
        one.kill()


def new_pool(chain: Chain, factory: tuple[Any, Any], period: int = PERIOD) -> Any:
    registry, pools = factory
    operator = chain.account("TEST::0")
    terms = Terms(ZERO_ADDRESS, 3, operator.address, ZERO_ADDRESS, registry.address, period, 0, BOND, DEMAND_BOND,
                  bytes(31) + b"\7")  # fmt: skip
    return create_pool(chain, pools, terms, operator, next(salts).to_bytes(32))


def post(
    chain: Chain, pool: Any, folder: Path, change: Callable[[Bundle], Bundle] = lambda one: one
) -> Bundle:
    """A first settlement; `change` is a lie about it."""
    operator = chain.account("TEST::0")
    deposit(chain, pool, 10**9, operator)
    epoch = replace(
        random_epoch(random.Random(9), int(pool.status().number) + 1, 10**9, people=6),
        chain_id=chain.id, pool=pool.address, terms=terms_of(pool),
    )  # fmt: skip
    bundle = change(settle(epoch))
    propose(chain, pool, bundle.books, write_bundle(folder, bundle), operator)
    return bundle


def status(pool: Any) -> int:
    return int(pool.status().current)


def nonce(chain: Chain) -> int:
    return int(chain.account("TEST::6").nonce)


def test_killed_restarted_and_without_its_node_it_still_catches_the_lie(
    chain: Chain, factory: tuple[Any, Any], proxy: Proxy, tmp_path: Path
) -> None:
    bundles = tmp_path / "bundles"
    pool, before = new_pool(chain, factory), nonce(chain)
    post(chain, pool, bundles / "one")
    chain.rpc("anvil_mine", [hex(300)])
    with watching(tmp_path, proxy, pool, str(bundles)) as first:
        first.until(lambda: "checks hold" in first.said, "the audit")
        first.until(lambda: proxy.asked[-1][0] != "eth_getLogs" and len(proxy.asked) > 5, "a whole look")
    created = proxy.starts_of_scans()[0]
    proxy.asked.clear()
    with watching(tmp_path, proxy, pool, str(bundles)) as second:
        second.until(lambda: second.said.count("checks hold") == 2, "the second audit")
        assert proxy.starts_of_scans()[0] >= created + 200, "it goes on where it was"
        for mode in ("error", "drop"):
            said = second.said.count("trying again")
            proxy.mode = mode
            second.until(lambda: second.said.count("trying again") > said, f"the failure {mode}")  # noqa: B023
        chain.wait(PERIOD)
        post_second_lie(chain, pool, bundles / "two", bundles / "one")
        proxy.mode = "pass"
        second.until(lambda: status(pool) == CANCELLED, "the challenge")
        second.until(lambda: "is cancelled: nothing to watch" in second.said, "the end")
    assert second.said.count("challengeTransition: ") == 1
    assert "its weight gives another amount: sent in 0x" in second.said
    assert nonce(chain) == before + 1


def post_second_lie(chain: Chain, pool: Any, folder: Path, first: Path) -> None:
    from ame.audit.reading import Contents, read_files
    from ame.bundle import read_bundle

    operator, one = chain.account("TEST::0"), read_bundle(first)
    deposit(chain, pool, 10**9, operator)
    epoch = replace(
        random_epoch(random.Random(10), 2, 10**9, people=6), chain_id=chain.id, pool=pool.address,
        terms=terms_of(pool), ledgers=one.books.ledgers, previous=Contents(read_files(first)).files.sha256,
    )  # fmt: skip
    bundle = cheat(settle(epoch))
    propose(chain, pool, bundle.books, write_bundle(folder, bundle), operator)


@pytest.mark.deep
def test_what_is_hidden_is_demanded_once_over_a_restart_and_cancelled(
    chain: Chain, factory: tuple[Any, Any], proxy: Proxy, tmp_path: Path
) -> None:
    watcher, bundles = chain.account("TEST::6"), tmp_path / "bundles"
    bundles.mkdir()
    pool, before, balance = new_pool(chain, factory), nonce(chain), int(chain.account("TEST::6").balance)
    post(chain, pool, tmp_path / "hidden")

    def made() -> list[tuple[int, int]]:
        topic = chain.rpc("eth_getLogs", [{"address": pool.address, "fromBlock": "0x0", "toBlock": "latest"}])
        return [one for one in map(_leaf_demanded, topic) if one is not None]

    with watching(tmp_path, proxy, pool, str(bundles)) as first:
        first.until(lambda: len(made()) >= 2, "two demands")
    with watching(tmp_path, proxy, pool, str(bundles)) as second:
        second.until(lambda: "waiting for answers" in second.said, "the rest of the round")
        leaves = made()
        assert len(leaves) == len(set(leaves)) == nonce(chain) - before, "no leaf twice, nothing sent in vain"
        chain.wait(PERIOD // 4)
        second.until(lambda: status(pool) == CANCELLED, "the cancellation")
        second.until(
            lambda: second.said.count("reclaimDemandBond") >= len(leaves) - 1, "the return of the bonds"
        )
        assert "no bundle with this evidence was published" in second.said
    spent = balance - int(watcher.balance)
    assert -BOND // 2 < spent < -BOND // 2 + 10**17, "half of the bond, less gas"
    assert int(pool.unallocated()) == 10**9


def _leaf_demanded(log: Any) -> tuple[int, int] | None:
    from ame.encoding import keccak

    topic = keccak(b"Demanded(uint64,uint8,uint32,address,uint64,uint64)")
    if bytes.fromhex(str(log["topics"][0].hex()).removeprefix("0x")) != topic:
        return None
    data = bytes.fromhex(log["data"].hex().removeprefix("0x"))
    return int.from_bytes(data[:32]), int.from_bytes(data[32:64])


def test_a_challenge_that_a_reorganisation_undid_is_sent_again(
    chain: Chain, factory: tuple[Any, Any], proxy: Proxy, tmp_path: Path
) -> None:
    bundles = tmp_path / "bundles"
    pool = new_pool(chain, factory)
    post(chain, pool, bundles / "one", cheat)
    with watching(tmp_path, proxy, pool, str(bundles)) as one:
        one.until(lambda: "is cancelled: nothing to watch" in one.said, "the first challenge")
        chain.rpc("anvil_reorg", [1, []])
        assert status(pool) == PENDING
        one.until(lambda: one.said.count("challengeTransition: ") == 2, "the second challenge")
        one.until(lambda: status(pool) == CANCELLED, "the cancellation")


def test_a_dry_run_sends_nothing(
    chain: Chain, factory: tuple[Any, Any], proxy: Proxy, tmp_path: Path
) -> None:
    pool, before = new_pool(chain, factory), nonce(chain)
    post(chain, pool, tmp_path / "bundles" / "one", cheat)
    with watching(tmp_path, proxy, pool, str(tmp_path / "bundles"), "--dry-run", "--once") as one:
        assert one.process.wait(PATIENCE_SECONDS) == 0, one.said
    assert "dry run: would send challengeTransition for leaf 0: leaf 0 is 0x" in one.said
    assert status(pool) == PENDING
    assert nonce(chain) == before
    assert not [method for method, _ in proxy.asked if method.startswith("eth_send")]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with served(tmp_path_factory.mktemp("web")) as one:
        yield one


@pytest.fixture(scope="module")
def lying_pool(chain: Chain, factory: tuple[Any, Any], web: Web) -> Any:
    pool = new_pool(chain, factory, SHORT)
    post(chain, pool, web.folder / "1", cheat)
    return pool


@pytest.mark.parametrize(
    ("mode", "why", "does"),
    [
        pytest.param(
            "missing", "404", "demand", marks=pytest.mark.deep
        ),  # and in test_watch, without a process
        pytest.param("garbage", "expected the manifest", "demand", marks=pytest.mark.deep),
        pytest.param("huge", "expected at most", "demand", marks=pytest.mark.deep),
        pytest.param("slow", "too slow, given up", "demand", marks=pytest.mark.deep),
        ("right", "its weight gives another amount", "challengeTransition"),
    ],
)
def test_whatever_the_server_does_the_watcher_goes_on(
    proxy: Proxy, web: Web, lying_pool: Any, tmp_path: Path, mode: str, why: str, does: str
) -> None:
    web.mode = mode
    url = f"{web.url}/{{number}}"
    with watching(tmp_path, proxy, lying_pool, url, "--dry-run", "--once") as one:
        assert one.process.wait(PATIENCE_SECONDS) == 0, one.said
    assert why in one.said
    assert f"would send {does} for leaf" in one.said
    shutil.rmtree(tmp_path / "cache")


def test_a_node_that_is_away_at_the_start_is_named(proxy: Proxy, tmp_path: Path, lying_pool: Any) -> None:
    proxy.mode = "drop"
    with watching(tmp_path, proxy, lying_pool, str(tmp_path), "--dry-run", "--once") as one:
        assert one.process.wait(PATIENCE_SECONDS) == 1
    assert one.said.startswith("Error: ")
