// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";

/// @title What the proofs know of OpenZeppelin's Math.mulDiv, instead of its code
/// @dev Bits of a 512-bit division are too much for a solver. Here floor(x * y / d) is a function of which only these facts
///      are known, each proved over unbounded integers by tests/proofs/integers.py:
///      0 for y = 0; x for y = d; at most x for y <= d; never less for a greater y with the same x and d.
///      Whatever is proved holds for every function with these facts, and so for the real one.
library Math {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    /// Far above what Solidity allocates: the calls so far in this frame, four words each, after their number.
    uint256 private constant CALLS = 1 << 16;

    function mulDiv(uint256 x, uint256 y, uint256 d) internal pure returns (uint256 q) {
        require(d != 0);
        unchecked {
            q = x * y / d; // an uninterpreted function, as Halmos sees it
        }
        vm.assume(_implies(y == 0, q == 0));
        vm.assume(_implies(y == d, q == x));
        vm.assume(_implies(y <= d, q <= x));
        uint256 count = _load(CALLS);
        for (uint256 call = CALLS + 32; call < CALLS + 32 + 128 * count; call += 128) {
            uint256 before = _load(call + 96);
            bool same = _and(_load(call) == x, _load(call + 64) == d);
            vm.assume(_implies(_and(same, _load(call + 32) <= y), before <= q));
            vm.assume(_implies(_and(same, y <= _load(call + 32)), q <= before));
        }
        uint256 next = CALLS + 32 + 128 * count;
        _store(next, x);
        _store(next + 32, y);
        _store(next + 64, d);
        _store(next + 96, q);
        _store(CALLS, count + 1);
    }

    // Without branches, so that a proof stays one path.

    function _implies(bool a, bool b) private pure returns (bool c) {
        assembly { c := or(iszero(a), b) }
    }

    function _and(bool a, bool b) private pure returns (bool c) {
        assembly { c := and(a, b) }
    }

    function _load(uint256 at) private pure returns (uint256 word) {
        assembly { word := mload(at) }
    }

    function _store(uint256 at, uint256 word) private pure {
        assembly { mstore(at, word) }
    }
}
