// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The textbook formulas of Shapley values and of the telescoping split, to compare with
library PlainShapley {
    /// n! phi_i = sum over T without i of |T|! (n-|T|-1)! (V(T+i) - V(T)).
    function numerators(int128[] memory table, uint256 players) internal pure returns (int256[] memory values) {
        values = new int256[](players);
        for (uint256 i = 0; i < players; ++i) {
            for (uint256 coalition = 0; coalition < table.length; ++coalition) {
                if ((coalition >> i) & 1 == 1) continue;
                uint256 size = members(coalition);
                int256 weight = int256(factorial(size) * factorial(players - size - 1));
                values[i] += weight * (int256(table[coalition | (1 << i)]) - table[coalition]);
            }
        }
    }

    /// For amounts so small that 256 bits suffice.
    function amounts(int128[] memory table, uint256 players) internal pure returns (uint128[] memory parts) {
        int256[] memory values = numerators(table, players);
        uint256 revenue = uint256(int256(table[table.length - 1]));
        uint256 total = 0;
        for (uint256 i = 0; i < players; ++i) {
            total += values[i] > 0 ? uint256(values[i]) : 0;
        }
        parts = new uint128[](players);
        uint256 prefix = 0;
        for (uint256 i = 0; i < players; ++i) {
            uint256 end = prefix + (values[i] > 0 ? uint256(values[i]) : 0);
            parts[i] = uint128(revenue * end / total - revenue * prefix / total);
            prefix = end;
        }
    }

    function members(uint256 coalition) internal pure returns (uint256 count) {
        for (; coalition > 0; coalition /= 2) {
            count += coalition % 2;
        }
    }

    function factorial(uint256 n) internal pure returns (uint256) {
        return n < 2 ? 1 : n * factorial(n - 1);
    }
}
