"""For every kind of lie the watcher finds the cheapest proof, and says nothing of honest settlements."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ame.audit.lies import DEMAND, DUPLICATE, TOTAL, TRANSITION, Challenge, find_lie
from ame.encoding import keccak, leaf_hash
from ame.execution.ledger import StageLedger
from ame.execution.merkle_sum import SumTree, root_of_proof
from ame.records import AllocationLine, LedgerCommitment, StageUpdate


@dataclass
class Stage:
    """One stage of a proposal, as published; a lie changes it and the roots follow."""

    before: StageLedger
    ids: list[bytes]
    cumulatives: list[int]
    weights: list[int]
    depth: int
    amount: int
    weight_total: int

    @property
    def tree(self) -> SumTree:
        leaves = [
            (keccak(i + c.to_bytes(16)), c) if any(i) or c else (bytes(32), 0)
            for i, c in zip(self.ids, self.cumulatives, strict=True)
        ]
        return SumTree.build(leaves, self.depth)

    @property
    def update(self) -> StageUpdate:
        old = self.before.tree.ledger_commitment
        after = LedgerCommitment(self.tree.root, old.total + self.amount, self.depth)
        weights = SumTree.build([(bytes(32), weight) for weight in self.weights], self.depth)
        return StageUpdate(old, after, weights.root, self.weight_total)


def contributor(number: int) -> bytes:
    return (number + 1).to_bytes(32)


def stage(old: int = 6, new: int = 3, seed: int = 1) -> Stage:
    chance = random.Random(seed)
    ledger = StageLedger()
    lines = [AllocationLine(contributor(number), chance.randrange(1, 10**9)) for number in range(old)]
    before, _ = ledger.advance(10**9, lines) if old else (ledger, None)
    lines = [
        AllocationLine(contributor(number), chance.randrange(10**9))
        for number in range(old + new)
        if number >= old or chance.random() < 0.7
    ]
    after, weights = before.advance(10**9 + 7, lines)
    return Stage(
        before, list(after.ids), list(after.cumulatives), list(weights.weights), after.depth, 10**9 + 7,
        sum(weights.weights),
    )  # fmt: skip


def found(*stages: Stage, published: Sequence[Any] | None = None) -> Challenge | None:
    shown = published or stages
    return find_lie([one.before for one in stages], [one.update for one in stages], shown, shown)


def lie_moved(one: Stage) -> None:
    one.cumulatives[2] += 1
    one.cumulatives[4] -= 1


def lie_swapped(one: Stage) -> None:
    one.ids[1], one.ids[3] = one.ids[3], one.ids[1]
    one.cumulatives[1], one.cumulatives[3] = one.cumulatives[3], one.cumulatives[1]


def lie_dropped(one: Stage) -> None:
    one.cumulatives[-1] += one.cumulatives[0]
    one.ids[0], one.cumulatives[0] = bytes(32), 0


def lie_last_index(one: Stage) -> None:
    one.cumulatives[-1] -= 1
    one.cumulatives[0] += 1


def lie_id_changed(one: Stage) -> None:
    one.ids[2] = b"\xee" * 32


def lie_weights_shifted(one: Stage) -> None:
    one.weights = [*one.weights[1:], one.weights[0]]


def lie_cut_back(one: Stage) -> None:
    one.cumulatives[0] = 0
    one.cumulatives[-1] = one.amount + sum(one.before.cumulatives) - sum(one.cumulatives[:-1])


@pytest.mark.parametrize(
    ("lie", "index"),
    [(lie_moved, 2), (lie_swapped, 1), (lie_dropped, 0), (lie_last_index, 0), (lie_id_changed, 2),
     (lie_weights_shifted, 0), (lie_cut_back, 0)],
)  # fmt: skip
def test_a_wrong_transition_is_proved_at_the_first_index(lie: Any, index: int) -> None:
    one = stage()
    lie(one)
    challenge = found(stage(seed=2), one)
    assert challenge is not None
    assert (challenge.method, challenge.stage, challenge.index) == (TRANSITION, 1, index)
    _, at, before, after, weight = challenge.arguments
    update = one.update
    leaf = (bytes(32), 0)
    if after.contributor_id != bytes(32):
        leaf = (leaf_hash(after.contributor_id, after.cumulative), after.cumulative)
    assert root_of_proof(leaf, at, after.proof) == update.afterwards
    older = (leaf_hash(before.contributor_id, before.cumulative), before.cumulative)
    assert root_of_proof(older, at, before.proof) == update.before
    assert root_of_proof((bytes(32), weight.weight), at, weight.proof).root == update.weight_root


def test_a_total_that_the_ledger_does_not_have() -> None:
    one = stage()
    one.cumulatives[3] += 5
    challenge = found(one)
    assert challenge is not None
    assert (challenge.method, challenge.arguments[1]) == (TOTAL, False)
    assert SumTree.build([], 1).root != one.tree.root
    assert keccak(challenge.arguments[2]) == one.update.afterwards.root


def test_a_total_that_the_weights_do_not_have() -> None:
    one = stage()
    one.weight_total += 1
    challenge = found(one)
    assert challenge is not None
    assert (challenge.method, challenge.arguments[1]) == (TOTAL, True)


def test_a_duplicate_far_apart() -> None:
    one = stage(old=40, new=30)
    one.ids[-1] = one.ids[1]
    challenge = found(one)
    assert challenge is not None
    assert challenge.method == DUPLICATE
    _, contributor_id, first, _, first_proof, second, _, second_proof = challenge.arguments
    assert (contributor_id, first, second) == (one.ids[1], 1, 69)
    assert len(first_proof) == len(second_proof) == 48 * one.depth


def test_a_root_that_nobody_can_open_is_demanded() -> None:
    one = stage()
    hidden = stage()
    hidden.cumulatives[2] += 3
    hidden.cumulatives[3] -= 3
    challenge = found(hidden, published=[one])
    assert challenge is not None
    assert challenge.method == DEMAND


def test_a_weight_root_that_nobody_can_open_is_demanded() -> None:
    one, hidden = stage(), stage()
    hidden.weights[0] -= 1
    hidden.weights[1] += 1
    hidden.cumulatives, hidden.ids = one.cumulatives, one.ids
    challenge = found(hidden, published=[one])
    assert challenge is not None
    assert challenge.method == DEMAND


def test_a_deeper_tree_is_no_lie() -> None:
    one = stage()
    one.depth += 2
    assert found(one) is None


@pytest.mark.parametrize("seed", range(30))
def test_honest_settlements_are_left_alone(seed: int) -> None:
    chance = random.Random(seed)
    assert (
        found(*(stage(chance.randrange(20), chance.randrange(1, 20), seed + at) for at in range(3))) is None
    )


@pytest.mark.parametrize("seed", range(60))
def test_any_single_lie_is_found(seed: int) -> None:
    chance = random.Random(seed)
    one = stage(chance.randrange(2, 30), chance.randrange(1, 30), seed)
    index = chance.randrange(len(one.ids))
    kind = chance.choice(["unit", "id", "duplicate", "weight"])
    if kind == "unit":
        other = (index + chance.randrange(1, len(one.ids))) % len(one.ids)
        taken = min(one.cumulatives[other], chance.choice([1, 10**6])) or -1
        one.cumulatives[index] += taken
        one.cumulatives[other] -= taken
        if min(one.cumulatives) < 0:
            pytest.skip("nothing to take there")
    elif kind == "id":
        index = chance.randrange(len(one.before.ids))
        one.ids[index] = b"\x77" * 32
    elif kind == "duplicate":
        one.ids[index] = one.ids[index - 1]
    else:
        one.weights[index] += 1
    assert found(one) is not None


@pytest.mark.deep
def test_one_wrong_leaf_among_a_million_in_seconds() -> None:
    count = 10**6
    ids = tuple(contributor(number) for number in range(count))
    chance = random.Random(5)
    lines = [AllocationLine(one, chance.randrange(10**9)) for one in ids]
    after, weights = StageLedger().advance(10**18, lines)
    one = Stage(
        StageLedger(),
        list(ids),
        list(after.cumulatives),
        list(weights.weights),
        20,
        10**18,
        sum(weights.weights),
    )
    one.cumulatives[654_321] += 1
    one.cumulatives[654_322] -= 1
    update = one.update
    started = time.process_time()
    challenge = find_lie([one.before], [update], [one], [one])
    seconds = time.process_time() - started
    print(f"one wrong leaf of {count:,}: found in {seconds:.1f} s of processor time")  # noqa: T201 - the figure is the point
    assert challenge is not None
    assert (challenge.method, challenge.index) == (TRANSITION, 654_321)
    assert seconds < 20  # half of that on an idle machine
