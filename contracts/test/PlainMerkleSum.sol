// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title MerkleSum without assembly and without cleverness, to compare with
contract PlainMerkleSum {
    struct Node {
        bytes32 hash;
        uint256 sum;
    }

    error Malformed();

    function leafHash(bytes32 id, uint128 cumulative) public pure returns (bytes32) {
        return id == 0 && cumulative == 0 ? bytes32(0) : keccak256(abi.encodePacked(id, cumulative));
    }

    function commitment(bytes32 root, uint128 total, uint8 depth) public pure returns (bytes32) {
        return keccak256(abi.encodePacked(root, total, depth));
    }

    function climb(bytes32 leaf, uint128 sum, uint256 index, bytes calldata proof)
        public
        pure
        returns (bytes32, uint256, uint256)
    {
        if (proof.length % 48 != 0) revert Malformed();
        uint256 depth = proof.length / 48;
        if (depth > 32 || index >= 2 ** depth) revert Malformed();
        Node memory node = Node(leaf, sum);
        for (uint256 level = 0; level < depth; ++level) {
            Node memory sibling = nodeAt(proof, level);
            node = (index >> level) % 2 == 0 ? parent(node, sibling) : parent(sibling, node);
        }
        return (node.hash, node.sum, depth);
    }

    function climbRange(
        bytes32[] calldata ids,
        uint128[] calldata cumulatives,
        uint256 first,
        uint256 depth,
        bytes calldata proof
    ) public pure returns (bytes32, uint256) {
        if (ids.length == 0 || ids.length != cumulatives.length || depth > 32 || first + ids.length > 2 ** depth) {
            revert Malformed();
        }
        Node[] memory nodes = new Node[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            nodes[i] = Node(leafHash(ids[i], cumulatives[i]), cumulatives[i]);
        }
        uint256 used = 0;
        for (uint256 level = 0; level < depth; ++level) {
            bool left = first % 2 == 1;
            bool right = (first + nodes.length) % 2 == 1;
            Node[] memory wide = new Node[](nodes.length + (left ? 1 : 0) + (right ? 1 : 0));
            for (uint256 i = 0; i < nodes.length; ++i) {
                wide[i + (left ? 1 : 0)] = nodes[i];
            }
            if (left) wide[0] = nodeAt(proof, used++);
            if (right) wide[wide.length - 1] = nodeAt(proof, used++);
            nodes = new Node[](wide.length / 2);
            for (uint256 i = 0; i < nodes.length; ++i) {
                nodes[i] = parent(wide[2 * i], wide[2 * i + 1]);
            }
            first /= 2;
        }
        if (proof.length != used * 48) revert Malformed();
        return (nodes[0].hash, nodes[0].sum);
    }

    function nodeAt(bytes calldata proof, uint256 position) public pure returns (Node memory) {
        if (proof.length < position * 48 + 48) revert Malformed();
        return Node(
            bytes32(proof[position * 48:position * 48 + 32]),
            uint128(bytes16(proof[position * 48 + 32:position * 48 + 48]))
        );
    }

    function parent(Node memory left, Node memory right) public pure returns (Node memory) {
        if (left.sum + right.sum > type(uint128).max) revert Malformed();
        // Both sums were checked to fit 128 bits.
        bytes32 hash = keccak256(abi.encodePacked(left.hash, uint128(left.sum), right.hash, uint128(right.sum)));
        return Node(hash, left.sum + right.sum);
    }
}
