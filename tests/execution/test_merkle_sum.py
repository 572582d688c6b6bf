from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ame.encoding import EMPTY_LEAF, commitment, keccak, leaf_hash, node_hash
from ame.errors import InputError
from ame.execution.merkle_sum import (
    SIBLING_BYTES,
    SumTree,
    depth_for,
    empty_nodes,
    root_of_proof,
    verify_leaf,
)
from ame.records import LedgerCommitment

Node = tuple[bytes, int]
NODES = st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, 2**100))
LEAVES = st.lists(NODES, max_size=40)
SOME_LEAVES = st.lists(NODES, min_size=1, max_size=40)


def full_tree(leaves: list[Node], depth: int) -> list[list[Node]]:
    """Every node of every level, by the definition."""
    levels = [leaves + [EMPTY_LEAF] * ((1 << depth) - len(leaves))]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = zip(below[::2], below[1::2], strict=True)
        levels.append([(node_hash(*left, *right), left[1] + right[1]) for left, right in pairs])
    return levels


def climb_range(leaves: list[Node], first: int, depth: int, proof: bytes) -> Node:
    """What the contract does with a range proof, plainly."""
    parts = [proof[at : at + SIBLING_BYTES] for at in range(0, len(proof), SIBLING_BYTES)]
    nodes = list(leaves)
    for _ in range(depth):
        if first & 1:
            part = parts.pop(0)
            nodes.insert(0, (part[:32], int.from_bytes(part[32:])))
        if (first + len(leaves)) and (first // 2 * 2 + len(nodes)) & 1:
            part = parts.pop(0)
            nodes.append((part[:32], int.from_bytes(part[32:])))
        nodes = [(node_hash(*a, *b), a[1] + b[1]) for a, b in zip(nodes[::2], nodes[1::2], strict=True)]
        first >>= 1
    assert not parts
    return nodes[0]


@pytest.mark.parametrize(("count", "depth"), [(0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (1 << 32, 32)])
def test_the_depth_is_the_smallest_that_fits(count: int, depth: int) -> None:
    assert depth_for(count) == depth


@pytest.mark.parametrize("count", [-1, (1 << 32) + 1, True, 1.0])
def test_no_depth_for_an_impossible_count(count: int) -> None:
    with pytest.raises(InputError, match="number of leaves: expected an integer"):
        depth_for(count)


def test_the_empty_tree_is_the_hash_of_96_zero_bytes() -> None:
    tree = SumTree.build([])
    assert tree.ledger_commitment == LedgerCommitment(keccak(bytes(96)), 0, 1)
    assert empty_nodes(1)[1] == (tree.root, 0)


@given(LEAVES, st.integers(0, 2))
def test_a_tree_is_what_the_definition_says(leaves: list[Node], deeper: int) -> None:
    depth = depth_for(len(leaves)) + deeper
    assert SumTree.build(leaves, depth).ledger_commitment == (*full_tree(leaves, depth)[-1][0], depth)


@given(SOME_LEAVES, st.integers(0, 2), st.data())
def test_every_proof_leads_to_the_root(leaves: list[Node], deeper: int, data: st.DataObject) -> None:
    depth = depth_for(len(leaves)) + deeper
    tree = SumTree.build(leaves, depth)
    index = data.draw(st.integers(0, (1 << depth) - 1))
    leaf = leaves[index] if index < len(leaves) else EMPTY_LEAF
    assert root_of_proof(leaf, index, tree.proof(index)) == tree.ledger_commitment


@given(SOME_LEAVES, st.data())
def test_a_prefix_sum_is_the_sum_of_the_leaves_before(leaves: list[Node], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    assert SumTree.build(leaves).prefix_sum(index) == sum(amount for _, amount in leaves[:index])


@given(SOME_LEAVES, st.integers(0, 2), st.data())
def test_every_range_proof_leads_to_the_root(leaves: list[Node], deeper: int, data: st.DataObject) -> None:
    depth = depth_for(len(leaves)) + deeper
    tree = SumTree.build(leaves, depth)
    first = data.draw(st.integers(0, len(leaves) - 1))
    count = data.draw(st.integers(1, len(leaves) - first))
    found = climb_range(leaves[first : first + count], first, depth, tree.range_proof(first, count))
    assert found == (tree.root, tree.total)


@given(st.lists(st.integers(0, 2**100), min_size=1, max_size=20), st.data())
def test_only_the_true_leaf_at_its_true_index_verifies(amounts: list[int], data: st.DataObject) -> None:
    ids = [keccak(b"%d" % index) for index in range(len(amounts))]
    tree = SumTree.build([(leaf_hash(*leaf), leaf[1]) for leaf in zip(ids, amounts, strict=True)])
    expected = commitment(tree.ledger_commitment)
    index = data.draw(st.integers(0, len(amounts) - 1))
    one, amount, proof = ids[index], amounts[index], tree.proof(index)
    assert verify_leaf(one, amount, index, proof, expected)
    assert not verify_leaf(one, amount + 1, index, proof, expected)
    assert not verify_leaf(keccak(one), amount, index, proof, expected)
    assert not verify_leaf(one, amount, index ^ 1, proof, expected)
    assert not verify_leaf(one, amount, index + (1 << tree.depth), proof, expected)
    assert not verify_leaf(one, amount, index, proof[:-SIBLING_BYTES], expected)
    assert not verify_leaf(one, amount, index, proof[:-1], expected)
    at = data.draw(st.integers(0, len(proof) - 1))
    broken = proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :]
    assert not verify_leaf(one, amount, index, broken, expected)


def test_sums_beyond_128_bits_are_no_tree() -> None:
    with pytest.raises(InputError, match="sum of the leaves: expected an integer"):
        SumTree.build([(bytes(32), 2**127), (bytes(32), 2**127)])


def test_a_path_whose_sums_overflow_is_refused() -> None:
    with pytest.raises(InputError, match="sum on the path: expected an integer"):
        root_of_proof((bytes(32), 2**128 - 1), 0, bytes(32) + (1).to_bytes(16))


def test_leaves_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="expected at most 2 leaves at depth 1, got 3"):
        SumTree.build([EMPTY_LEAF] * 3, 1)


@pytest.mark.parametrize("depth", [0, 33, True])
def test_an_impossible_depth_is_refused(depth: int) -> None:
    with pytest.raises(InputError, match="depth: expected an integer from 1 to 32"):
        SumTree.build([], depth)


def test_proofs_of_leaves_outside_are_refused() -> None:
    tree = SumTree.build([EMPTY_LEAF] * 3)
    with pytest.raises(InputError, match="leaf index: expected an integer from 0 to 3, got 4"):
        tree.proof(4)
    with pytest.raises(InputError, match="number of leaves: expected an integer from 1 to 2, got 3"):
        tree.range_proof(2, 3)
    with pytest.raises(InputError, match="first leaf: expected an integer from 0 to 3, got -1"):
        tree.range_proof(-1, 1)
