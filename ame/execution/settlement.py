"""Execution: Allocation + ledgers -> Settlement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ame.arithmetic import stage_amounts
from ame.errors import InputError
from ame.execution.ledger import StageLedger, StageWeights
from ame.records import Allocation, LedgerCommitment, Settlement, StageProposal, StageUpdate


@dataclass(frozen=True)
class Books:
    """What stands behind a settlement: the ledgers after it and the weights that it was split by, per stage."""

    settlement: Settlement
    ledgers: tuple[StageLedger, ...]
    weights: tuple[StageWeights, ...]

    @property
    def proposal(self) -> tuple[list[int], list[LedgerCommitment], list[StageProposal]]:
        """The arguments of SettlementPool.propose, but for the evidence."""
        updates = self.settlement.updates
        return (
            list(self.settlement.table),
            [update.before for update in updates],
            [
                StageProposal(
                    update.afterwards.root, update.afterwards.depth, update.weight_root, update.weight_total
                )
                for update in updates
            ],
        )


def settle(
    allocation: Allocation, ledgers: Sequence[StageLedger], *, chain_id: int, pool: str, number: int
) -> Books:
    """Advance each stage's ledger by its Shapley amount. Pure; the amounts sum exactly to the revenue."""
    if len(ledgers) != len(allocation.stages):
        raise InputError(f"expected a ledger for each of {len(allocation.stages)} stages, got {len(ledgers)}")
    amounts = stage_amounts(allocation.table)
    steps = [
        ledger.advance(amount, lines)
        for ledger, amount, lines in zip(ledgers, amounts, allocation.lines, strict=True)
    ]
    updates = tuple(
        StageUpdate(
            before.tree.ledger_commitment, after.tree.ledger_commitment, weights.tree.root, weights.tree.total
        )
        for before, (after, weights) in zip(ledgers, steps, strict=True)
    )
    settlement = Settlement(
        chain_id, pool, number, allocation.stages, allocation.table, tuple(amounts), updates
    )
    return Books(settlement, tuple(after for after, _ in steps), tuple(weights for _, weights in steps))
