// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";
import {IPoolFactory} from "./interfaces/IPoolFactory.sol";
import {Terms} from "./Records.sol";
import {SettlementPool} from "./SettlementPool.sol";

/// @title Opens pools at addresses that follow from their terms
contract PoolFactory is IPoolFactory {
    /// @inheritdoc IPoolFactory
    mapping(address pool => bool) public isPool;

    /// @inheritdoc IPoolFactory
    function createPool(Terms calldata terms, bytes32 salt) external returns (address pool) {
        pool = address(new SettlementPool{salt: salt}(terms));
        isPool[pool] = true;
        emit PoolCreated(pool, terms.proposer, terms.token, terms, salt);
    }

    /// @inheritdoc IPoolFactory
    function poolAddress(Terms calldata terms, bytes32 salt) external view returns (address) {
        bytes32 codeHash = keccak256(abi.encodePacked(type(SettlementPool).creationCode, abi.encode(terms)));
        return Create2.computeAddress(salt, codeHash);
    }
}
