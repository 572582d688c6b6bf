"""No false alarm on honest histories; no random change that goes unnoticed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ame.audit.audit import audit
from ame.audit.facts import PoolEvent
from ame.records import StageUpdate
from tests.audit.synthetic import History, random_history
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
    """25 in each block, 1,000 in all: of files with and without posting them, and of the chain's facts."""
    for number in range(25):
        seed = random.Random(block * 25 + number)
        copy = copy_of(honest, tmp_path / str(number))
        what = mutate_facts(copy, seed) if seed.random() < 0.3 else mutate_file(copy, seed)
        report = copy.report()
        assert report.exit_code == 1, f"{what}: {report.sentence}"


def mutate_file(copy: Copy, seed: random.Random) -> str:
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
    if part == "manifest.json" or part == "rights.yaml":
        return f"{kind} in {part}"  # a comment in the rights is no lie once it is posted
    if part in ("usage.jsonl", "coalitions.json"):
        return f"{kind} in {part}"  # nor is another id of a sale, or seed of an exact measurement
    if seed.random() < 0.5:
        copy.repost()
    return f"{kind} in {part}"


def mutate_facts(copy: Copy, seed: random.Random) -> str:
    facts = copy.facts
    kind = seed.choice(["event", "drop", "book", "terms"])
    at = seed.randrange(len(facts.events))
    event = facts.events[at]
    if kind == "event":
        name = seed.choice([name for name in sorted(event.args) if relevant(event, name)])
        copy.facts = replace(facts, events=(*facts.events[:at], moved(event, name), *facts.events[at + 1 :]))
        return f"{event.name}.{name}"
    if kind == "drop":
        copy.facts = replace(facts, events=(*facts.events[:at], *facts.events[at + 1 :]))
        return f"without {event.name}"
    if kind == "book":
        name = seed.choice(["unallocated", "pending_revenue", "unclaimed", "number"])
        copy.books(**{name: getattr(facts.books, name) + seed.choice([1, 7, 10**18])})
        return name
    name = seed.choice(["challenge_seconds", "bond_wei", "abandon_seconds"])
    copy.facts = replace(facts, terms=facts.terms._replace(**{name: getattr(facts.terms, name) + 1}))
    return name


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
