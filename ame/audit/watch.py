"""Follows a pool: audits each proposal as it comes and challenges what is false. One honest watcher is enough."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ame.audit import demands
from ame.audit.audit import audit
from ame.audit.facts import PENDING, ChainFacts, PoolEvent
from ame.audit.known import KnownStage, Leaves, Published, Shown
from ame.audit.lies import DEMAND, Challenge, answer_of, demand, find_lie, find_proof
from ame.audit.reading import Contents, LedgerRows, read_files
from ame.audit.report import Verdict
from ame.audit.source import MAX_BUNDLE_BYTES, Source
from ame.errors import AmeError, CannotTell
from ame.records import LeafProof, StageUpdate, WeightProof

__all__ = ["Decision", "Policy", "Watcher", "decide", "find_lie", "secret_in", "send_challenge"]

LONGEST_PAUSE_SECONDS = 300
CANCEL, RECLAIM = "cancelUnanswered", "reclaimDemandBond"
Leaf = tuple[int, int]  # stage, index
Send = Callable[[Sequence[StageUpdate], Challenge], str]  # gives the transaction's hash


@dataclass(frozen=True)
class Policy:
    """How a watcher acts. `me`: its address; `secret` makes its demands unpredictable; `most_demands`: per settlement."""

    me: str | None = None
    secret: bytes = b""
    most_demands: int = 128
    most_bytes: int = MAX_BUNDLE_BYTES  # of a bundle; what is larger counts as not published
    answers: bool = False  # show demanded leaves of a settlement that is right, for their bonds


class Decision(NamedTuple):
    """What the watcher does, in this order: challenges, demands, answers, bonds to fetch, or nothing; and why."""

    actions: tuple[Challenge, ...]
    reason: str


class _Demands(NamedTuple):
    """Demands of one settlement by leaf: who made it and until when it can be answered."""

    all: dict[Leaf, tuple[str, int]]
    answered: dict[Leaf, PoolEvent]

    @property
    def open(self) -> dict[Leaf, tuple[str, int]]:
        """Those without an answer."""
        return {leaf: one for leaf, one in self.all.items() if leaf not in self.answered}

    def shown(self, stage: int) -> list[Shown]:
        """What the answers showed of a stage."""
        return [
            Shown(
                leaf[1],
                LeafProof(*event.args["before"]),
                LeafProof(*event.args["afterwards"]),
                WeightProof(*event.args["weight"]),
            )
            for leaf, event in self.answered.items()
            if leaf[0] == stage
        ]


def decide(facts: ChainFacts, folders: Sequence[Path], policy: Policy = Policy()) -> Decision:
    """What to do as of these facts. `folders`: published bundles, oldest first; others are left out. Pure but for
    reading them."""
    decision = _decide(facts, folders, policy)
    return Decision((*decision.actions, *_bonds_to_fetch(facts, policy)), decision.reason)


def _decide(facts: ChainFacts, folders: Sequence[Path], policy: Policy) -> Decision:
    """The same without the bonds of earlier demands."""
    number = facts.books.number
    if facts.books.current != PENDING:
        return Decision((), f"settlement {number} is {facts.books.current}: nothing to watch")
    made = _demands(facts, number)
    overdue = [leaf for leaf, (_, until) in made.open.items() if facts.timestamp >= until]
    if overdue:
        [(stage, index), *_] = overdue
        why = f"nobody showed leaf {index} of stage {stage} in time"
        return Decision((Challenge(CANCEL, stage, index, why, (stage, index)),), why)
    folders = [folder for folder in folders if _size(folder) <= policy.most_bytes]
    stages, missing = _known(facts, folders, made)
    proof = find_proof(stages)
    if proof is not None:
        return Decision((proof,), proof.reason)
    if any(known.hidden for known in stages):
        return _search(facts, stages, made, policy, missing)
    if any(known.before is None for known in stages):
        return Decision((), "cannot tell: the bundle of the active settlement is not at hand")
    return _defend(facts, folders, stages, made, policy)


def _search(
    facts: ChainFacts, stages: Sequence[KnownStage], made: _Demands, policy: Policy, missing: str | None
) -> Decision:
    """The next demands, or what there is to wait for."""
    proposed, period = _proposed(facts).args["timestamp"], facts.terms.challenge_seconds
    mine = {leaf: one for leaf, one in made.all.items() if policy.me in (None, one[0])}
    waiting = {leaf: until for leaf, (_, until) in mine.items() if leaf in made.open}
    window = answer_seconds(period)
    began = min([until - window for until in waiting.values()], default=facts.timestamp)
    rounds = demands.rounds_left(began, proposed + period, window)
    targets = demands.choose(stages, rounds, policy.secret + _proposed(facts).args["evidence"])
    spent = len(mine) - len(waiting)
    allowance = -(-max(0, policy.most_demands - spent) // rounds) - len(waiting)
    bond = facts.terms.demand_bond_wei
    reward = facts.terms.bond_wei // 2 // bond - len(mine) if bond else 1 << 24
    new = demands.affordable(targets, made.all, allowance, reward)
    count, leaves = sum(len(known.hidden) for known in stages), _hidden_leaves(stages)
    why = missing or "what was published does not open the roots"
    state = f"{why}; {leaves} leaves in {count} subtrees are hidden, {len(made.answered)} were shown"
    if facts.timestamp >= proposed + period:
        return Decision((), f"{state}; the time for demands is over, tell the arbiter")
    actions = tuple(demand(one.stage, one.index, _why(one, why)) for one in new)
    if actions:
        return Decision(actions, f"{state}; {len(actions)} leaves to demand")
    if waiting:
        return Decision((), f"{state}; waiting for answers to {len(waiting)} demands")
    return Decision((), f"{state}; {policy.most_demands} demands are spent, tell the arbiter")


def _why(target: demands.Target, why: str) -> str:
    last = target.subtree.end - 1
    sure = ", whose sums cannot be right" if target.sure else ""
    return f"leaf {target.index} of stage {target.stage}, of the hidden {target.subtree.first} to {last}{sure}: {why}"


def _hidden_leaves(stages: Sequence[KnownStage]) -> int:
    return sum(1 << subtree.height for known in stages for subtree in known.hidden)


def answer_seconds(challenge_seconds: int) -> int:
    """How long a demand can be answered, as the pool has it: a quarter of the challenge period, rounded up."""
    return -(-challenge_seconds // 4)


def _defend(
    facts: ChainFacts, folders: Sequence[Path], stages: Sequence[KnownStage], made: _Demands, policy: Policy
) -> Decision:
    """Nothing in code is wrong. What else an audit says is for people to act on; demands can be answered."""
    report = audit(list(folders), facts)
    if report.verdict is Verdict.FALSE:
        return Decision((), f"false, but not provable by code, tell the arbiter: {report.sentence}")
    reason = f"settlement {facts.books.number}: {report.sentence}"
    if not policy.answers:
        return Decision((), reason)
    return Decision(tuple(answer_of(stage, stages[stage], index) for stage, index in made.open), reason)


def _proposed(facts: ChainFacts) -> PoolEvent:
    proposal = facts.proposal(facts.books.number)
    if proposal is None:
        raise CannotTell(f"Proposed({facts.books.number}) is not in the blocks from {facts.first_block} on")
    return proposal


def _demands(facts: ChainFacts, number: int) -> _Demands:
    def of(name: str) -> dict[Leaf, PoolEvent]:
        return {
            (event.args["stage"], event.args["index"]): event
            for event in facts.named(name)
            if event.args["number"] == number
        }

    made = {leaf: (event.args["by"], event.args["answerUntil"]) for leaf, event in of("Demanded").items()}
    return _Demands(made, of("Answered"))


def _bonds_to_fetch(facts: ChainFacts, policy: Policy) -> tuple[Challenge, ...]:
    """Own demands that a cancellation left open."""
    bonds = []
    for cancelled in {event.args["number"] for event in facts.named("Cancelled")}:
        returned = {
            (event.args["stage"], event.args["index"])
            for event in facts.named("DemandBondReturned")
            if event.args["number"] == cancelled
        }
        for (stage, index), (by, _) in _demands(facts, cancelled).open.items():
            if by == policy.me and (stage, index) not in returned:
                why = f"the bond of the demand of leaf {index} of stage {stage}, settlement {cancelled}"
                bonds.append(Challenge(RECLAIM, stage, index, why, (cancelled, stage, index)))
    return tuple(bonds)


def _known(facts: ChainFacts, folders: Sequence[Path], made: _Demands) -> tuple[list[KnownStage], str | None]:
    """What is known of each stage; and why the published bundle is not, if it is not."""
    proposal, by_evidence = _proposed(facts), {_evidence(folder): folder for folder in folders}
    updates: Sequence[StageUpdate] = proposal.args["stages"]
    published, missing = _ledgers(by_evidence.get(proposal.args["evidence"].hex()), len(updates))
    active = facts.active_before(facts.books.number)
    before: Sequence[LedgerRows] | None = [LedgerRows([], [], [])] * len(updates)
    if active is not None:
        before, _ = _ledgers(by_evidence.get(active.args["evidence"].hex()), len(updates))
    stages = [
        KnownStage(
            update,
            _at(before, stage),
            None if published is None else Published(published[stage], published[stage].weights),
            made.shown(stage),
        )
        for stage, update in enumerate(updates)
    ]
    return stages, missing


def _at(ledgers: Sequence[LedgerRows] | None, stage: int) -> Leaves | None:
    return None if ledgers is None else ledgers[stage]


def _ledgers(folder: Path | None, stages: int) -> tuple[Sequence[LedgerRows] | None, str | None]:
    """The ledgers of a bundle, or why they cannot be had."""
    if folder is None:
        return None, "no bundle with this evidence was published, or it is too large"
    try:
        found = Contents(read_files(folder, _opens_roots)).ledgers
    except AmeError as error:
        return None, f"the published bundle cannot be read: {error}"
    if len(found) != stages:
        return None, f"the published bundle has {len(found)} stages, the pool {stages}"
    return found, None


def _opens_roots(name: str) -> bool:
    return name == "settlement.json" or name.startswith("ledger/")


def _size(folder: Path) -> int:
    """Bytes on the disk, whatever the manifest says."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _evidence(folder: Path) -> str:
    try:
        return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    except OSError:
        return ""


