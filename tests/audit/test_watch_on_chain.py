"""On a chain: for every kind of lie the watcher wins, and a whole settlement is gathered and audited."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ame.audit.audit import audit
from ame.audit.gather import gather_facts
from ame.audit.lies import DEMAND, DUPLICATE, TOTAL, TRANSITION, Challenge, demand_missing, find_lie
from ame.audit.source import FolderSource
from ame.audit.watch import Watcher, send_challenge
from ame.bundle import write_bundle
from ame.encoding import ZERO_ADDRESS
from ame.execution.chain import Chain, connect, create_pool, deposit, propose, terms_of
from ame.pipeline import settle
from ame.records import StageProposal, Terms
from tests.audit import test_lies as lies
from tests.audit.synthetic import STAGES, random_epoch
from tests.audit.test_watch import cheat

pytestmark = pytest.mark.chain

FIRST, SECOND = 10**9, 10**9 + 7
BOND, PERIOD = 10**18, 3600
CANCELLED = 3


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with connect() as opened:
        yield opened


@pytest.fixture(scope="module")
def factory(chain: Chain) -> tuple[Any, Any]:
    operator = chain.account("TEST::0")
    return chain.deploy("ContributorRegistry", sender=operator), chain.deploy("PoolFactory", sender=operator)


salts = iter(range(1, 10**6))


def new_pool(chain: Chain, factory: tuple[Any, Any], stages: int = 2) -> Any:
    registry, pools = factory
    operator = chain.account("TEST::0")
    terms = Terms(ZERO_ADDRESS, stages, operator.address, ZERO_ADDRESS, registry.address, PERIOD, 0, BOND, 10**16,
                  bytes(31) + b"\7")  # fmt: skip
    return create_pool(chain, pools, terms, operator, next(salts).to_bytes(32))


def post(chain: Chain, pool: Any, stages: list[lies.Stage], amount: int) -> None:
    """Two stages that earn the same."""
    operator = chain.account("TEST::0")
    deposit(chain, pool, 2 * amount, operator)
    updates = [stage.update for stage in stages]
    proposals = [
        StageProposal(
            update.afterwards.root, update.afterwards.depth, update.weight_root, update.weight_total
        )
        for update in updates
    ]
    chain.send(
        pool.propose, [0, amount, amount, 2 * amount], [update.before for update in updates], proposals,
        b"\xee" * 32, sender=operator, value=0 if pool.bondHeld() else BOND,
    )  # fmt: skip


def first_of(stage: lies.Stage) -> lies.Stage:
    """The honest settlement that made `stage.before`."""
    ledger = stage.before
    from ame.execution.ledger import StageLedger

    return lies.Stage(
        StageLedger(), list(ledger.ids), list(ledger.cumulatives), list(ledger.cumulatives), ledger.depth, FIRST,
        FIRST,
    )  # fmt: skip


def posted(chain: Chain, pool: Any, lie: Callable[[lies.Stage], None]) -> list[lies.Stage]:
    """An active settlement, then one that lies in its second stage."""
    stages = [lies.stage(), lies.stage()]
    post(chain, pool, [first_of(stage) for stage in stages], FIRST)
    chain.wait(PERIOD)
    lie(stages[1])
    post(chain, pool, stages, SECOND)
    return stages


def found(stages: list[lies.Stage], published: list[lies.Stage] | None = None) -> Challenge:
    shown = published or stages
    challenge = find_lie([one.before for one in stages], [one.update for one in stages], shown, shown)
    assert challenge is not None
    return challenge


def add_total(one: lies.Stage) -> None:
    one.cumulatives[3] += 5


def add_weight_total(one: lies.Stage) -> None:
    one.weight_total += 1


def duplicate_far_apart(one: lies.Stage) -> None:
    one.ids[-1] = one.ids[1]


def depth_and_unit(one: lies.Stage) -> None:
    one.depth += 3
    lies.lie_moved(one)


def vanish_beyond(one: lies.Stage) -> None:
    """An old contributor's money goes to a leaf beyond the old tree."""
    one.cumulatives[-1] += one.cumulatives[1]
    one.cumulatives[1] = 0


