"""Merkle-sum trees (docs/protocol.md): the twin of contracts/libraries/MerkleSum.sol.

A node is (hash, sum). The root of a set of leaves shows their total; no set of proofs can add up to more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from _pysha3 import keccak_256

from ame.encoding import EMPTY_LEAF, commitment, leaf_hash, node_hash
from ame.errors import InputError
from ame.records import LedgerCommitment, check_integer

Node = tuple[bytes, int]
MIN_DEPTH, MAX_DEPTH = 1, 32
SIBLING_BYTES = 48


def depth_for(count: int) -> int:
    """The smallest depth whose tree holds `count` leaves; at least 1, so that every root has a preimage."""
    check_integer(count, "number of leaves", 0, 1 << MAX_DEPTH)
    return max(MIN_DEPTH, (count - 1).bit_length())


def empty_nodes(depth: int) -> list[Node]:
    """The empty node of each height, from leaf to `depth`."""
    nodes = [EMPTY_LEAF]
    for _ in range(depth):
        digest = node_hash(*nodes[-1], *nodes[-1])
        nodes.append((digest, 0))
    return nodes


@dataclass(frozen=True)
class SumTree:
    """All levels of a tree, leaves first; each level stops at its last used node, the rest is empty nodes."""

    levels: tuple[tuple[list[bytes], list[int]], ...]
    empty: tuple[Node, ...]

    @classmethod
    def build(cls, leaves: Sequence[Node], depth: int | None = None) -> SumTree:
        """Hash `leaves` upwards. Raises InputError if they do not fit the depth or the sum exceeds 128 bits."""
        depth = depth_for(len(leaves)) if depth is None else depth
        check_integer(depth, "depth", MIN_DEPTH, MAX_DEPTH)
        if len(leaves) > 1 << depth:
            raise InputError(f"expected at most {1 << depth} leaves at depth {depth}, got {len(leaves)}")
        check_integer(sum(amount for _, amount in leaves), "sum of the leaves", 0, 2**128 - 1)
        empty = empty_nodes(depth)
        hashes, sums = [digest for digest, _ in leaves], [amount for _, amount in leaves]
        levels = [(hashes, sums)]
        for height in range(depth):
            hashes, sums = _parents(hashes, sums, empty[height])
            levels.append((hashes, sums))
        return cls(tuple(levels), tuple(empty))

    @property
    def depth(self) -> int:
        """Number of levels below the root."""
        return len(self.levels) - 1

    @property
    def root(self) -> bytes:
        """Hash of the root."""
        return self._node(self.depth, 0)[0]

    @property
    def total(self) -> int:
        """Sum of all leaves."""
        return self._node(self.depth, 0)[1]

    @property
    def ledger_commitment(self) -> LedgerCommitment:
        """What a pool commits to."""
        return LedgerCommitment(self.root, self.total, self.depth)

    def _node(self, height: int, position: int) -> Node:
        hashes, sums = self.levels[height]
        return (hashes[position], sums[position]) if position < len(hashes) else self.empty[height]

    def proof(self, index: int) -> bytes:
        """Siblings of the leaf from the bottom up, packed in 48 bytes each (hash ‖ uint128 sum)."""
        check_integer(index, "leaf index", 0, (1 << self.depth) - 1)
        return b"".join(_pack(self._node(height, index >> height ^ 1)) for height in range(self.depth))

    def range_proof(self, first: int, count: int) -> bytes:
        """What is needed beside the leaves first..first+count-1: per level the left sibling, then the right."""
        check_integer(first, "first leaf", 0, (1 << self.depth) - 1)
        check_integer(count, "number of leaves", 1, (1 << self.depth) - first)
        left, right, parts = first, first + count - 1, []
        for height in range(self.depth):
            if left & 1:
                parts.append(_pack(self._node(height, left - 1)))
            if not right & 1:
                parts.append(_pack(self._node(height, right + 1)))
            left, right = left >> 1, right >> 1
        return b"".join(parts)

    def prefix_sum(self, index: int) -> int:
        """Sum of the leaves before `index`: the left siblings along its path."""
        return sum(
            self._node(height, (index >> height) - 1)[1]
            for height in range(self.depth)
            if index >> height & 1
        )


def _parents(hashes: list[bytes], sums: list[int], empty: Node) -> tuple[list[bytes], list[int]]:
    """One level up. The loop is the hot spot of a settlement, so it calls keccak itself rather than node_hash."""
    if len(hashes) & 1:
        hashes, sums = [*hashes, empty[0]], [*sums, empty[1]]
    packed = [digest + amount.to_bytes(16) for digest, amount in zip(hashes, sums, strict=True)]
    above = [keccak_256(left + right).digest() for left, right in zip(packed[::2], packed[1::2], strict=True)]
    return above, [left + right for left, right in zip(sums[::2], sums[1::2], strict=True)]


def _pack(node: Node) -> bytes:
    return node[0] + node[1].to_bytes(16)


def _unpack(proof: bytes) -> list[Node]:
    if len(proof) % SIBLING_BYTES:
        raise InputError(f"proof: expected a multiple of {SIBLING_BYTES} bytes, got {len(proof)}")
    return [
        (proof[at : at + 32], int.from_bytes(proof[at + 32 : at + SIBLING_BYTES]))
        for at in range(0, len(proof), SIBLING_BYTES)
    ]


def root_of_proof(leaf: Node, index: int, proof: bytes) -> LedgerCommitment:
    """The root, total and depth that a leaf and its proof lead to. Raises InputError where a sum exceeds 128 bits."""
    (digest, amount), siblings = leaf, _unpack(proof)
    if index >> len(siblings):
        raise InputError(f"leaf index: expected less than {1 << len(siblings)}, got {index}")
    for height, (sibling_hash, sibling_sum) in enumerate(siblings):
        left_to_right = (digest, amount, sibling_hash, sibling_sum)
        digest = node_hash(*(left_to_right[2:] + left_to_right[:2] if index >> height & 1 else left_to_right))
        amount += sibling_sum
        check_integer(amount, "sum on the path", 0, 2**128 - 1)
    return LedgerCommitment(digest, amount, len(siblings))


def verify_leaf(contributor_id: bytes, cumulative: int, index: int, proof: bytes, expected: bytes) -> bool:
    """Whether the proof shows this leaf under the stored commitment."""
    try:
        found = root_of_proof((leaf_hash(contributor_id, cumulative), cumulative), index, proof)
    except InputError:
        return False
    return commitment(found) == expected