def send_challenge(chain: Any, pool: Any, updates: Sequence[StageUpdate], lie: Challenge, sender: Any) -> Any:
    """Send it; a demand carries its bond."""
    method = getattr(pool, lie.method)
    if lie.method in (CANCEL, RECLAIM):
        return chain.send(method, *lie.arguments, sender=sender)
    value = int(pool.terms().demandBondWei) if lie.method == DEMAND else 0
    return chain.send(method, list(updates), *lie.arguments, sender=sender, value=value)


def secret_in(folder: Path) -> bytes:
    """The watcher's secret, drawn when it first starts there: after a restart it demands the same leaves."""
    path = folder / "secret"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return path.read_bytes()


class Watcher:
    """Watches one pool. What was done is on the chain, so that it survives restarts; `policy.secret` must be the same."""

    def __init__(
        self,
        gather: Callable[[], ChainFacts],
        source: Source,
        send: Send | None,
        log: Callable[[str], None],
        policy: Policy = Policy(),
    ) -> None:
        self.gather, self.source, self.send, self.log, self.policy = gather, source, send, log, policy
        self.said = ""
        self.refused: set[Challenge] = set()
        self.last: tuple[object, Decision] | None = None

    def step(self) -> Decision:
        """Look once, and act. `send` None is a dry run."""
        facts = self.gather()
        decision = self._decide(facts)
        self._say(f"block {facts.block}: settlement {facts.books.number}: {decision.reason}")
        proposal = facts.proposal(facts.books.number)
        for action in decision.actions:
            if action in self.refused:
                continue
            if self.send is None:
                self._say(f"dry run: would send {action.method} for leaf {action.index}: {action.reason}")
            else:
                self._act(self.send, action, proposal.args["stages"] if proposal is not None else ())
        return decision

    def _decide(self, facts: ChainFacts) -> Decision:
        """Reading and hashing a large bundle takes its time: once for the same events, unless something is to be done."""
        folders = self.source.folders(facts)
        moment = self._moment(facts, folders)
        if self.last is None or self.last[0] != moment or set(self.last[1].actions) - self.refused:
            self.last = (moment, decide(facts, folders, self.policy))
        return self.last[1]

    def _moment(self, facts: ChainFacts, folders: Sequence[Path]) -> object:
        """All that a decision depends on: of the time only whether a demand is overdue and how many rounds are left."""
        if facts.books.current != PENDING:
            return facts.books, len(facts.events)
        until = _proposed(facts).args["timestamp"] + facts.terms.challenge_seconds
        rounds = demands.rounds_left(facts.timestamp, until, answer_seconds(facts.terms.challenge_seconds))
        made = _demands(facts, facts.books.number)
        overdue = any(facts.timestamp >= end for _, end in made.open.values())
        return facts.books, facts.events, tuple(folders), rounds, facts.timestamp >= until, overdue

    def _act(self, send: Send, action: Challenge, updates: Sequence[StageUpdate]) -> None:
        """Send. Others may have been quicker, or the node is away: the next look tries again what is still to be done."""
        what = f"{action.method}: {action.reason}"
        try:
            self.log(f"{what}: sent in {send(updates, action)}")
        except Exception as error:  # of the node, its client or the contract: none may end the watch
            if action.method == RECLAIM:
                self.refused.add(action)  # cancelUnanswered has paid this bond already
            else:
                self.log(f"{what}: not sent: {type(error).__name__}: {error}")

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
            except Exception as error:  # whatever a node sends or a stranger publishes: the watch goes on
                pause = min(2 * pause, max(LONGEST_PAUSE_SECONDS, pause_seconds))
                self.log(f"trying again in {pause} s: {type(error).__name__}: {error}")
            done += 1
            sleep(pause)

    def _say(self, text: str) -> None:
        """Each thing once, not at every look."""
        rest = text.partition(": ")[2]
        if rest != self.said:
            self.log(text)
        self.said = rest
