"""No false alarm on honest histories; no random change that goes unnoticed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ame.audit.audit import audit
from ame.audit.facts import PoolEvent
from ame.bundle import read_bundle
from ame.pipeline import Epoch, settle
from ame.records import StageUpdate
from tests.audit.synthetic import POOL, History, random_history
from tests.audit.tampering import Copy, copy_of, honest_history

DEEP = pytest.mark.deep
HISTORIES = [pytest.param(number, marks=() if number < 20 else DEEP) for number in range(200)]


@pytest.mark.parametrize("number", HISTORIES)
def test_no_false_alarm(tmp_path: Path, number: int) -> None:
    history = random_history(tmp_path, number)
    report = audit(history.folders, history.facts)
    assert report.exit_code == 0, report.sentence


def test_a_settlement_is_audited_without_the_bundles_before_it(tmp_path: Path) -> None:
    history = honest_history(tmp_path)
    assert audit(history.folders[-1:], history.facts).exit_code == 0


def test_an_older_settlement_is_still_true_after_the_next_one(tmp_path: Path) -> None:
    history = honest_history(tmp_path)
    assert audit(history.folders[:1], history.facts).exit_code == 0


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> History:
    return honest_history(tmp_path_factory.mktemp("honest"))


@pytest.mark.parametrize(
    "block", [pytest.param(number, marks=() if number == 0 else DEEP) for number in range(40)]
)
def test_random_mutations_are_found(honest: History, tmp_path: Path, block: int) -> None:
    """25 in each block, 1,000 in all: of files with and without posting them, and of the chain's facts.

    Each is found under a name that it should have, or the same money follows from it.
    """
    for number in range(25):
        seed = random.Random(block * 25 + number)
        copy = copy_of(honest, tmp_path / str(number))
        change = mutate_facts(copy, seed) if seed.random() < 0.3 else mutate_file(copy, seed)
        report = copy.report()
        if report.exit_code == 0 and change.posted:
            assert pays_the_same(copy, honest), f"{change.what} is not found"
            continue
        if report.exit_code == 2 and change.posted:  # a value that others follow from is not there any more
            assert "is not in the bundle" in report.sentence, f"{change.what}: {report.sentence}"
            continue
        assert report.exit_code == 1, f"{change.what}: {report.sentence}"
        assert report.false[0].name in change.names, f"{change.what}: {report.sentence}"


def pays_the_same(copy: Copy, honest: History) -> bool:
    """Whether what the bundle says of sales, values and rights leads to the posted settlement, line by line.

    By the code that settles, not by the one that audits: an other id of a sale or a comment in the rights is no lie.
    """
    bundle, posted = read_bundle(copy.folder), honest.bundles[-1]
    again = settle(
        Epoch(
            chain_id=31337, pool=POOL, number=posted.settlement.number, terms=bundle.terms, token=bundle.token,
            measurements=bundle.measurements, usage=bundle.usage, rights=bundle.rights, at=bundle.at,
            ledgers=honest.bundles[-2].books.ledgers, previous=bundle.previous,
        )
    )  # fmt: skip
    return (again.books, again.terms) == (posted.books, posted.terms) and [
        [line[:2] for line in lines] for lines in again.allocation.lines
    ] == [[line[:2] for line in lines] for lines in posted.allocation.lines]


class Mutation(NamedTuple):
    """What was changed, whether it was posted (so that no hash shows it), and which checks may be the first to say it."""

    what: str
    posted: bool
    names: frozenset[str]


ALTERED = frozenset({"manifest"})
OF_THE_MANIFEST = frozenset({"manifest", "chain", "pool", "evidence"})
BY_PART = {
    "manifest.json": frozenset({"manifest", "chain", "pool", "evidence", "previous", "ledgers"}),
    "settlement.json": frozenset(
        {"manifest", "format", "terms", "proposal", "usage", "table", "shapley", "allocation"}
    ),
    "usage.jsonl": frozenset({"format", "usage", "table", "shares", "allocation"}),  # the last sale's time
    "coalitions.json": frozenset({"format", "usage", "measurement", "table", "shares"}),
    "shares.json": frozenset({"format", "table", "shares"}),
    "rights.yaml": frozenset({"format", "rights", "allocation", "names"}),
    "allocation.jsonl": frozenset({"format", "allocation", "names", "weights", "duplicates", "telescoping"}),
    "ledger": frozenset({"format", "weights", "duplicates", "telescoping", "roots", "transition"}),
}
BY_EVENT = {
    "Proposed": frozenset({"evidence", "previous", "proposal", "usage", "roots", "ledgers", "history"}),
    "Deposited": frozenset({"deposits"}),
    "Claimed": frozenset({"claims", "balance"}),
}
BY_BOOK = {
    "unallocated": "deposits",
    "pending_revenue": "deposits",
    "unclaimed": "claims",
    "number": "history",
}


def mutate_file(copy: Copy, seed: random.Random) -> Mutation:
    part = seed.choice(sorted(path.relative_to(copy.folder).as_posix() for path in copy.folder.rglob("*.*")))
    kind = seed.choice(["flip", "drop", "double", "swap", "cut"])

    def change(data: bytes) -> bytes:
        at, other = seed.randrange(len(data)), seed.randrange(len(data))
        new = bytearray(data)
        if kind == "flip":
            new[at] ^= 1 << seed.randrange(8)
        elif kind == "drop":
            del new[at]
        elif kind == "double":
            new.insert(at, data[at])
        elif kind == "swap":
            new[at], new[other] = new[other], new[at]
        else:
            new = new[:at]
        return bytes(new) if bytes(new) != data else data + b"\0"

    copy.raw(part, change)
    what = f"{kind} in {part}"
    if seed.random() < 0.5:
        return Mutation(what, False, OF_THE_MANIFEST if part == "manifest.json" else ALTERED)
    if part == "manifest.json":
        copy.evidence()
    else:
        copy.repost()
    return Mutation(f"{what}, posted", True, BY_PART[part.partition("/")[0]])


def mutate_facts(copy: Copy, seed: random.Random) -> Mutation:
    facts = copy.facts
    kind = seed.choice(["event", "drop", "book", "terms"])
    at = seed.randrange(len(facts.events))
    event = facts.events[at]
    if kind == "event":
        name = seed.choice([name for name in sorted(event.args) if relevant(event, name)])
        copy.facts = replace(facts, events=(*facts.events[:at], moved(event, name), *facts.events[at + 1 :]))
        return Mutation(f"{event.name}.{name}", False, BY_EVENT[event.name])
    if kind == "drop":
        copy.facts = replace(facts, events=(*facts.events[:at], *facts.events[at + 1 :]))
        return Mutation(f"without {event.name}", False, BY_EVENT[event.name])
    if kind == "book":
        name = seed.choice(sorted(BY_BOOK))
        by = seed.choice([1, 7, 10**18])
        # More than is owed may lie there: anybody can send the pool money.
        copy.books(**{name: getattr(facts.books, name) + (-by if name == "unclaimed" else by)})
        return Mutation(name, False, frozenset({BY_BOOK[name]}))
    name = seed.choice(["challenge_seconds", "bond_wei", "abandon_seconds"])
    copy.facts = replace(facts, terms=facts.terms._replace(**{name: getattr(facts.terms, name) + 1}))
    return Mutation(name, False, frozenset({"terms"}))


def relevant(event: PoolEvent, name: str) -> bool:
    """Who paid in, where a claim went and when are facts that nothing else on chain could contradict."""
    free = {"depositor", "depositReference", "recipient", "activeAt", "timestamp"}
    return name not in free and not (
        event.name == "Proposed" and event.args["number"] == 1 and name == "stages"
    )


def moved(event: PoolEvent, name: str) -> PoolEvent:
    def change(value: Any) -> Any:
        if isinstance(value, int):
            return value + 1
        if isinstance(value, bytes):
            return bytes([value[0] ^ 1]) + value[1:]
        if isinstance(value, StageUpdate):
            return value._replace(weight_total=value.weight_total + 1)
        return (change(value[0]), *value[1:])

    return event._replace(args={**event.args, name: change(event.args[name])})
