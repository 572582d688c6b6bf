"""Follows a pool: audits each proposal as it comes and challenges what is false. One honest watcher is enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ame.audit import lies
from ame.audit.audit import audit
from ame.audit.facts import PENDING, ChainFacts
from ame.audit.lies import Challenge, find_lie
from ame.audit.reading import Contents, LedgerRows, read_files
from ame.audit.report import Verdict
from ame.audit.source import Source
from ame.errors import AmeError, CannotTell, ChainError
from ame.records import StageUpdate

__all__ = ["Decision", "Watcher", "decide", "find_lie", "send_challenge"]

LONGEST_PAUSE_SECONDS = 300


class Decision(NamedTuple):
    """What the watcher does about the latest settlement: a challenge, `cancelUnanswered`, or nothing; and why."""

    action: Challenge | None
    reason: str


def decide(facts: ChainFacts, folders: Sequence[Path]) -> Decision:
    """What to do as of these facts. `folders`: published bundles, oldest first; others are left out. Pure but for
    reading them."""
    number = facts.books.number
    if facts.books.current != PENDING:
        return Decision(None, f"settlement {number} is {facts.books.current}: nothing to watch")
    overdue = _overdue_demand(facts)
    if overdue is not None:
        return Decision(overdue, overdue.reason)
    proposal = facts.proposal(number)
    if proposal is None:
        raise CannotTell(f"Proposed({number}) is not in the blocks from {facts.first_block} on")
    by_evidence = {contents.files.sha256: contents for contents in _readable(folders)}
    published = by_evidence.get(proposal.args["evidence"].hex())
    updates: Sequence[StageUpdate] = proposal.args["stages"]
    if published is None:
        return _once(facts, lies.demand_missing(updates))
    before = _ledgers_before(facts, by_evidence)
    if before is None:
        return Decision(None, "cannot tell: the bundle of the active settlement is not at hand")
    try:
        ledgers = published.ledgers
        lie = find_lie(before, updates, ledgers, ledgers)
    except AmeError as error:
        missing = lies.demand_missing(updates)
        return _once(facts, missing._replace(reason=f"the published ledger cannot be read: {error}"))
    if lie is not None:
        return _once(facts, lie)
    return _audited(published, facts, list(by_evidence.values()))


def _audited(published: Contents, facts: ChainFacts, known: Sequence[Contents]) -> Decision:
    """No proof in code: what else an audit says is for people to act on."""
    older = [one.files.folder for one in known if one is not published]
    report = audit([*older, published.files.folder], facts)
    if report.verdict is Verdict.FALSE:
        return Decision(None, f"false, but not provable by code, tell the arbiter: {report.sentence}")
    return Decision(None, f"settlement {facts.books.number}: {report.sentence}")


def _once(facts: ChainFacts, challenge: Challenge) -> Decision:
    """A demand that is open or was answered is not made again; the next leaf to ask for is another one."""
    if challenge.method != lies.DEMAND:
        return Decision(challenge, challenge.reason)
    asked = {
        (event.args["stage"], event.args["index"])
        for event in facts.named("Demanded")
        if event.args["number"] == facts.books.number
    }
    if (challenge.stage, challenge.index) in asked:
        return Decision(
            None, f"leaf {challenge.index} of stage {challenge.stage} was demanded: {challenge.reason}"
        )
    return Decision(challenge, challenge.reason)


def _overdue_demand(facts: ChainFacts) -> Challenge | None:
    """A demand whose time to answer is over: half a challenge period after the period itself."""
    number = facts.books.number
    proposal = facts.proposal(number)
    if proposal is None:
        return None
    period = facts.terms.challenge_seconds
    until = proposal.args["timestamp"] + period + period // 2
    answered = {
        (event.args["stage"], event.args["index"])
        for event in facts.named("Answered")
        if event.args["number"] == number
    }
    for event in facts.named("Demanded"):
        leaf = (event.args["stage"], event.args["index"])
        if event.args["number"] == number and leaf not in answered and facts.timestamp >= until:
            return Challenge(
                "cancelUnanswered", *leaf, f"nobody showed leaf {leaf[1]} of stage {leaf[0]}", leaf
            )
    return None


def _readable(folders: Sequence[Path]) -> list[Contents]:
    found = []
    for folder in folders:
        try:
            found.append(Contents(read_files(folder)))
        except AmeError:
            continue  # whatever it is, it is not the bundle that the evidence names
    return found


def _ledgers_before(facts: ChainFacts, by_evidence: dict[str, Contents]) -> Sequence[LedgerRows] | None:
    """The active ledgers: empty before the first settlement, else from the bundle of the active one."""
    active = facts.active_before(facts.books.number)
    if active is None:
        return [LedgerRows([], [], [])] * facts.terms.stage_count
    contents = by_evidence.get(active.args["evidence"].hex())
    if contents is None:
        return None
    try:
        return contents.ledgers
    except AmeError:
        return None


def send_challenge(chain: Any, pool: Any, updates: Sequence[StageUpdate], lie: Challenge, sender: Any) -> Any:
    """Send it; a demand carries its bond."""
    if lie.method == "cancelUnanswered":
        return chain.send(pool.cancelUnanswered, *lie.arguments, sender=sender)
    value = int(pool.terms().demandBondWei) if lie.method == lies.DEMAND else 0
    method = getattr(pool, lie.method)
    return chain.send(method, list(updates), *lie.arguments, sender=sender, value=value)


class Watcher:
    """Watches one pool. Keeps no state of its own: what was done is on the chain, so that it survives restarts."""

    def __init__(
        self,
        gather: Callable[[], ChainFacts],
        source: Source,
        send: Callable[[Sequence[StageUpdate], Challenge], str] | None,
        log: Callable[[str], None],
    ) -> None:
        self.gather, self.source, self.send, self.log = gather, source, send, log
        self.said = ""

    def step(self) -> Decision:
        """Look once, and act. `send` None is a dry run."""
        facts = self.gather()
        folders = self.source.folders(facts)
        decision = decide(facts, folders)
        self._say(f"block {facts.block}: settlement {facts.books.number}: {decision.reason}")
        if decision.action is not None and self.send is None:
            self._say(f"dry run: would send {decision.action.method} for leaf {decision.action.index}")
        elif decision.action is not None and self.send is not None:
            proposal = facts.proposal(facts.books.number)
            updates = proposal.args["stages"] if proposal is not None else ()
            self.log(f"{decision.action.method}: sent in {self.send(updates, decision.action)}")
        return decision

    def run(
        self,
        pause_seconds: int,
        sleep: Callable[[float], None] = time.sleep,
        steps: int | None = None,
    ) -> None:
        """Look again and again; after a failure wait twice as long, up to five minutes."""
        pause, done = pause_seconds, 0
        while steps is None or done < steps:
            try:
                self.step()
                pause = pause_seconds
            except (ChainError, CannotTell, OSError) as error:
                pause = min(2 * pause, max(LONGEST_PAUSE_SECONDS, pause_seconds))
                self.log(f"trying again in {pause} s: {error}")
            done += 1
            sleep(pause)

    def _say(self, text: str) -> None:
        """Each thing once, not at every look."""
        rest = text.partition(": ")[2]
        if rest != self.said:
            self.log(text)
        self.said = rest
