"""Finds the provable lie in a proposal, and the cheapest challenge that proves it. Pure.

Every lie about a known tree is one of: its root does not add up to the declared total; a contributor stands in it
twice; a leaf is not the older one plus its telescoping part. What is hidden is met by demands (`ame.audit.demands`):
whoever knows the tree must show the leaf, and what they show must be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ame.audit.known import KnownStage, Leaves, Published, Weights
from ame.records import StageUpdate

TOTAL, DUPLICATE, TRANSITION, DEMAND = (
    "challengeTotal",
    "challengeDuplicate",
    "challengeTransition",
    "demand",
)


class Challenge(NamedTuple):
    """What to send: `method` of the pool with (updates, *arguments), and why. `index` is the leaf in question."""

    method: str
    stage: int
    index: int  # type: ignore[assignment]  # shadows tuple.index(), which nobody needs here
    reason: str
    arguments: tuple[Any, ...]


def find_lie(
    before: Sequence[Leaves],
    updates: Sequence[StageUpdate],
    weights: Sequence[Weights],
    ledgers: Sequence[Leaves],
) -> Challenge | None:
    """The cheapest challenge that wins against a published settlement, or None if nothing is wrong with it.

    before: the active ledgers; updates: as the Proposed event shows them; weights, ledgers: as published. Where they do not
    open the roots and nothing else is wrong, it is a demand.
    """
    stages = [
        KnownStage(update, old, Published(new, published.weights))
        for update, old, published, new in zip(updates, before, weights, ledgers, strict=True)
    ]
    proof = find_proof(stages)
    if proof is not None:
        return proof
    for stage, known in enumerate(stages):
        if known.hidden:
            reason = f"{len(known.hidden)} subtrees are not opened by what was published"
            return demand(stage, known.hidden[0].first, reason)
    return None


def find_proof(stages: Sequence[KnownStage]) -> Challenge | None:
    """The cheapest proof of fraud in what is known, or None.

    A total costs least gas, then a duplicate (two paths), then a transition (three).
    """
    for find in (_total, _duplicate, _transition):
        for stage, known in enumerate(stages):
            proof = find(stage, known)
            if proof is not None:
                return proof
    return None


def demand(stage: int, index: int, reason: str) -> Challenge:
    """A leaf must be shown."""
    return Challenge(DEMAND, stage, index, reason, (stage, index))


def answer_of(stage: int, known: KnownStage, index: int) -> Challenge:
    """The answer to a demand. CannotTell where the leaf or the active ledger is not at hand."""
    return Challenge("answer", stage, index, "shown by who knows it", _opening(stage, known, index))


def _total(stage: int, known: KnownStage) -> Challenge | None:
    declared = known.update.afterwards.total, known.update.weight_total
    for of_weights, (found, said) in enumerate(zip(known.sums(), declared, strict=True)):
        if found != said:
            what = "weights" if of_weights else "ledger"
            reason = f"the {what} sum to {found}, {said} was declared"
            arguments = (stage, bool(of_weights), known.top_node(bool(of_weights)))
            return Challenge(TOTAL, stage, 0, reason, arguments)
    return None


def _duplicate(stage: int, known: KnownStage) -> Challenge | None:
    ids = [row[1] for row in known.rows()]
    if len(set(ids)) == len(ids):
        return None
    first: dict[bytes, int] = {}
    for index, contributor_id, _, _, _ in known.rows():
        earlier = first.setdefault(contributor_id, index)
        if earlier != index and any(contributor_id):
            shown = [
                part
                for at in (earlier, index)
                for part in (at, known.shown_leaf(at).cumulative, known.shown_leaf(at).proof)
            ]
            reason = f"0x{contributor_id.hex()} stands at the indices {earlier} and {index}"
            return Challenge(DUPLICATE, stage, index, reason, (stage, contributor_id, *shown))
    return None


def _transition(stage: int, known: KnownStage) -> Challenge | None:
    if known.before is None:
        return None
    index = next(known.wrong(), None)
    if index is None:
        return None
    arguments = _opening(stage, known, index)
    _, _, old, found, _ = arguments
    reason = (
        f"leaf {index} is 0x{found.contributor_id.hex()} with {found.cumulative}; "
        f"it was 0x{old.contributor_id.hex()} with {old.cumulative}, and its weight gives another amount"
    )
    return Challenge(TRANSITION, stage, index, reason, arguments)


def _opening(stage: int, known: KnownStage, index: int) -> tuple[Any, ...]:
    """A leaf before and after, and its weight, with their paths."""
    return stage, index, known.shown_before(index), known.shown_leaf(index), known.shown_weight(index)
