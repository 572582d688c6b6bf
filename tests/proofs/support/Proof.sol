// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";

/// Halmos's own cheat codes: values that stand for every value.
interface Symbolic {
    function createUint(uint256 bits, string calldata name) external pure returns (uint256);
    function createBytes(uint256 length, string calldata name) external pure returns (bytes memory);
    function createBytes32(string calldata name) external pure returns (bytes32);
    function createAddress(string calldata name) external pure returns (address);
}

/// What all proofs have: `check_` functions hold for every argument, or Halmos shows one for which an assert fails.
abstract contract Proof {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    Symbolic internal constant any = Symbolic(address(uint160(uint256(keccak256("svm cheat code")))));
}
