"""What the chain owes an id, stage by stage, from published ledgers. Pure: the chain's answers come in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ame.encoding import commitment
from ame.errors import CannotTell
from ame.execution.ledger import StageLedger
from ame.records import Claim


class ChainView(NamedTuple):
    """A pool's answers about one id. `commitments`: per stage (active, still valid previous)."""

    commitments: Sequence[tuple[bytes, bytes]]
    claimed: Sequence[int]
    pending_number: int  # 0 if nothing is pending


class Entitlement(NamedTuple):
    """One stage, in base units. `claim` opens the leaf that pays `claimable`; None if there is nothing to pay."""

    stage: int
    earned: int
    pending: int
    claimed: int
    claimable: int
    claim: Claim | None


def entitlements(
    contributor_id: bytes,
    ledgers: Sequence[tuple[int, Sequence[StageLedger]]],
    view: ChainView,
) -> list[Entitlement]:
    """Per stage what is earned, pending, claimed and claimable; `ledgers` are (settlement number, stages), any order.

    A ledger counts only where the pool has committed to exactly it. Raises CannotTell if none of them is committed to.
    """
    return [
        _entitlement(
            stage,
            contributor_id,
            [(number, stages[stage]) for number, stages in ledgers],
            stored,
            claimed,
            view,
        )
        for stage, (stored, claimed) in enumerate(zip(view.commitments, view.claimed, strict=True))
    ]


def _entitlement(
    stage: int,
    contributor_id: bytes,
    ledgers: Sequence[tuple[int, StageLedger]],
    stored: tuple[bytes, bytes],
    claimed: int,
    view: ChainView,
) -> Entitlement:
    by_commitment = {commitment(ledger.tree.ledger_commitment): ledger for _, ledger in ledgers}
    empty = StageLedger()
    by_commitment.setdefault(commitment(empty.tree.ledger_commitment), empty)
    active = next((by_commitment[slot] for slot in stored if slot in by_commitment), None)
    if active is None:
        raise CannotTell(
            f"stage {stage}: none of the bundles given holds a ledger that the pool stands on: "
            "get the latest bundles from the operator"
        )
    earned = _cumulative(active, contributor_id)
    pending = [
        _cumulative(ledger, contributor_id) - earned
        for number, ledger in ledgers
        if number == view.pending_number
    ]
    claimable = max(0, earned - claimed)
    return Entitlement(
        stage,
        earned,
        max(0, *pending, 0),
        claimed,
        claimable,
        active.claim(stage, contributor_id) if claimable else None,
    )


def _cumulative(ledger: StageLedger, contributor_id: bytes) -> int:
    index = ledger.index_of.get(contributor_id)
    return 0 if index is None else ledger.cumulatives[index]
