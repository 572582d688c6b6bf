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
        unchecked {
            depth = proof.length / NODE_BYTES;
            if (depth == 0 || depth > MAX_DEPTH || proof.length != depth * NODE_BYTES || index >> depth != 0) {
                revert MalformedProof();
            }
        }
        uint256 position = index | (1 << depth); // numbered from the root, which is 1; a node's children are 2n and 2n + 1
        assembly ("memory-safe") {
            // Both children lie at 0..95, over the free memory pointer, which is put back. A sum is written before its hash,
            // which covers the upper half of the sum's word.
            let free := mload(0x40)
            root := leaf
            total := sum
            for { let next := proof.offset } gt(position, 1) { next := add(next, 48) } {
                let own := mul(48, and(position, 1)) // a right child stands after its sibling
                mstore(add(own, 16), total)
                mstore(own, root)
                calldatacopy(sub(48, own), next, 48)
                root := keccak256(0, 96)
                total := add(total, shr(128, calldataload(add(next, 32))))
                position := shr(1, position)
            }
            mstore(0x40, free)
        }
        // Sums only grow on the way up and 33 of them stay below 2^134: one look at the end finds any overflow of 128 bits.
        if (total > type(uint128).max) revert MalformedProof();
    }

    /// @notice The same for fraud proofs, which also need the sum of all leaves before `index`: the left siblings.
    /// @dev Not shared with claims: the compiler writes a function with one caller in place, so claims cost what they would
    ///      without fraud proofs. Those are rare, and far below their limit of gas without assembly.
    function climbWithPrefix(bytes32 leaf, uint128 sum, uint256 index, bytes calldata proof)
        internal
        pure
        returns (bytes32 root, uint256 total, uint256 depth, uint256 prefix)
    {
        depth = proof.length / NODE_BYTES;
        if (depth == 0 || depth > MAX_DEPTH || proof.length % NODE_BYTES != 0 || index >> depth != 0) {
            revert MalformedProof();
        }
        (root, total) = (leaf, sum);
        unchecked {
            for (uint256 position = index | (1 << depth); position > 1; position >>= 1) {
                bytes calldata sibling = proof[:NODE_BYTES];
                bytes memory own = abi.encodePacked(root, uint128(total));
                uint256 siblingSum = uint128(bytes16(sibling[32:]));
                bool isRight = position & 1 == 1;
                root = keccak256(isRight ? bytes.concat(sibling, own) : bytes.concat(own, sibling));
                if (isRight) prefix += siblingSum;
                total += siblingSum;
                proof = proof[NODE_BYTES:];
            }
        }
        if (total > type(uint128).max) revert MalformedProof();
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
        uint256 nodes = _packLeaves(ids, cumulatives, depth * NODE_BYTES);
        return _fold(nodes, nodes + count * NODE_BYTES, first, first + count - 1, depth, proof);
    }

    /// Packed leaves side by side in memory, with `headroom` bytes before and 64 behind.
    function _packLeaves(bytes32[] calldata ids, uint128[] calldata cumulatives, uint256 headroom)
        private
        pure
        returns (uint256 nodes)
    {
        uint256 excess; // bits above 128 of any amount
        assembly ("memory-safe") {
            nodes := add(mload(0x40), headroom)
            let node := nodes
            let offset := cumulatives.offset
            for {
                let next := ids.offset
                let end := add(next, shl(5, ids.length))
            } lt(next, end) {
                next := add(next, 32)
            } {
                let id := calldataload(next)
                let cumulative := calldataload(offset)
                excess := or(excess, shr(128, cumulative))
                mstore(add(node, 16), cumulative)
                mstore(node, id)
                if or(id, cumulative) { mstore(node, keccak256(node, 48)) }
                node := add(node, 48)
                offset := add(offset, 32)
            }
            mstore(0x40, and(add(node, 95), not(31)))
        }
        if (excess != 0) revert MalformedProof();
    }

    /// Folds the packed nodes at first..last, which stand from `nodes` to `end`, level by level up to the root.
    /// @dev Packed children side by side are their parent's preimage. Each level is written over the one below it. A left
    ///      sibling goes into the 48 bytes before it, at most one per level; a right sibling behind it.
    function _fold(uint256 nodes, uint256 end, uint256 first, uint256 last, uint256 depth, bytes calldata proof)
        private
        pure
        returns (bytes32 root, uint256 total)
    {
        uint256 excess; // bits above 128 of any sum
        assembly ("memory-safe") {
            for {} depth { depth := sub(depth, 1) } {
                if and(first, 1) {
                    nodes := sub(nodes, 48)
                    calldatacopy(nodes, proof.offset, 48)
                    proof.offset := add(proof.offset, 48)
                    proof.length := sub(proof.length, 48)
                }
                if iszero(and(last, 1)) {
                    calldatacopy(end, proof.offset, 48)
                    proof.offset := add(proof.offset, 48)
                    proof.length := sub(proof.length, 48)
                    end := add(end, 48)
                }
                let parent := nodes
                for { let child := nodes } lt(child, end) { child := add(child, 96) } {
                    let sum := add(shr(128, mload(add(child, 32))), shr(128, mload(add(child, 80))))
                    excess := or(excess, shr(128, sum))
                    let hash := keccak256(child, 96)
                    mstore(add(parent, 16), sum)
                    mstore(parent, hash)
                    parent := add(parent, 48)
                }
                end := parent
                first := shr(1, first)
                last := shr(1, last)
            }
            root := mload(nodes)
            total := shr(128, mload(add(nodes, 32)))
        }
        // The length wraps below 0 for a proof that is too short; at most 64 nodes are read, so it cannot come round to 0.
        if (excess != 0 || proof.length != 0) revert MalformedProof();
    }
}
