"""Ledgers: everybody's cumulative amount per stage, append-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from _pysha3 import keccak_256

from ame.arithmetic import telescoping_split
from ame.encoding import EMPTY_LEAF
from ame.errors import InputError
from ame.execution.merkle_sum import SumTree, depth_for
from ame.records import AllocationLine, Claim, LeafProof, RangeClaim, WeightProof, check_integer


@dataclass(frozen=True)
class StageLedger:
    """One stage's ledger: `ids[i]` has been allocated `cumulatives[i]` base units so far.

    An index is given once, in order of first appearance, and never changes. `depth` only grows.
    """

    ids: tuple[bytes, ...] = ()
    cumulatives: tuple[int, ...] = ()
    depth: int = 1

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.cumulatives):
            raise InputError(
                f"ledger: expected as many amounts as ids, got {len(self.cumulatives)} and {len(self.ids)}"
            )
        if len(set(self.ids)) != len(self.ids):
            raise InputError("ledger: expected each contributor id once")

    @cached_property
    def tree(self) -> SumTree:
        """The Merkle-sum tree that the pool commits to."""
        leaves = [
            (keccak_256(contributor_id + cumulative.to_bytes(16)).digest(), cumulative)
            for contributor_id, cumulative in zip(self.ids, self.cumulatives, strict=True)
        ]
        return SumTree.build(leaves, self.depth)

    @cached_property
    def index_of(self) -> dict[bytes, int]:
        """Leaf index by contributor id."""
        return {contributor_id: index for index, contributor_id in enumerate(self.ids)}

    def advance(self, amount: int, lines: Sequence[AllocationLine]) -> tuple[StageLedger, StageWeights]:
        """The ledger after `amount` is split over the lines' weights, and the weights by leaf index."""
        weight_of = {line.contributor_id: line.weight for line in lines}
        if len(weight_of) != len(lines):
            raise InputError("allocation: expected each contributor once per stage")
        ids = self.ids + tuple(
            line.contributor_id for line in lines if line.contributor_id not in self.index_of
        )
        weights = tuple(weight_of.get(contributor_id, 0) for contributor_id in ids)
        depth = max(self.depth, depth_for(len(ids)))
        step = StageWeights(weights, depth)
        before = self.cumulatives + (0,) * (len(ids) - len(self.ids))
        return StageLedger(ids, tuple(map(int.__add__, before, step.parts(amount))), depth), step

    def claim(self, stage: int, contributor_id: bytes) -> Claim:
        """What a contributor sends to be paid. Raises InputError for an id that the ledger does not know."""
        if contributor_id not in self.index_of:
            raise InputError(f"the ledger of stage {stage} has no contributor 0x{contributor_id.hex()}")
        index = self.index_of[contributor_id]
        return Claim(stage, index, contributor_id, self.cumulatives[index], self.tree.proof(index))

    def range_claim(self, stage: int, first: int, count: int) -> RangeClaim:
        """`count` neighbouring leaves with one proof."""
        check_integer(first + count, "last leaf of the range + 1", 1, len(self.ids))
        part = slice(first, first + count)
        proof = self.tree.range_proof(first, count)
        return RangeClaim(stage, self.ids[part], self.cumulatives[part], first, self.depth, proof)

    def leaf_proof(self, index: int) -> LeafProof:
        """The leaf, opened for a fraud proof; an index beyond the depth has no proof and opens as empty."""
        if index >> self.depth:
            return LeafProof(bytes(32), 0, b"")
        proof = self.tree.proof(index)
        if index < len(self.ids):
            return LeafProof(self.ids[index], self.cumulatives[index], proof)
        return LeafProof(*EMPTY_LEAF, proof)


@dataclass(frozen=True)
class StageWeights:
    """The weights of one settlement by leaf index, in base units x 10^6."""

    weights: tuple[int, ...]
    depth: int

    @cached_property
    def tree(self) -> SumTree:
        """A sum tree whose leaves have hash 0."""
        return SumTree.build([(bytes(32), weight) for weight in self.weights], self.depth)

    def parts(self, amount: int) -> list[int]:
        """What each leaf gets of the stage's amount."""
        return telescoping_split(amount, self.weights)

    def weight_proof(self, index: int) -> WeightProof:
        """The weight at an index, opened for a fraud proof."""
        weight = self.weights[index] if index < len(self.weights) else 0
        return WeightProof(weight, self.tree.proof(index))
