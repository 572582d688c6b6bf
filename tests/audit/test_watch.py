"""The watcher decides from facts and folders alone, outlives failures, and never asks for the same leaf twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ame.audit.facts import ChainFacts, PoolEvent
from ame.audit.lies import DEMAND, TRANSITION, Challenge, demand
from ame.audit.source import FolderSource, UrlSource
from ame.audit.watch import Decision, Policy, Watcher, decide, secret_in
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


PROPOSED = 2_000_000_000
WINDOW = 900  # a quarter of the period: what a demand leaves for its answer
ME = Policy(me=WALLETS[1], secret=b"any")


def at(history: History, seconds: int) -> ChainFacts:
    """The facts so long after the proposal."""
    return replace(history.facts, timestamp=PROPOSED + seconds)


def one_action(decision: Decision) -> Challenge:
    [action] = decision.actions
    return action


def demanded(history: History, actions: Sequence[Challenge], seconds: int, by: str = WALLETS[1]) -> None:
    for action in actions:
        assert action.method == DEMAND
        history.emit(
            "Demanded", number=2, stage=action.stage, index=action.index, by=by, activeAt=PROPOSED + 7200,
            answerUntil=PROPOSED + seconds + WINDOW,
        )  # fmt: skip


def answered(history: History, stage: int, index: int) -> None:
    books = history.bundles[-1].books
    history.emit(
        "Answered", number=2, stage=stage, index=index, by=WALLETS[2],
        before=tuple(history.before[stage].leaf_proof(index)),
        afterwards=tuple(books.ledgers[stage].leaf_proof(index)),
        weight=tuple(books.weights[stage].weight_proof(index)),
    )  # fmt: skip


def test_an_honest_proposal_is_left_alone(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    decision = decide(history.facts, history.folders)
    assert decision.actions == ()
    assert "all 28 checks hold" in decision.reason


def test_a_false_proposal_is_challenged(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=True)
    action = one_action(decide(history.facts, history.folders))
    assert (action.method, action.stage, action.index) == (TRANSITION, 0, 0)


def test_what_was_not_published_is_demanded_once_in_every_stage(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    decision = decide(at(history, 10), history.folders[:1], ME)
    assert {action.stage for action in decision.actions} == {0, 1, 2}
    assert "no bundle with this evidence was published" in decision.reason
    demanded(history, decision.actions, 10)
    again = decide(
        at(history, 800), history.folders[:1], ME
    )  # one round fewer is left; this one has begun before
    assert again.actions == ()
    assert f"waiting for answers to {len(decision.actions)} demands" in again.reason


def test_a_restart_amid_a_round_sends_the_rest_of_it(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    whole = decide(at(history, 10), history.folders[:1], ME).actions
    demanded(history, whole[:1], 10)
    assert decide(at(history, 400), history.folders[:1], ME).actions == whole[1:]


def test_demands_of_others_do_not_hold_the_watcher_up(tmp_path: Path) -> None:
    """Or a liar could demand himself what he then answers at the last moment, again and again."""
    history = pending(tmp_path, lie=False)
    policy, late = replace(ME, most_demands=2), 3000
    whole = decide(at(history, late), history.folders[:1], policy).actions
    mine = {(one.stage, one.index) for one in whole}
    others = [
        demand(stage, index, "") for stage in range(3) for index in (0, 1) if (stage, index) not in mine
    ]
    demanded(history, others, late, by=WALLETS[2])
    assert decide(at(history, late), history.folders[:1], policy).actions == whole


def test_answers_open_what_nobody_published(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    seconds = 10
    while actions := decide(at(history, seconds), history.folders[:1], ME).actions:
        demanded(history, actions, seconds)
        for action in actions:
            answered(history, action.stage, action.index)
        seconds += WINDOW
    assert seconds < 3600
    decision = decide(at(history, seconds), history.folders[:1], ME)
    assert "hidden" not in decision.reason


def test_a_lie_that_nobody_published_is_found_by_demands(tmp_path: Path) -> None:
    """The proposer answers all that he can, each at the last moment."""
    history = pending(tmp_path, lie=True)
    wrong = {(0, 0), (0, len(history.bundles[-1].books.ledgers[0].ids) - 1)}
    seconds, methods = 10, set()
    while methods <= {DEMAND} and seconds < 4500:
        decision = decide(at(history, seconds), history.folders[:1], ME)
        methods = {action.method for action in decision.actions}
        if methods == {DEMAND}:
            demanded(history, decision.actions, seconds)
            for action in decision.actions:
                if (action.stage, action.index) not in wrong:
                    answered(history, action.stage, action.index)
        seconds += WINDOW
    assert methods in ({"cancelUnanswered"}, {TRANSITION})


def test_demands_are_bounded(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    policy = replace(ME, most_demands=2)
    late = 3000  # the last round
    actions = decide(at(history, late), history.folders[:1], policy).actions
    assert len(actions) == 2
    demanded(history, actions, late)
    for action in actions:
        answered(history, action.stage, action.index)
    spent = decide(at(history, late), history.folders[:1], policy)
    assert spent.actions == ()
    assert "2 demands are spent, tell the arbiter" in spent.reason


def test_after_the_time_for_demands_people_are_told(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    decision = decide(at(history, 3600), history.folders[:1], ME)
    assert decision.actions == ()
    assert "the time for demands is over, tell the arbiter" in decision.reason


def test_a_demand_that_nobody_answered_cancels(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    demanded(history, [demand(1, 0, "")], 0, by=WALLETS[2])
    assert decide(at(history, WINDOW - 1), history.folders, ME).actions == ()
    action = one_action(decide(at(history, WINDOW), history.folders, ME))
    assert (action.method, action.arguments) == ("cancelUnanswered", (1, 0))


def test_bonds_of_own_open_demands_are_fetched_after_a_cancellation(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    demanded(history, [demand(1, 0, ""), demand(2, 1, "")], 0)
    demanded(history, [demand(0, 1, "")], 0, by=WALLETS[2])
    answered(history, 2, 1)
    history.cancel()
    action = one_action(decide(history.facts, history.folders, ME))
    assert (action.method, action.arguments) == ("reclaimDemandBond", (2, 1, 0))
    history.emit("DemandBondReturned", number=2, stage=1, index=0, by=WALLETS[1])
    assert decide(history.facts, history.folders, ME).actions == ()


def test_demands_about_a_right_settlement_are_answered_by_who_wants_to(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    demanded(history, [demand(1, 0, "")], 0, by=WALLETS[2])
    facts = at(history, 60)
    facts = replace(facts, balance=facts.balance + 10**16, ether=facts.ether + 10**16)  # the demand's bond
    assert decide(facts, history.folders, ME).actions == ()
    action = one_action(decide(facts, history.folders, replace(ME, answers=True)))
    books = history.bundles[-1].books
    assert action.method == "answer"
    assert action.arguments == (
        1, 0, history.before[1].leaf_proof(0), books.ledgers[1].leaf_proof(0), books.weights[1].weight_proof(0),
    )  # fmt: skip


def test_a_false_measurement_is_told_to_people(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    events = [
        event._replace(args={**event.args, "amount": event.args["amount"] + 1})
        if event.name == "Deposited"
        else event
        for event in history.facts.events
    ]
    decision = decide(replace(history.facts, events=tuple(events)), history.folders)
    assert decision.actions == ()
    assert "tell the arbiter" in decision.reason


def test_a_damaged_active_bundle_never_makes_a_false_challenge(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    path = history.folders[0] / f"ledger/{STAGES[0]}.bin"
    data = bytearray(path.read_bytes())
    data[47] ^= 1
    path.write_bytes(data)
    with pytest.raises(CannotTell, match="does not open the active root"):
        decide(history.facts, history.folders)


def test_nothing_pending_is_nothing_to_do(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    history.activate()
    assert decide(history.facts, history.folders).actions == ()


def test_without_the_active_bundle_it_cannot_tell(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=True)
    assert decide(history.facts, history.folders[1:]).reason.startswith("cannot tell")


def test_a_bundle_that_cannot_be_read_is_demanded(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    (history.folders[1] / f"ledger/{STAGES[0]}.bin").write_bytes(b"\0" * 7)
    decision = decide(history.facts, history.folders)
    assert {action.method for action in decision.actions} == {DEMAND}
    assert "cannot be read" in decision.reason


@pytest.mark.parametrize("part", ["ledger/*.bin", "usage.jsonl"])
def test_a_bundle_that_would_fill_the_memory_counts_as_not_published(tmp_path: Path, part: str) -> None:
    """Or a liar could end every watcher, and again after each restart. The files have holes: they take no room here."""
    history = pending(tmp_path, lie=False)
    honest = decide(history.facts, history.folders, ME)
    with next(history.folders[-1].glob(part)).open("r+b") as file:
        file.truncate(ME.most_bytes + 1)
    decision = decide(at(history, 10), history.folders, ME)
    assert honest.actions == ()
    assert "or it is too large" in decision.reason
    assert {action.stage for action in decision.actions} == {0, 1, 2}


def test_bonds_are_fetched_while_the_next_settlement_is_pending(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    history.emit(
        "Demanded", number=9, stage=1, index=0, by=WALLETS[1], activeAt=PROPOSED, answerUntil=PROPOSED
    )
    history.emit("Cancelled", number=9, reason=0, by=WALLETS[2], bondToChallenger=0)
    action = one_action(decide(history.facts, history.folders, ME))
    assert (action.method, action.arguments) == ("reclaimDemandBond", (9, 1, 0))


def test_the_folder_is_searched_by_evidence_not_by_name(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "manifest.json").write_text("{")
    history.folders[1].rename(tmp_path / "zz")
    assert FolderSource(tmp_path).folders(history.facts) == [history.folders[0], tmp_path / "zz"]


def test_bundles_are_fetched_by_url_and_kept(tmp_path: Path) -> None:
    history = pending(tmp_path / "published", lie=True)
    asked: list[str] = []

    def fetch(url: str) -> Iterator[bytes]:
        asked.append(url)
        yield (tmp_path / "published" / url.removeprefix("https://ame.example/")).read_bytes()

    source = UrlSource("https://ame.example/bundle-{number}", tmp_path / "cache", fetch)
    folders = source.folders(history.facts)
    assert one_action(decide(history.facts, folders)).method == TRANSITION
    count = len(asked)
    assert source.folders(history.facts) == folders
    assert len(asked) == count


def test_a_url_that_serves_something_else_is_as_nothing(tmp_path: Path) -> None:
    history = pending(tmp_path / "published", lie=False)
    log: list[str] = []
    source = UrlSource(
        "https://ame.example/{evidence}", tmp_path / "cache", lambda _: iter([b"{}"]), log.append
    )
    assert source.folders(history.facts) == []
    assert "expected the manifest" in log[0]
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("part", ["manifest.json", f"ledger/{STAGES[0]}.bin"])
def test_a_server_that_sends_for_ever_is_left(tmp_path: Path, part: str) -> None:
    history = pending(tmp_path / "published", lie=False)

    def fetch(url: str) -> Iterator[bytes]:
        if url.endswith(part):
            while True:
                yield bytes(2**20)
        yield (tmp_path / "published" / url.removeprefix("https://ame.example/")).read_bytes()

    log: list[str] = []
    source = UrlSource("https://ame.example/bundle-{number}", tmp_path / "cache", fetch, log.append)
    assert source.folders(history.facts) == []
    assert "expected at most" in log[0]


def test_a_server_that_drips_is_left(tmp_path: Path) -> None:
    """A byte a minute would hold the watcher until the settlement is active."""
    history = pending(tmp_path / "published", lie=False)
    seconds = 0.0

    def fetch(_url: str) -> Iterator[bytes]:
        nonlocal seconds
        while True:
            seconds += 60
            yield b"{"

    log: list[str] = []
    source = UrlSource("https://ame.example/{number}", tmp_path / "cache", fetch, log.append, lambda: seconds)
    assert source.folders(history.facts) == []
    assert seconds <= 3600 / 16 + 120
    assert "too slow" in log[0]


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
    assert sum(line.startswith("block") for line in log) == 1


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=True)
    log: list[str] = []
    Watcher(lambda: history.facts, FolderSource(tmp_path), None, log.append).step()
    assert log[-1].startswith("dry run: would send challengeTransition for leaf 0: leaf 0 is 0x")


def test_a_bundle_that_vanishes_is_demanded(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=True)
    shutil.rmtree(history.folders[1])
    decision = decide(history.facts, FolderSource(tmp_path).folders(history.facts))
    assert {action.method for action in decision.actions} == {DEMAND}


def test_nothing_is_read_twice_while_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = pending(tmp_path, lie=False)
    watcher = Watcher(lambda: history.facts, FolderSource(tmp_path), None, lambda _: None)
    first = watcher.step()
    monkeypatch.setattr("ame.audit.watch.decide", lambda *_: pytest.fail("decided again"))
    assert watcher.step() is first


def test_what_the_chain_refuses_is_logged_and_the_rest_is_sent(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    shutil.rmtree(history.folders[1])
    log: list[str] = []
    tried: list[Challenge] = []

    def send(_updates: Any, challenge: Challenge) -> str:
        tried.append(challenge)
        raise ChainError("AlreadyDemanded")

    decision = Watcher(lambda: at(history, 10), FolderSource(tmp_path), send, log.append, ME).step()
    assert tried == list(decision.actions)
    assert sum("not sent: ChainError: AlreadyDemanded" in line for line in log) == len(tried) > 1


def test_the_secret_outlives_a_restart(tmp_path: Path) -> None:
    first = secret_in(tmp_path / "cache")
    assert len(first) == 32
    assert secret_in(tmp_path / "cache") == first
    assert secret_in(tmp_path / "other") != first


def test_events_are_values(tmp_path: Path) -> None:
    history = pending(tmp_path, lie=False)
    assert isinstance(history.facts.events[0], PoolEvent)
