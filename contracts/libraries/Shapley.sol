// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Shapley values of the stages' game, in whole units of money
/// @dev Twin of ame.arithmetic.stage_amounts. Shapley (1953), eq. 13, times n!:
///      n! phi_i = sum over T without i of |T|! (n-|T|-1)! (V(T+i) - V(T)).
library Shapley {
    /// @notice The revenue (the table's last value) split over the positive Shapley values; negative ones get zero.
    /// @param table Value of each coalition by bit mask; 2^players values, the first 0, the last positive.
    function amounts(int128[] calldata table, uint256 players) internal pure returns (uint128[] memory parts) {
        int256[] memory values = numerators(table, players);
        uint256 total;
        for (uint256 i = 0; i < players; ++i) {
            if (values[i] > 0) total += uint256(values[i]);
        }
        // The table's last value is positive and below 2^127; every part is at most that. The values sum to it times players!,
        // so one of them at least is positive, and total is not 0.
        uint256 revenue = uint256(int256(table[table.length - 1]));
        parts = new uint128[](players);
        uint256 prefix;
        uint256 start;
        for (uint256 i = 0; i < players; ++i) {
            if (values[i] <= 0) continue;
            prefix += uint256(values[i]);
            uint256 end = Math.mulDiv(revenue, prefix, total); // what a floor leaves over, the next stages gain
            parts[i] = uint128(end - start);
            start = end;
        }
    }

    /// @notice Shapley values times players!. A coalition T counts for its members with weight (|T|-1)! (n-|T|)! and against
    ///         everybody else with |T|! (n-|T|-1)!: so against everybody, and for its members with the sum of both.
    /// @dev At most 5 players: |value| <= 2^127, weights <= 48, 32 coalitions; sums stay below 2^138, so unchecked is safe.
    function numerators(int128[] calldata table, uint256 players) internal pure returns (int256[] memory values) {
        values = new int256[](players);
        uint256[6] memory factorial = [uint256(1), 1, 2, 6, 24, 120];
        unchecked {
            int256 against = 0;
            uint256 end = 1 << players;
            for (uint256 coalition = 1; coalition < end; ++coalition) {
                int256 value = table[coalition];
                if (value == 0) continue;
                uint256 size = _size(coalition);
                uint256 weight = factorial[size - 1] * factorial[players - size];
                if (size < players) {
                    uint256 loss = factorial[size] * factorial[players - size - 1];
                    against += value * int256(loss);
                    weight += loss;
                }
                value *= int256(weight);
                for (uint256 i = 0; i < players; ++i) {
                    if ((coalition >> i) & 1 == 1) values[i] += value;
                }
            }
            for (uint256 i = 0; i < players; ++i) {
                values[i] -= against;
            }
        }
    }

    /// Number of members, for up to 5 players: a table of 32 entries in 4 bits each.
    function _size(uint256 coalition) private pure returns (uint256) {
        unchecked {
            return (0x54434332433232214332322132212110 >> (4 * coalition)) & 15;
        }
    }
}
