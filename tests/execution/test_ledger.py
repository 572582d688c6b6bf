from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ame.arithmetic import telescoping_split
from ame.encoding import EMPTY_LEAF, commitment, keccak, leaf_hash
from ame.errors import InputError
from ame.execution.ledger import StageLedger, StageWeights
from ame.execution.merkle_sum import root_of_proof, verify_leaf
from ame.records import AllocationLine

PEOPLE = [keccak(b"person %d" % number) for number in range(12)]
WEIGHTS = st.dictionaries(st.sampled_from(PEOPLE), st.integers(0, 10**24), min_size=1).filter(
    lambda weights: any(weights.values())
)
STEPS = st.lists(st.tuples(st.integers(0, 10**30), WEIGHTS), min_size=1, max_size=5)


def lines(weights: dict[bytes, int]) -> list[AllocationLine]:
    return [AllocationLine(person, weight) for person, weight in weights.items()]


def history(steps: list[tuple[int, dict[bytes, int]]]) -> list[tuple[StageLedger, StageWeights]]:
    ledger, found = StageLedger(), []
    for amount, weights in steps:
        ledger, step = ledger.advance(amount, lines(weights))
        found.append((ledger, step))
    return found


@given(STEPS)
def test_a_ledger_is_append_only(steps: list[tuple[int, dict[bytes, int]]]) -> None:
    before = StageLedger()
    for after, _ in history(steps):
        assert after.ids[: len(before.ids)] == before.ids
        assert after.depth >= before.depth
        for index, amount in enumerate(before.cumulatives):
            assert after.cumulatives[index] >= amount
        before = after


@given(STEPS)
def test_every_unit_of_every_amount_is_in_the_ledger(steps: list[tuple[int, dict[bytes, int]]]) -> None:
    ledger, _ = history(steps)[-1]
    assert sum(ledger.cumulatives) == ledger.tree.total == sum(amount for amount, _ in steps)


@given(STEPS)
def test_everybody_has_the_sum_of_her_parts(steps: list[tuple[int, dict[bytes, int]]]) -> None:
    expected: dict[bytes, int] = {}
    order: list[bytes] = []
    for amount, weights in steps:
        order += [person for person in weights if person not in order]
        parts = telescoping_split(amount, [weights.get(person, 0) for person in order])
        for person, part in zip(order, parts, strict=True):
            expected[person] = expected.get(person, 0) + part
    ledger, _ = history(steps)[-1]
    assert dict(zip(ledger.ids, ledger.cumulatives, strict=True)) == expected
    assert ledger.ids == tuple(order)


@given(STEPS)
def test_the_weight_tree_stands_at_the_ledgers_indices(steps: list[tuple[int, dict[bytes, int]]]) -> None:
    ledger, step = history(steps)[-1]
    _, weights = steps[-1]
    assert step.tree.depth == ledger.tree.depth
    assert step.tree.total == sum(weights.values())
    for index, person in enumerate(ledger.ids):
        opened = step.weight_proof(index)
        assert opened.weight == weights.get(person, 0)
        found = root_of_proof((bytes(32), opened.weight), index, opened.proof)
        assert found == step.tree.ledger_commitment


@given(STEPS)
def test_every_claim_verifies(steps: list[tuple[int, dict[bytes, int]]]) -> None:
    ledger, _ = history(steps)[-1]
    expected = commitment(ledger.tree.ledger_commitment)
    for person in ledger.ids:
        claim = ledger.claim(2, person)
        assert claim.stage == 2
        assert verify_leaf(claim.contributor_id, claim.cumulative, claim.index, claim.proof, expected)


def test_a_ledger_starts_with_the_commitment_of_a_new_pool() -> None:
    assert StageLedger().tree.ledger_commitment == (keccak(bytes(96)), 0, 1)


def test_the_depth_grows_with_the_third_contributor() -> None:
    ledger, _ = StageLedger().advance(6, lines(dict.fromkeys(PEOPLE[:2], 1)))
    assert ledger.depth == 1
    ledger, _ = ledger.advance(6, lines({PEOPLE[2]: 1}))
    assert (ledger.depth, ledger.cumulatives) == (2, (3, 3, 6))


def test_a_claim_of_a_stranger_is_refused() -> None:
    ledger, _ = StageLedger().advance(6, lines({PEOPLE[0]: 1}))
    with pytest.raises(InputError, match=f"the ledger of stage 1 has no contributor 0x{PEOPLE[1].hex()}"):
        ledger.claim(1, PEOPLE[1])


def test_a_range_claim_shows_neighbours() -> None:
    ledger, _ = StageLedger().advance(10, lines(dict.fromkeys(PEOPLE[:5], 1)))
    claim = ledger.range_claim(0, 1, 3)
    assert (claim.first, claim.depth) == (1, 3)
    assert claim.contributor_ids == tuple(PEOPLE[1:4])
    assert claim.cumulatives == ledger.cumulatives[1:4]


def test_a_range_claim_ends_within_the_ledger() -> None:
    ledger, _ = StageLedger().advance(10, lines(dict.fromkeys(PEOPLE[:5], 1)))
    with pytest.raises(InputError, match="last leaf of the range"):
        ledger.range_claim(0, 3, 3)


def test_a_leaf_is_opened_where_it_is_empty_where_nobody_stands_and_without_proof_beyond() -> None:
    ledger, _ = StageLedger().advance(10, lines(dict.fromkeys(PEOPLE[:3], 1)))
    expected = ledger.tree.ledger_commitment
    own = ledger.leaf_proof(0)
    assert (
        root_of_proof((leaf_hash(own.contributor_id, own.cumulative), own.cumulative), 0, own.proof)
        == expected
    )
    empty = ledger.leaf_proof(3)
    assert (empty.contributor_id, empty.cumulative) == EMPTY_LEAF
    assert root_of_proof(EMPTY_LEAF, 3, empty.proof) == expected
    assert ledger.leaf_proof(4) == (bytes(32), 0, b"")


def test_one_contributor_stands_once() -> None:
    with pytest.raises(InputError, match="ledger: expected each contributor id once"):
        StageLedger((PEOPLE[0], PEOPLE[0]), (1, 2))
    with pytest.raises(InputError, match="allocation: expected each contributor once per stage"):
        StageLedger().advance(1, [AllocationLine(PEOPLE[0], 1), AllocationLine(PEOPLE[0], 2)])


def test_there_is_an_amount_for_each_id() -> None:
    with pytest.raises(InputError, match="ledger: expected as many amounts as ids, got 1 and 2"):
        StageLedger((PEOPLE[0], PEOPLE[1]), (1,))


def test_money_without_weights_is_refused() -> None:
    with pytest.raises(InputError, match="expected a positive weight to split 7 over"):
        StageLedger().advance(7, lines({PEOPLE[0]: 0}))
