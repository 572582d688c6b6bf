"""The watcher decides from facts and folders alone, outlives failures, and never asks for the same leaf twice."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ame.audit.facts import ChainFacts, PoolEvent
from ame.audit.lies import DEMAND, TRANSITION
from ame.audit.source import FolderSource, UrlSource
from ame.audit.watch import Watcher, decide
from ame.bundle import Bundle
from ame.errors import CannotTell, ChainError, InputError
from ame.execution.ledger import StageLedger
from tests.audit.synthetic import STAGES, WALLETS, History, random_epoch


def cheat(bundle: Bundle) -> Bundle:
    """Five units from the last contributor to the first, in the first stage."""
    books = bundle.books
    old = books.ledgers[0]
    moved = StageLedger(
        old.ids, (old.cumulatives[0] + 5, *old.cumulatives[1:-1], old.cumulatives[-1] - 5), old.depth
    )
    update = books.settlement.updates[0]._replace(afterwards=moved.tree.ledger_commitment)
    settlement = replace(books.settlement, updates=(update, *books.settlement.updates[1:]))
    return replace(bundle, books=replace(books, settlement=settlement, ledgers=(moved, *books.ledgers[1:])))


def pending(folder: Path, lie: bool) -> History:
    """One active settlement and a pending one."""
    import random

    seed = random.Random(3)
    history = History(folder, seed)
    history.deposit(2 * 10**9)
    history.propose(random_epoch(seed, 1, 10**9, people=6))
    history.activate()
    history.propose(random_epoch(seed, 2, 10**9, people=6), cheat if lie else lambda bundle: bundle)
    return history


def test_an_honest_proposal_is_left_alone(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    decision = decide(history.facts, history.folders)
    assert decision.action is None
    assert "all 27 checks hold" in decision.reason


def test_a_false_proposal_is_challenged(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=True)
    action = decide(history.facts, history.folders).action
    assert action is not None
    assert (action.method, action.stage, action.index) == (TRANSITION, 0, 0)


def test_what_was_not_published_is_demanded_once(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    action = decide(history.facts, history.folders[:1]).action
    assert action is not None
    assert action.method == DEMAND
    history.emit("Demanded", number=2, stage=action.stage, index=action.index, by=WALLETS[0], activeAt=7200)
    again = decide(history.facts, history.folders[:1])
    assert again.action is None
    assert "was demanded" in again.reason


def test_a_demand_that_nobody_answered_cancels(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    history.emit("Demanded", number=2, stage=1, index=0, by=WALLETS[0], activeAt=7200)
    proposed = history.facts.proposal(2)
    assert proposed is not None
    late = replace(history.facts, timestamp=proposed.args["timestamp"] + 5400)
    action = decide(late, history.folders).action
    assert action is not None
    assert (action.method, action.arguments) == ("cancelUnanswered", (1, 0))


def test_a_false_measurement_is_told_to_people(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    events = [
        event._replace(args={**event.args, "amount": event.args["amount"] + 1})
        if event.name == "Deposited"
        else event
        for event in history.facts.events
    ]
    decision = decide(replace(history.facts, events=tuple(events)), history.folders)
    assert decision.action is None
    assert "tell the arbiter" in decision.reason


def test_nothing_pending_is_nothing_to_do(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    history.activate()
    assert decide(history.facts, history.folders).action is None


def test_without_the_active_bundle_it_cannot_tell(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=True)
    assert decide(history.facts, history.folders[1:]).reason.startswith("cannot tell")


def test_a_bundle_that_cannot_be_read_is_demanded(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    (history.folders[1] / f"ledger/{STAGES[0]}.bin").write_bytes(b"\0" * 7)
    action = decide(history.facts, history.folders).action
    assert action is not None
    assert action.method == DEMAND


def test_the_folder_is_searched_by_evidence_not_by_name(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "manifest.json").write_text("{")
    history.folders[1].rename(tmp_path / "zz")
    assert FolderSource(tmp_path).folders(history.facts) == [history.folders[0], tmp_path / "zz"]


def test_bundles_are_fetched_by_url_and_kept(tmp_path: Path) -> None:
    history = pending(tmp_path / "published", lie=True)
    asked: list[str] = []

    def fetch(url: str, _most: int) -> bytes:
        asked.append(url)
        return (tmp_path / "published" / url.removeprefix("https://ame.example/")).read_bytes()

    source = UrlSource("https://ame.example/bundle-{number}", tmp_path / "cache", fetch)
    folders = source.folders(history.facts)
    action = decide(history.facts, folders).action
    assert action is not None
    assert action.method == TRANSITION
    count = len(asked)
    assert source.folders(history.facts) == folders
    assert len(asked) == count


def test_a_url_that_serves_something_else_is_as_nothing(tmp_path: Path) -> None:
    history = pending(tmp_path / "published", lie=False)
    source = UrlSource("https://ame.example/{evidence}", tmp_path / "cache", lambda _url, _most: b"{}")
    assert source.folders(history.facts) == []


@pytest.mark.parametrize("template", ["file:///etc/{number}", "https://ame.example/bundle"])
def test_a_url_must_be_one(tmp_path: Path, template: str) -> None:
    with pytest.raises(InputError):
        UrlSource(template, tmp_path)


def test_the_watcher_survives_failures_and_says_each_thing_once(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=True)
    answers: list[Any] = [
        ChainError("node is away"),
        CannotTell("no bundle yet"),
        history.facts,
        history.facts,
    ]
    log: list[str] = []
    pauses: list[float] = []
    sent: list[str] = []

    def gather() -> ChainFacts:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    def send(_updates: Any, challenge: Any) -> str:
        sent.append(challenge.method)
        return "0x12"

    Watcher(gather, FolderSource(tmp_path), send, log.append).run(10, pauses.append, steps=4)
    assert pauses == [20, 40, 10, 10]
    assert sent == [TRANSITION, TRANSITION]
    assert sum("leaf 0" in line for line in log) == 1


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=True)
    log: list[str] = []
    decision = Watcher(lambda: history.facts, FolderSource(tmp_path), None, log.append).step()
    assert decision.action is not None
    assert log[-1] == "dry run: would send challengeTransition for leaf 0"


def test_a_bundle_that_vanishes_is_demanded(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=True)
    shutil.rmtree(history.folders[1])
    action = decide(history.facts, FolderSource(tmp_path).folders(history.facts)).action
    assert action is not None
    assert action.method == DEMAND


def test_events_are_values(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    assert isinstance(history.facts.events[0], PoolEvent)
