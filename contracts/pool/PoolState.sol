// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @notice Everything that a claim has to know of a pool, in one storage word. Bits from the lowest:
///         128 reserved        of the pool's token: everything that claims must not reach
///          32 lastActiveAt    when the last active settlement became active
///          32 number          of the latest settlement
///          32 activeAt        when the pending settlement does, if no demand is open then
///          24 openDemands     of the pending settlement; right above activeAt, see activatesAt
///           1 pending
///           1 demanded        the pending settlement's period was doubled
///           1 activeSlot      which of the two slots of commitments is the active one
///           1 previousValid   the other slot is the previous active settlement
///           1 bondHeld
///           1 closed          abandoned
/// @dev By hand, because Solidity would read and write a packed struct member by member.
type PoolState is uint256;

using PoolStateLibrary for PoolState global;

library PoolStateLibrary {
    uint256 private constant RESERVED = type(uint128).max;
    uint256 private constant LAST_ACTIVE_AT = 128;
    uint256 private constant NUMBER = 160;
    uint256 private constant ACTIVE_AT = 192;
    uint256 private constant OPEN_DEMANDS = 224;
    uint256 private constant PENDING = 1 << 248;
    uint256 private constant DEMANDED = 1 << 249;
    uint256 private constant ACTIVE_SLOT_AT = 250;
    uint256 private constant ACTIVE_SLOT = 1 << ACTIVE_SLOT_AT;
    uint256 private constant PREVIOUS_VALID = 1 << 251;
    uint256 private constant BOND_HELD = 1 << 252;
    uint256 private constant CLOSED = 1 << 253;

    /// The settlement has been proposed and neither cancelled nor, as of the last write, activated.
    function pending(PoolState state) internal pure returns (bool) {
        return _has(state, PENDING);
    }

    function demanded(PoolState state) internal pure returns (bool) {
        return _has(state, DEMANDED);
    }

    function previousValid(PoolState state) internal pure returns (bool) {
        return _has(state, PREVIOUS_VALID);
    }

    function bondHeld(PoolState state) internal pure returns (bool) {
        return _has(state, BOND_HELD);
    }

    function closed(PoolState state) internal pure returns (bool) {
        return _has(state, CLOSED);
    }

    /// 0 or 1; the other one is 1 - activeSlot.
    function activeSlot(PoolState state) internal pure returns (uint256) {
        return (PoolState.unwrap(state) >> ACTIVE_SLOT_AT) & 1;
    }

    // The casts below cut the word to the field on purpose.

    function reserved(PoolState state) internal pure returns (uint256) {
        return uint128(PoolState.unwrap(state));
    }

    function activeAt(PoolState state) internal pure returns (uint32) {
        return uint32(PoolState.unwrap(state) >> ACTIVE_AT);
    }

    /// The same while no demand is open, and else beyond all times: both fields read as one number.
    function activatesAt(PoolState state) internal pure returns (uint56) {
        return uint56(PoolState.unwrap(state) >> ACTIVE_AT);
    }

    function lastActiveAt(PoolState state) internal pure returns (uint32) {
        return uint32(PoolState.unwrap(state) >> LAST_ACTIVE_AT);
    }

    function number(PoolState state) internal pure returns (uint32) {
        return uint32(PoolState.unwrap(state) >> NUMBER);
    }

    function openDemands(PoolState state) internal pure returns (uint24) {
        return uint24(PoolState.unwrap(state) >> OPEN_DEMANDS);
    }

    /// The next settlement, proposed. What was previous is overwritten by it. The number overflows after 2^32 settlements.
    function proposed(PoolState state, uint32 activeAt_) internal pure returns (PoolState) {
        state = _put(state, NUMBER, type(uint32).max, state.number() + 1);
        state = _put(state, ACTIVE_AT, type(uint32).max, activeAt_);
        return _clear(_set(state, PENDING | BOND_HELD), PREVIOUS_VALID);
    }

    /// The pending settlement, active since its time; its revenue can be claimed.
    function activated(PoolState state, uint256 revenue) internal pure returns (PoolState) {
        state = _put(state, LAST_ACTIVE_AT, type(uint32).max, state.activeAt());
        state = _set(_clear(state, PENDING | DEMANDED), PREVIOUS_VALID);
        return PoolState.wrap(PoolState.unwrap(state) ^ ACTIVE_SLOT).released(revenue);
    }

    /// The pending settlement, gone. Neither it nor what it has overwritten can be claimed.
    function cancelled(PoolState state) internal pure returns (PoolState) {
        return _clear(_put(state, OPEN_DEMANDS, type(uint24).max, 0), PENDING | DEMANDED);
    }

    function withReserved(PoolState state, uint256 amount) internal pure returns (PoolState) {
        return PoolState.wrap((PoolState.unwrap(state) & ~RESERVED) | SafeCast.toUint128(state.reserved() + amount));
    }

    /// Reverts where more is released than was reserved, which would be a fault of the books.
    function released(PoolState state, uint256 amount) internal pure returns (PoolState) {
        return PoolState.wrap((PoolState.unwrap(state) & ~RESERVED) | (state.reserved() - amount));
    }

    function withDemand(PoolState state, uint32 activeAt_) internal pure returns (PoolState) {
        state = _put(state, OPEN_DEMANDS, type(uint24).max, state.openDemands() + 1);
        return _set(_put(state, ACTIVE_AT, type(uint32).max, activeAt_), DEMANDED);
    }

    function withAnswer(PoolState state) internal pure returns (PoolState) {
        return _put(state, OPEN_DEMANDS, type(uint24).max, state.openDemands() - 1);
    }

    function withoutBond(PoolState state) internal pure returns (PoolState) {
        return _clear(state, BOND_HELD);
    }

    function withClosed(PoolState state) internal pure returns (PoolState) {
        return _set(state, CLOSED);
    }

    function _has(PoolState state, uint256 flag) private pure returns (bool) {
        return PoolState.unwrap(state) & flag != 0;
    }

    function _set(PoolState state, uint256 flags) private pure returns (PoolState) {
        return PoolState.wrap(PoolState.unwrap(state) | flags);
    }

    function _clear(PoolState state, uint256 flags) private pure returns (PoolState) {
        return PoolState.wrap(PoolState.unwrap(state) & ~flags);
    }

    function _put(PoolState state, uint256 shift, uint256 mask, uint256 value) private pure returns (PoolState) {
        return PoolState.wrap((PoolState.unwrap(state) & ~(mask << shift)) | (value << shift));
    }
}
