// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// All levels of a Merkle-sum tree, leaves first.
struct SumTree {
    bytes32[][] hashes;
    uint128[][] sums;
}

/// Builds trees and proofs as the Python package does, from the definition.
library SumTrees {
    function build(bytes32[] memory hashes, uint128[] memory sums, uint256 depth)
        internal
        pure
        returns (SumTree memory tree)
    {
        tree.hashes = new bytes32[][](depth + 1);
        tree.sums = new uint128[][](depth + 1);
        tree.hashes[0] = new bytes32[](1 << depth);
        tree.sums[0] = new uint128[](1 << depth);
        for (uint256 i = 0; i < hashes.length; ++i) {
            tree.hashes[0][i] = hashes[i];
            tree.sums[0][i] = sums[i];
        }
        for (uint256 level = 1; level <= depth; ++level) {
            tree.hashes[level] = new bytes32[](1 << (depth - level));
            tree.sums[level] = new uint128[](1 << (depth - level));
            for (uint256 i = 0; i < tree.hashes[level].length; ++i) {
                join(tree, level, i);
            }
        }
    }

    /// Sums may wrap here: liars' trees are built too.
    function join(SumTree memory tree, uint256 level, uint256 i) internal pure {
        tree.hashes[level][i] = keccak256(node(tree, level - 1, 2 * i, true));
        unchecked {
            tree.sums[level][i] = tree.sums[level - 1][2 * i] + tree.sums[level - 1][2 * i + 1];
        }
    }

    function node(SumTree memory tree, uint256 level, uint256 i, bool both)
        internal
        pure
        returns (bytes memory packed)
    {
        packed = abi.encodePacked(tree.hashes[level][i], tree.sums[level][i]);
        if (both) packed = abi.encodePacked(packed, tree.hashes[level][i + 1], tree.sums[level][i + 1]);
    }

    function root(SumTree memory tree) internal pure returns (bytes32) {
        return tree.hashes[tree.hashes.length - 1][0];
    }

    function total(SumTree memory tree) internal pure returns (uint128) {
        return tree.sums[tree.sums.length - 1][0];
    }

    function topNode(SumTree memory tree) internal pure returns (bytes memory) {
        return node(tree, tree.hashes.length - 2, 0, true);
    }

    function proof(SumTree memory tree, uint256 index) internal pure returns (bytes memory packed) {
        for (uint256 level = 0; level + 1 < tree.hashes.length; ++level) {
            packed = abi.encodePacked(packed, node(tree, level, (index >> level) ^ 1, false));
        }
    }

    function rangeProof(SumTree memory tree, uint256 first, uint256 count) internal pure returns (bytes memory packed) {
        uint256 last = first + count - 1;
        for (uint256 level = 0; level + 1 < tree.hashes.length; ++level) {
            if (first & 1 == 1) packed = abi.encodePacked(packed, node(tree, level, first - 1, false));
            if (last & 1 == 0) packed = abi.encodePacked(packed, node(tree, level, last + 1, false));
            (first, last) = (first >> 1, last >> 1);
        }
    }
}
