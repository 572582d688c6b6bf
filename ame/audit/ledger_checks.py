"""Is everybody in the ledgers, once, with exactly the telescoping part of each stage's amount?"""

from __future__ import annotations

from collections.abc import Sequence

from ame.audit import file_checks, independent
from ame.audit.case import Case, Differs, differ, same
from ame.audit.facts import ACTIVE
from ame.audit.reading import AllocationRows, LedgerRows, decoded
from ame.errors import CannotTell
from ame.records import StageUpdate

TRIES = 64
NOBODY = bytes(32)


def duplicates(case: Case) -> str:
    """Each contributor stands once in each ledger and once per stage in the allocation."""
    for stage, leaves in zip(case.contents.head.stages, case.ledgers, strict=True):
        first: dict[bytes, int] = {}
        for index, contributor_id in enumerate(leaves.ids):
            if first.setdefault(contributor_id, index) != index:
                differ(
                    f"0x{contributor_id.hex()} once",
                    f"it stands at index {first[contributor_id]} too",
                    f"ledger/{stage}.bin: index {index}",
                )
        if NOBODY in first:
            differ("a contributor", "an empty leaf", f"ledger/{stage}.bin: index {first[NOBODY]}")
    rows: AllocationRows = decoded(lambda: case.contents.allocation)
    known: dict[str, set[bytes]] = {stage: set() for stage in rows.stages}
    for number, (stage, contributor_id) in enumerate(zip(rows.stages, rows.ids, strict=True), 1):
        seen = known[stage]
        if contributor_id in seen:
            differ(
                "each contributor once per stage",
                f"0x{contributor_id.hex()} again",
                f"allocation.jsonl:{number}",
            )
        seen.add(contributor_id)
    return f"{sum(len(leaves.ids) for leaves in case.ledgers)} leaves, each contributor once per stage"


def weights(case: Case) -> str:
    """The ledgers' weights are the allocation's."""
    head = decoded(lambda: case.contents.head)
    rows: AllocationRows = decoded(lambda: case.contents.allocation)
    due: dict[str, dict[bytes, int]] = {stage: {} for stage in {*head.stages, *rows.stages}}
    for stage, contributor_id, weight in zip(rows.stages, rows.ids, rows.weights, strict=True):
        due[stage][contributor_id] = weight
    for stage, leaves in zip(head.stages, case.ledgers, strict=True):
        left = due[stage]
        for index, (contributor_id, weight) in enumerate(zip(leaves.ids, leaves.weights, strict=True)):
            expected = left.pop(contributor_id, 0)
            if expected != weight:
                differ(
                    expected,
                    _by(weight, expected),
                    f"ledger/{stage}.bin: index {index}: weight of 0x{contributor_id.hex()}",
                )
        if left:
            differ(f"0x{next(iter(left)).hex()} in the ledger", "no leaf", f"ledger/{stage}.bin")
    return "weights of the ledgers are those of the allocation"


def telescoping(case: Case) -> str:
    """Each line's amount is the telescoping part of the stage's amount; all sum to it."""
    head, ledgers = decoded(lambda: case.contents.head), case.ledgers
    part_of = {
        stage: dict(zip(rows.ids, parts, strict=True))
        for stage, rows, parts in zip(head.stages, ledgers, case.parts, strict=True)
    }
    for stage, amount, parts in zip(head.stages, head.amounts, case.parts, strict=True):
        same(amount, sum(parts), f"ledger/{stage}.bin: sum of the parts")
    rows: AllocationRows = decoded(lambda: case.contents.allocation)
    for number, (stage, contributor_id, amount) in enumerate(
        zip(rows.stages, rows.ids, rows.amounts, strict=True), 1
    ):
        expected = part_of.get(stage, {}).get(contributor_id)
        if expected != amount:
            whom = f"{rows.names[number - 1]}, 0x{contributor_id.hex()}, in {stage}"
            differ(expected, _by(amount, expected), f"allocation.jsonl:{number}: amount of {whom}")
    return f"parts sum to {sum(head.amounts)}"


def roots(case: Case) -> str:
    """Ledger and weight trees, built again, have the roots, totals and depths that were posted."""
    head = decoded(lambda: case.contents.head)
    updates: Sequence[StageUpdate] = head.updates
    if case.facts_or_none is not None:
        updates = case.proposal.args["stages"]
    for stage, rows, update in zip(head.stages, case.ledgers, updates, strict=True):
        after = update.afterwards
        where = f"ledger/{stage}.bin"
        if len(rows.ids) > 1 << after.depth:
            differ(f"at most {1 << after.depth} leaves", len(rows.ids), where)
        same(after.total, sum(rows.cumulatives), f"{where}: total")
        same(update.weight_total, sum(rows.weights), f"{where}: total of the weights")
        leaves = map(independent.leaf, rows.ids, rows.cumulatives)
        same(after.root, independent.top(leaves, after.depth)[0], f"{where}: root")
        weights_ = ((NOBODY, weight) for weight in rows.weights)
        same(update.weight_root, independent.top(weights_, after.depth)[0], f"{where}: root of the weights")
        smallest = max(update.before.depth, 1, (len(rows.ids) - 1).bit_length())
        same(smallest, after.depth, f"{where}: depth, the smallest that fits")
    return f"roots of {len(updates)} ledgers and their weights"


