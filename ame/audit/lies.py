"""Finds the provable lie in a proposal, and the cheapest challenge that proves it. Pure.

Every lie about a published tree is one of: its root does not add up to the declared total; a contributor stands in it
twice; a leaf is not the older one plus its telescoping part. A root that the published leaves do not open is met by
a demand: whoever knows the tree must show the leaf, and what they show must be right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from ame.encoding import EMPTY_LEAF
from ame.execution.merkle_sum import Node, SumTree
from ame.records import LeafProof, StageUpdate, WeightProof

TOTAL, DUPLICATE, TRANSITION, DEMAND = (
    "challengeTotal",
    "challengeDuplicate",
    "challengeTransition",
    "demand",
)


class Leaves(Protocol):
    """A stage's ledger by leaf index; ids may repeat."""

    @property
    def ids(self) -> Sequence[bytes]: ...
    @property
    def cumulatives(self) -> Sequence[int]: ...


class Weights(Protocol):
    """A stage's weights by leaf index."""

    @property
    def weights(self) -> Sequence[int]: ...


class Challenge(NamedTuple):
    """What to send: `method` of the pool with (updates, *arguments), and why. `index` is the leaf in question."""

    method: str
    stage: int
    index: int  # type: ignore[assignment]  # shadows tuple.index(), which nobody needs here
    reason: str
    arguments: tuple[Any, ...]


class _Opened(NamedTuple):
    """A stage whose published leaves open the roots on chain."""

    update: StageUpdate
    before: Leaves
    after: Leaves
    weights: Weights
    ledger: SumTree
    weight_tree: SumTree


def find_lie(
    before: Sequence[Leaves],
    updates: Sequence[StageUpdate],
    weights: Sequence[Weights],
    ledgers: Sequence[Leaves],
) -> Challenge | None:
    """The cheapest challenge that wins, or None if nothing provable is wrong.

    before: the active ledgers; updates: as the Proposed event shows them; weights, ledgers: as published. A
    total costs least gas, then a duplicate (two paths), then a transition (three); a demand also costs time and
    a bond, so it is only for what nothing else can prove.
    """
    demands: list[Challenge] = []
    proofs: list[Challenge] = []
    for stage, (update, old, published, new) in enumerate(
        zip(updates, before, weights, ledgers, strict=True)
    ):
        found = _open(stage, update, old, published, new)
        if isinstance(found, Challenge):
            demands.append(found)
            continue
        proof = _total(stage, found) or _duplicate(stage, found) or _transition(stage, found)
        if proof is not None and proof.method == TOTAL:
            return proof
        if proof is not None:
            proofs.append(proof)
    order = (DUPLICATE, TRANSITION)
    return min(proofs, key=lambda proof: order.index(proof.method)) if proofs else next(iter(demands), None)


def demand_missing(updates: Sequence[StageUpdate]) -> Challenge:
    """Where nothing was published: the first leaf of the stage that gets most must be shown."""
    stage = max(range(len(updates)), key=lambda at: updates[at].afterwards.total - updates[at].before.total)
    return _demand(stage, 0, "no bundle with this evidence was published")


def _demand(stage: int, index: int, reason: str) -> Challenge:
    return Challenge(DEMAND, stage, index, reason, (stage, index))


def _leaf_nodes(leaves: Leaves) -> Iterator[Node]:
    from _pysha3 import keccak_256

    for contributor_id, cumulative in zip(leaves.ids, leaves.cumulatives, strict=True):
        if cumulative == 0 and not any(contributor_id):
            yield EMPTY_LEAF
        else:
            yield keccak_256(contributor_id + cumulative.to_bytes(16)).digest(), cumulative


def _open(
    stage: int, update: StageUpdate, before: Leaves, weights: Weights, after: Leaves
) -> _Opened | Challenge:
    depth = update.afterwards.depth
    if len(after.ids) > 1 << depth or len(weights.weights) > 1 << depth:
        return _demand(stage, 0, f"{len(after.ids)} leaves were published for a tree of depth {depth}")
    if sum(after.cumulatives) >= 1 << 128 or sum(weights.weights) >= 1 << 128:
        return _demand(stage, 0, "the published amounts exceed 128 bits")
    ledger = SumTree.build(list(_leaf_nodes(after)), depth)
    if ledger.root != update.afterwards.root:
        index = _first_suspect(update, before, weights, after)
        return _demand(stage, index, "the published ledger does not open the root")
    weight_tree = SumTree.build([(bytes(32), weight) for weight in weights.weights], depth)
    if weight_tree.root != update.weight_root:
        return _demand(stage, 0, "the published weights do not open their root")
    return _Opened(update, before, after, weights, ledger, weight_tree)


