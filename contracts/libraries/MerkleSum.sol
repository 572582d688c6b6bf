// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Merkle-sum trees: a root that shows the total of its leaves
/// @notice A node is (hash, sum) and is packed in 48 bytes: hash ‖ uint128 sum.
///         leaf hash = keccak256(id ‖ uint128 cumulative), node hash = keccak256(left node ‖ right node).
///         The parent's sum is the sum of both, so a set of proofs against one root never adds up to more than its total.
/// @dev The assembly here is fuzzed against the plain twin contracts/test/PlainMerkleSum.sol. No function trusts its input.
library MerkleSum {
    uint256 internal constant NODE_BYTES = 48;
    uint256 internal constant MAX_DEPTH = 32;

    /// The proof's length, depth, index or sums are impossible for any tree.
    error MalformedProof();

    /// @notice Hash of a ledger's leaf. The empty leaf (id 0, cumulative 0) has hash 0.
    function leafHash(bytes32 id, uint128 cumulative) internal pure returns (bytes32 hash) {
        if (id == 0 && cumulative == 0) return 0;
        assembly ("memory-safe") {
            mstore(0x00, id)
            mstore(0x20, shl(128, cumulative))
            hash := keccak256(0x00, 48)
        }
    }

    /// @notice The one word that a pool stores of a ledger: keccak256(root ‖ uint128 total ‖ uint8 depth).
    function commitment(bytes32 root, uint256 total, uint256 depth) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            mstore(0x00, root)
            mstore(0x20, or(shl(128, total), shl(120, depth)))
            hash := keccak256(0x00, 49)
        }
    }

    /// @notice Where a leaf and its proof lead. `proof` is the siblings from leaf to root, 48 bytes each.
    /// @return root Hash of the root.
    /// @return total Sum of the root, at most 2^128-1.
    /// @return depth Number of levels below the root.
    function climb(bytes32 leaf, uint128 sum, uint256 index, bytes calldata proof)
        internal
        pure
        returns (bytes32 root, uint256 total, uint256 depth)
    {
        depth = proof.length / NODE_BYTES;
        if (proof.length != depth * NODE_BYTES || depth > MAX_DEPTH || index >> depth != 0) revert MalformedProof();
        assembly ("memory-safe") {
            let m := mload(0x40) // 112 bytes of free memory: two nodes, and 16 bytes that the last mstore spills
            root := leaf
            total := and(sum, 0xffffffffffffffffffffffffffffffff)
            let at := proof.offset
            for { let end := add(at, proof.length) } lt(at, end) { at := add(at, 48) } {
                let own := mul(48, and(index, 1)) // right child: after its sibling
                mstore(add(m, own), root)
                mstore(add(m, add(own, 32)), shl(128, total))
                calldatacopy(add(m, sub(48, own)), at, 48)
                root := keccak256(m, 96)
                total := add(total, shr(128, calldataload(add(at, 32))))
                index := shr(1, index)
            }
        }
        // Sums only grow on the way up and 33 of them stay below 2^134: one look at the end finds any overflow of 128 bits.
        if (total > type(uint128).max) revert MalformedProof();
    }

    /// @notice Sum of all leaves before `index`: its left siblings. Meaningful only for a proof that `climb` accepted.
    function prefixSum(uint256 index, bytes calldata proof) internal pure returns (uint256 sum) {
        for (uint256 at = 32; index != 0; at += NODE_BYTES) {
            if (index & 1 == 1) sum += uint128(bytes16(proof[at:at + 16]));
            index >>= 1;
        }
    }

    /// @notice Where the neighbouring leaves first, first + 1, ... and their common proof lead.
    /// @param proof Per level from the leaves up: the left boundary's sibling where that boundary is a right child, then
    ///        the right boundary's sibling where that is a left child.
    function climbRange(
        bytes32[] calldata ids,
        uint128[] calldata cumulatives,
        uint256 first,
        uint256 depth,
        bytes calldata proof
    ) internal pure returns (bytes32 root, uint256 total) {
        uint256 count = ids.length;
        if (count == 0 || count != cumulatives.length || depth > MAX_DEPTH || first + count > 1 << depth) {
            revert MalformedProof();
        }
        bool wrong;
        assembly ("memory-safe") {
            // Packed nodes of one level stand side by side, so two children are their parent's preimage. Each level is
            // written over the one below it; a left sibling goes into the 48 bytes before it, at most one per level.
            let base := add(mload(0x40), mul(depth, 48))
            let excess := 0 // bits above 128 of any sum
            let node := base
            for { let i := 0 } lt(i, count) { i := add(i, 1) } {
                let id := calldataload(add(ids.offset, shl(5, i)))
                let cumulative := calldataload(add(cumulatives.offset, shl(5, i)))
                excess := or(excess, shr(128, cumulative))
                mstore(node, id)
                mstore(add(node, 32), shl(128, cumulative))
                if or(id, cumulative) { mstore(node, keccak256(node, 48)) }
                node := add(node, 48)
            }
            let at := proof.offset
            let last := add(first, sub(count, 1))
            for {} depth { depth := sub(depth, 1) } {
                if and(first, 1) {
                    base := sub(base, 48)
                    calldatacopy(base, at, 48)
                    at := add(at, 48)
                }
                if iszero(and(last, 1)) {
                    calldatacopy(node, at, 48)
                    at := add(at, 48)
                    node := add(node, 48)
                }
                let parent := base
                for { let child := base } lt(child, node) { child := add(child, 96) } {
                    let hash := keccak256(child, 96)
                    let sum := add(shr(128, mload(add(child, 32))), shr(128, mload(add(child, 80))))
                    excess := or(excess, shr(128, sum))
                    // Ends at most 16 bytes beyond its own 48, which the first 96 bytes of children have left free.
                    mstore(parent, hash)
                    mstore(add(parent, 32), shl(128, sum))
                    parent := add(parent, 48)
                }
                node := parent
                first := shr(1, first)
                last := shr(1, last)
            }
            root := mload(base)
            total := shr(128, mload(add(base, 32)))
            wrong := or(iszero(eq(at, add(proof.offset, proof.length))), iszero(iszero(excess)))
        }
        if (wrong) revert MalformedProof();
    }
}