def transition(case: Case) -> str:
    """Each leaf is the older ledger's plus its part; nobody is dropped, moved or cut back."""
    head = decoded(lambda: case.contents.head)
    older = _older(case)
    for position, (stage, update) in enumerate(zip(head.stages, head.updates, strict=True)):
        _check_stage(
            stage, update, case.ledgers[position], case.parts[position], older[position] if older else None
        )
    return "every leaf is the older one plus its part"


def _older(case: Case) -> tuple[LedgerRows, ...] | None:
    """The ledgers before this settlement, where their bundle is at hand."""
    wanted = case.contents.files.manifest["previous"]
    for contents in reversed(case.older):
        if contents.files.sha256 == wanted:
            rows: tuple[LedgerRows, ...] = decoded(lambda found=contents: found.ledgers)  # type: ignore[misc]
            return rows
    return None


def _check_stage(
    stage: str, update: StageUpdate, rows: LedgerRows, parts: Sequence[int], older: LedgerRows | None
) -> None:
    where = f"ledger/{stage}.bin"
    if older is not None:
        if len(rows.ids) < len(older.ids):
            differ(f"at least the {len(older.ids)} leaves of the older ledger", len(rows.ids), where)
        for index, (contributor_id, cumulative) in enumerate(zip(older.ids, older.cumulatives, strict=True)):
            same(contributor_id, rows.ids[index], f"{where}: index {index}: contributor")
            _check_leaf(where, index, contributor_id, cumulative + parts[index], rows.cumulatives[index])
        for index in range(len(older.ids), len(rows.ids)):
            _check_leaf(where, index, rows.ids[index], parts[index], rows.cumulatives[index])
        return
    before = [cumulative - part for cumulative, part in zip(rows.cumulatives, parts, strict=True)]
    for index, amount in enumerate(before):
        if amount < 0:
            _check_leaf(where, index, rows.ids[index], parts[index], rows.cumulatives[index])
    if (update.before.root, update.before.total, update.before.depth) == (independent.INITIAL_ROOT, 0, 1):
        for index, amount in enumerate(before):
            if amount:
                _check_leaf(where, index, rows.ids[index], parts[index], rows.cumulatives[index])
        return
    same(update.before.total, sum(before), f"{where}: total before")
    _check_root_before(where, update, rows, before)


def _check_leaf(where: str, index: int, contributor_id: bytes, expected: int, found: int) -> None:
    if expected != found:
        differ(
            expected, _by(found, expected), f"{where}: index {index}: cumulative of 0x{contributor_id.hex()}"
        )


def _check_root_before(where: str, update: StageUpdate, rows: LedgerRows, before: Sequence[int]) -> None:
    """The ledger before ends somewhere among the last leaves that had nothing: new ones and ones that had nothing."""
    most = len(before)
    least = next((index + 1 for index in range(most - 1, -1, -1) if before[index]), 0)
    for tried, count in enumerate(range(least, min(most, 1 << update.before.depth) + 1)):
        if tried == TRIES:
            raise CannotTell(
                f"{where}: which leaves are new cannot be told without the bundle before this one"
            )
        leaves = map(independent.leaf, rows.ids[:count], before[:count])
        if independent.top(leaves, update.before.depth)[0] == update.before.root:
            return
    differ(update.before.root, "no ledger that these amounts and parts follow from", f"{where}: root before")


def _by(found: int, expected: int | None) -> str:
    return str(found) if expected is None else f"{found} ({found - expected:+d})"


def ledgers(case: Case) -> str:
    """The bundles before this one that are at hand lead from one to the next, each with the roots on chain."""
    checked, events = 0, list(case.facts.named("Proposed"))
    by_evidence = {event.args["evidence"].hex(): event.args["number"] for event in events}
    for position, contents in enumerate(case.older):
        number = by_evidence.get(contents.files.sha256)
        if number is None or str(number) != contents.files.manifest["number"]:
            differ(
                "the evidence of a settlement of this pool", contents.files.sha256, str(contents.files.folder)
            )
        older = Case(contents, case.facts, case.older[:position])
        for holds in (file_checks.manifest, file_checks.proposal, file_checks.previous, roots, transition):
            try:
                holds(older)
            except Differs as found:
                differ(found.expected, found.found, f"settlement {number}: {found.where}")
        checked += 1
    before = [
        e for e in events if e.args["number"] < case.number and case.facts.status(e.args["number"]) == ACTIVE
    ]
    return f"{checked} of the {len(before)} bundles before this one were at hand, and hold"