def _first_suspect(update: StageUpdate, before: Leaves, weights: Weights, after: Leaves) -> int:
    """The first leaf that is wrong by what was published; 0 if what was published looks right."""
    return next(_wrong(update, before, weights, after), 0)


def _total(stage: int, opened: _Opened) -> Challenge | None:
    for tree, declared, of_weights in (
        (opened.ledger, opened.update.afterwards.total, False),
        (opened.weight_tree, opened.update.weight_total, True),
    ):
        if tree.total != declared:
            what = "weights" if of_weights else "ledger"
            reason = f"the {what} sum to {tree.total}, {declared} was declared"
            return Challenge(TOTAL, stage, 0, reason, (stage, of_weights, _top_node(tree)))
    return None


def _top_node(tree: SumTree) -> bytes:
    """The root's two children, packed: what is hashed to the root."""
    below = tree.depth - 1
    right = tree.proof(0)[-48:]
    left_hash, left_sum = tree.levels[below][0][0], tree.levels[below][1][0]
    return left_hash + left_sum.to_bytes(16) + right


def _duplicate(stage: int, opened: _Opened) -> Challenge | None:
    after = opened.after
    first: dict[bytes, int] = {}
    for index, contributor_id in enumerate(after.ids):
        if not any(contributor_id):
            continue
        earlier = first.setdefault(contributor_id, index)
        if earlier != index:
            shown = [
                part
                for at in (earlier, index)
                for part in (at, after.cumulatives[at], opened.ledger.proof(at))
            ]
            reason = f"0x{contributor_id.hex()} stands at the indices {earlier} and {index}"
            return Challenge(DUPLICATE, stage, index, reason, (stage, contributor_id, *shown))
    return None


def _transition(stage: int, opened: _Opened) -> Challenge | None:
    update = opened.update
    index = next(_wrong(update, opened.before, opened.weights, opened.after), None)
    if index is None:
        return None
    before, after, weights = opened.before, opened.after, opened.weights
    older = SumTree.build(list(_leaf_nodes(before)), update.before.depth)
    arguments = (
        stage,
        index,
        _leaf_proof(before, older, index),
        _leaf_proof(after, opened.ledger, index),
        WeightProof(
            weights.weights[index] if index < len(weights.weights) else 0, opened.weight_tree.proof(index)
        ),
    )
    found, old = arguments[3], arguments[2]
    reason = (
        f"leaf {index} is 0x{found.contributor_id.hex()} with {found.cumulative}; "
        f"it was 0x{old.contributor_id.hex()} with {old.cumulative}, and its weight gives another amount"
    )
    return Challenge(TRANSITION, stage, index, reason, arguments)


def _leaf_proof(leaves: Leaves, tree: SumTree, index: int) -> LeafProof:
    if index >> tree.depth:
        return LeafProof(*EMPTY_LEAF, b"")
    if index >= len(leaves.ids):
        return LeafProof(*EMPTY_LEAF, tree.proof(index))
    return LeafProof(leaves.ids[index], leaves.cumulatives[index], tree.proof(index))


def _wrong(update: StageUpdate, before: Leaves, weights: Weights, after: Leaves) -> Iterator[int]:
    """Indices at which the pool would find the transition wrong, in ascending order."""
    amount = update.afterwards.total - update.before.total
    total, reached, given = update.weight_total, 0, 0
    empty = bytes(32)
    for index in range(max(len(before.ids), len(after.ids), len(weights.weights))):
        old_id, old = (
            (before.ids[index], before.cumulatives[index]) if index < len(before.ids) else (empty, 0)
        )
        new_id, new = (after.ids[index], after.cumulatives[index]) if index < len(after.ids) else (empty, 0)
        reached += weights.weights[index] if index < len(weights.weights) else 0
        due = amount * reached // total if total else 0
        expected = old + due - given
        given = due
        if new != expected or (new_id != old_id if old_id != empty else new_id == empty and expected != 0):
            yield index