@pytest.mark.parametrize(
    ("lie", "method"),
    [
        (lies.lie_moved, TRANSITION),
        (lies.lie_swapped, TRANSITION),
        (lies.lie_dropped, TRANSITION),
        (lies.lie_last_index, TRANSITION),
        (lies.lie_id_changed, TRANSITION),
        (lies.lie_weights_shifted, TRANSITION),
        (lies.lie_cut_back, TRANSITION),
        (depth_and_unit, TRANSITION),
        (vanish_beyond, TRANSITION),
        (duplicate_far_apart, DUPLICATE),
        (add_total, TOTAL),
        (add_weight_total, TOTAL),
    ],
)
def test_the_watcher_wins(chain: Chain, factory: tuple[Any, Any], lie: Any, method: str) -> None:
    pool, watcher = new_pool(chain, factory), chain.account("TEST::5")
    stages = posted(chain, pool, lie)
    challenge = found(stages)
    assert challenge.method == method
    before = int(watcher.balance)
    receipt = send_challenge(chain, pool, [one.update for one in stages], challenge, watcher)
    assert int(pool.status().current) == CANCELLED
    assert int(watcher.balance) - before + receipt.gas_used * receipt.gas_price == BOND // 2
    assert int(pool.unallocated()) == 2 * SECOND


def test_a_tree_that_nobody_can_open_is_cancelled_after_a_demand(
    chain: Chain, factory: tuple[Any, Any]
) -> None:
    pool, watcher = new_pool(chain, factory), chain.account("TEST::5")
    published = [lies.stage(), lies.stage()]
    stages = posted(chain, pool, lies.lie_moved)
    challenge = found(stages, published)
    assert (challenge.method, challenge.stage) == (DEMAND, 1)
    send_challenge(chain, pool, [one.update for one in stages], challenge, watcher)
    chain.wait(PERIOD + PERIOD // 2)
    facts_challenge = Challenge("cancelUnanswered", 1, challenge.index, "", (1, challenge.index))
    send_challenge(chain, pool, [one.update for one in stages], facts_challenge, watcher)
    assert int(pool.status().current) == CANCELLED


def test_nothing_published_is_demanded(chain: Chain, factory: tuple[Any, Any]) -> None:
    pool, watcher = new_pool(chain, factory), chain.account("TEST::5")
    stages = posted(chain, pool, lies.lie_moved)
    updates = [one.update for one in stages]
    challenge = demand_missing(updates)
    send_challenge(chain, pool, updates, challenge, watcher)
    assert pool.demandOf(2, challenge.stage, challenge.index).open


def test_the_watcher_follows_a_pool_from_honest_to_false(
    chain: Chain, factory: tuple[Any, Any], tmp_path: Path
) -> None:
    pool, operator, watcher = new_pool(chain, factory, 3), chain.account("TEST::0"), chain.account("TEST::6")
    log: list[str] = []

    def send(updates: Any, challenge: Any) -> str:
        return str(send_challenge(chain, pool, updates, challenge, watcher).txn_hash)

    watching = Watcher(lambda: gather_facts(chain, pool.address), FolderSource(tmp_path), send, log.append)
    deposit(chain, pool, 3 * 10**9, operator)
    seed = random.Random(9)
    epoch = replace(
        random_epoch(seed, 1, 10**9, people=6), chain_id=chain.id, pool=pool.address, terms=terms_of(pool)
    )
    honest = settle(epoch)
    evidence = write_bundle(tmp_path / "one", honest)
    propose(chain, pool, honest.books, evidence, operator)
    assert watching.step().action is None
    report = audit([tmp_path / "one"], gather_facts(chain, pool.address))
    assert report.exit_code == 0, report.sentence
    chain.wait(PERIOD)

    ledgers = honest.books.ledgers
    for stage in range(len(STAGES)):
        chain.send(
            pool.claimRange, ledgers[stage].range_claim(stage, 0, len(ledgers[stage].ids)), sender=operator
        )
    report = audit([tmp_path / "one"], gather_facts(chain, pool.address))
    assert report.exit_code == 0, report.sentence
    assert report.figures["pool"]["claimed"] != "0"

    false = cheat(settle(replace(epoch, number=2, ledgers=ledgers, previous=evidence.hex())))
    propose(chain, pool, false.books, write_bundle(tmp_path / "two", false), operator)
    decision = watching.step()
    assert decision.action is not None
    assert decision.action.method == TRANSITION
    assert int(pool.status().current) == CANCELLED
    assert watching.step().action is None
    report = audit([tmp_path / "one", tmp_path / "two"], gather_facts(chain, pool.address))
    assert report.check("status").found == "cancelled: WrongTransition"
