// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Terms} from "../Records.sol";

/// @title Opens pools at addresses that follow from their terms
interface IPoolFactory {
    event PoolCreated(address indexed pool, address indexed proposer, address indexed token, Terms terms, bytes32 salt);

    /// @notice Deploys the pool of these terms. Anybody may; the salt tells apart pools of equal terms.
    function createPool(Terms calldata terms, bytes32 salt) external returns (address pool);
    /// @notice Where createPool puts the pool of these terms.
    function poolAddress(Terms calldata terms, bytes32 salt) external view returns (address);
    /// @notice Whether this factory deployed the pool.
    function isPool(address pool) external view returns (bool);
}
