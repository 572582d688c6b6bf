// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Everything that a claim has to know of a pool, in one storage word.
struct PoolState {
    uint128 unclaimed; // allocated by active settlements and not yet paid: no payment goes beyond it
    uint32 activeAt; // when the pending settlement becomes active
    uint32 lastActiveAt; // when the last active settlement did
    uint32 number; // of the latest settlement
    uint24 openDemands; // of the pending settlement
    bool pending;
    bool demanded; // the pending settlement's period was doubled
    bool activeSlot; // which of the two slots of commitments is the active one
    bool previousValid; // whether the other slot is the previous active settlement
    bool bondHeld;
    bool closed; // abandoned
}

/// @title Packs and unpacks PoolState by hand
/// @dev Solidity would write a packed struct member by member, each with a read of its own.
///      Bits from the lowest: unclaimed 128, activeAt 32, lastActiveAt 32, number 32, openDemands 24, flags 6.
library PoolStateLibrary {
    function unpack(uint256 word) internal pure returns (PoolState memory state) {
        // Casts cut the word to each field on purpose.
        state.unclaimed = uint128(word);
        state.activeAt = uint32(word >> 128);
        state.lastActiveAt = uint32(word >> 160);
        state.number = uint32(word >> 192);
        state.openDemands = uint24(word >> 224);
        state.pending = (word >> 248) & 1 != 0;
        state.demanded = (word >> 249) & 1 != 0;
        state.activeSlot = (word >> 250) & 1 != 0;
        state.previousValid = (word >> 251) & 1 != 0;
        state.bondHeld = (word >> 252) & 1 != 0;
        state.closed = (word >> 253) & 1 != 0;
    }

    function pack(PoolState memory state) internal pure returns (uint256 word) {
        word = uint256(state.unclaimed) | (uint256(state.activeAt) << 128) | (uint256(state.lastActiveAt) << 160)
            | (uint256(state.number) << 192) | (uint256(state.openDemands) << 224);
        if (state.pending) word |= 1 << 248;
        if (state.demanded) word |= 1 << 249;
        if (state.activeSlot) word |= 1 << 250;
        if (state.previousValid) word |= 1 << 251;
        if (state.bondHeld) word |= 1 << 252;
        if (state.closed) word |= 1 << 253;
    }
}
