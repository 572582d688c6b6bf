"""Python and Solidity on the same random input: trees, proofs, splits, Shapley amounts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ame.arithmetic import shapley_numerators, stage_amounts, telescoping_split
from ame.encoding import commitment, keccak, leaf_hash, named_id, to_hex
from ame.errors import InputError
from ame.execution.merkle_sum import SumTree, depth_for, root_of_proof
from ame.records import MAX_AMOUNT, LedgerCommitment
from scripts import vectors
from tests.agreement.evm import Contract, Machine, Reverted, error_selector

MALFORMED = error_selector("MalformedProof()")
WORDS = st.binary(min_size=32, max_size=32)
IDS = WORDS.filter(any)
SUMS = st.integers(0, 2**128 - 1)
LEDGERS = st.lists(st.tuples(IDS, st.integers(0, 2**120)), min_size=1, max_size=33)


@pytest.fixture(scope="module")
def harness() -> Contract:
    return Machine().deploy("MerkleSumHarness")


@pytest.fixture(scope="module")
def registry() -> Contract:
    return Machine().deploy("ContributorRegistry")


def tree_of(ledger: list[tuple[bytes, int]], deeper: int) -> SumTree:
    leaves = [(leaf_hash(*leaf), leaf[1]) for leaf in ledger]
    return SumTree.build(leaves, min(32, depth_for(len(leaves)) + deeper))


@given(IDS, SUMS)
def test_leaves_agree(harness: Contract, contributor_id: bytes, cumulative: int) -> None:
    assert harness.call("leafHash", contributor_id, cumulative) == leaf_hash(contributor_id, cumulative)


@given(WORDS, SUMS, st.integers(0, 255))
def test_commitments_agree(harness: Contract, root: bytes, total: int, depth: int) -> None:
    assert harness.call("commitment", root, total, depth) == commitment(LedgerCommitment(root, total, depth))


@given(st.text())
def test_named_ids_agree(registry: Contract, name: str) -> None:
    found = registry.call("namedId", vectors.REGISTRAR, keccak(name.encode()))
    assert found == named_id(vectors.REGISTRAR, name)


@settings(deadline=None)
@given(LEDGERS, st.integers(0, 30), st.data())
def test_proofs_agree(
    harness: Contract, ledger: list[tuple[bytes, int]], deeper: int, data: st.DataObject
) -> None:
    tree = tree_of(ledger, deeper)
    index = data.draw(st.integers(0, len(ledger) - 1))
    proof = tree.proof(index)
    found = harness.call("climb", leaf_hash(*ledger[index]), ledger[index][1], index, proof)
    assert found == tree.ledger_commitment
    found = harness.call("climbWithPrefix", leaf_hash(*ledger[index]), ledger[index][1], index, proof)
    assert found == (*tree.ledger_commitment, tree.prefix_sum(index))


@settings(deadline=None)
@given(WORDS, SUMS, st.integers(0, 70), st.lists(st.tuples(WORDS, SUMS), max_size=5), st.integers(0, 1))
def test_proofs_of_nothing_agree(
    harness: Contract, leaf: bytes, amount: int, index: int, siblings: list[tuple[bytes, int]], cut: int
) -> None:
    """Whatever is sent: both accept and find the same, or both refuse."""
    proof = b"".join(digest + value.to_bytes(16) for digest, value in siblings)[cut:]
    try:
        expected = root_of_proof((leaf, amount), index, proof) if proof else None
    except InputError:
        expected = None
    if expected is None:
        with pytest.raises(Reverted) as refused:
            harness.call("climb", leaf, amount, index, proof)
        assert refused.value.selector == MALFORMED
    else:
        assert harness.call("climb", leaf, amount, index, proof) == expected


@settings(deadline=None)
@given(LEDGERS, st.integers(0, 30), st.data())
def test_range_proofs_agree(
    harness: Contract, ledger: list[tuple[bytes, int]], deeper: int, data: st.DataObject
) -> None:
    tree = tree_of(ledger, deeper)
    first = data.draw(st.integers(0, len(ledger) - 1))
    count = data.draw(st.integers(1, len(ledger) - first))
    ids, amounts = zip(*ledger[first : first + count], strict=True)
    proof = tree.range_proof(first, count)
    assert harness.call("climbRange", ids, amounts, first, tree.depth, proof) == (tree.root, tree.total)
    with pytest.raises(Reverted) as refused:
        harness.call("climbRange", ids, amounts, first, tree.depth, proof + bytes(48))
    assert refused.value.selector == MALFORMED


@given(
    st.integers(0, MAX_AMOUNT),
    st.lists(st.integers(0, MAX_AMOUNT // 20), min_size=1, max_size=20).filter(any),
)
def test_splits_agree(harness: Contract, amount: int, weights: list[int]) -> None:
    prefix = 0
    for weight, part in zip(weights, telescoping_split(amount, weights), strict=True):
        assert harness.call("part", amount, prefix, weight, sum(weights)) == part
        prefix += weight


VALUES = st.integers(-MAX_AMOUNT, MAX_AMOUNT) | st.integers(-5, 5)
GAMES = st.integers(2, 5).flatmap(
    lambda players: st.tuples(
        st.lists(VALUES, min_size=2**players - 2, max_size=2**players - 2), st.integers(1, MAX_AMOUNT)
    )
)


@settings(deadline=None)
@given(GAMES)
def test_stage_amounts_agree(harness: Contract, game: tuple[list[int], int]) -> None:
    table = [0, *game[0], game[1]]
    players = len(table).bit_length() - 1
    assert list(harness.call("numerators", table, players)) == shapley_numerators(table)
    assert list(harness.call("amounts", table, players)) == stage_amounts(table)


def test_the_harness_is_really_asked(harness: Contract) -> None:
    """A wrong answer would be noticed: the known leaf of the vectors, spelled out."""
    assert to_hex(harness.call("leafHash", bytes(31) + b"\x01", 0)) == to_hex(
        keccak(bytes(31) + b"\x01" + bytes(16))
    )
