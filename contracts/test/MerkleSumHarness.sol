// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleSum} from "../libraries/MerkleSum.sol";
import {Shapley} from "../libraries/Shapley.sol";
import {Telescoping} from "../libraries/Telescoping.sol";

/// @title Opens the libraries' internal functions to tests, in Solidity and in Python
contract MerkleSumHarness {
    function leafHash(bytes32 id, uint128 cumulative) external pure returns (bytes32) {
        return MerkleSum.leafHash(id, cumulative);
    }

    function commitment(bytes32 root, uint128 total, uint8 depth) external pure returns (bytes32) {
        return MerkleSum.commitment(root, total, depth);
    }

    function climb(bytes32 leaf, uint128 sum, uint256 index, bytes calldata proof)
        external
        pure
        returns (bytes32, uint256, uint256)
    {
        return MerkleSum.climb(leaf, sum, index, proof);
    }

    function climbWithPrefix(bytes32 leaf, uint128 sum, uint256 index, bytes calldata proof)
        external
        pure
        returns (bytes32, uint256, uint256, uint256)
    {
        return MerkleSum.climbWithPrefix(leaf, sum, index, proof);
    }

    function climbRange(
        bytes32[] calldata ids,
        uint128[] calldata cumulatives,
        uint256 first,
        uint256 depth,
        bytes calldata proof
    ) external pure returns (bytes32, uint256) {
        return MerkleSum.climbRange(ids, cumulatives, first, depth, proof);
    }

    function part(uint256 amount, uint256 prefix, uint256 weight, uint256 total) external pure returns (uint256) {
        return Telescoping.part(amount, prefix, weight, total);
    }

    function numerators(int128[] calldata table, uint256 players) external pure returns (int256[] memory) {
        return Shapley.numerators(table, players);
    }

    function amounts(int128[] calldata table, uint256 players) external pure returns (uint128[] memory) {
        return Shapley.amounts(table, players);
    }
}
