// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Shapley} from "../../contracts/libraries/Shapley.sol";
import {Telescoping} from "../../contracts/libraries/Telescoping.sol";
import {Proof} from "./support/Proof.sol";

/// The money of a settlement is split without a remainder. Sums here are unchecked: the operands are below 2^140.
contract ArithmeticProof is Proof {
    function numerators(int128[] calldata table, uint256 players) external pure returns (int256[] memory) {
        return Shapley.numerators(table, players);
    }

    function amounts(int128[] calldata table, uint256 players) external pure returns (uint128[] memory) {
        return Shapley.amounts(table, players);
    }

    function check_shapley_values_of_2_stages_sum_to_the_value_of_all(int128[3] calldata values) external view {
        _checkSum(_table(values[0], values[1], values[2]), 2, 2);
    }

    function check_shapley_values_of_3_stages_sum_to_the_value_of_all(int128[7] calldata values) external view {
        int128[] memory table = new int128[](8);
        for (uint256 i = 1; i < 8; ++i) {
            vm.assume(values[i - 1] != 0); // a value of 0 is skipped, and adds 0
            table[i] = values[i - 1];
        }
        _checkSum(table, 3, 6);
    }

    /// The values are linear in the table, so one coalition's value at a time is enough.
    function check_shapley_values_of_4_stages_sum_to_the_value_of_all(int128 value) external view {
        for (uint256 coalition = 1; coalition < 16; ++coalition) {
            int128[] memory table = new int128[](16);
            table[coalition] = value;
            _checkSum(table, 4, 24);
        }
    }

    function _checkSum(int128[] memory table, uint256 players, int256 factorial) private view {
        int256[] memory values = this.numerators(table, players);
        unchecked {
            int256 sum = 0;
            for (uint256 i = 0; i < players; ++i) {
                sum += values[i];
            }
            assert(sum == factorial * int256(table[table.length - 1]));
        }
    }

    // Amounts of up to 16 bits, which a solver can add up.

    function check_amounts_of_2_stages_sum_to_the_revenue(int16 a, int16 b, uint16 all) external view {
        vm.assume(a != 0 && b != 0 && all != 0);
        _checkAmounts(_table(a, b, int128(uint128(all))), 2);
    }

    /// Two of the stages are worth something alone.
    function check_amounts_of_3_stages_sum_to_the_revenue(int16 a, int16 b, uint16 all) external view {
        vm.assume(a != 0 && b != 0 && all != 0);
        int128[] memory table = new int128[](8);
        (table[1], table[4], table[7]) = (a, b, int128(uint128(all)));
        _checkAmounts(table, 3);
    }

    function check_amounts_of_4_stages_sum_to_the_revenue(int16 a, uint16 all) external view {
        vm.assume(a != 0 && all != 0);
        int128[] memory table = new int128[](16);
        (table[1], table[15]) = (a, int128(uint128(all)));
        _checkAmounts(table, 4);
    }

    /// No part is negative either: the subtraction that makes it would revert.
    function _checkAmounts(int128[] memory table, uint256 players) private view {
        try this.amounts(table, players) returns (uint128[] memory parts) {
            uint256 sum = 0;
            unchecked {
                for (uint256 i = 0; i < players; ++i) {
                    sum += parts[i];
                }
            }
            assert(sum == uint256(int256(table[table.length - 1])));
        } catch {
            assert(false);
        }
    }

    function _table(int128 a, int128 b, int128 c) private pure returns (int128[] memory table) {
        table = new int128[](4);
        (table[1], table[2], table[3]) = (a, b, c);
    }

    function split(uint256 amount, uint64[5] calldata weights, uint256 total) external pure returns (uint256 sum) {
        unchecked {
            uint256 prefix = 0;
            for (uint256 i = 0; i < 5; ++i) {
                uint256 part = Telescoping.part(amount, prefix, weights[i], total);
                assert(part <= amount);
                sum += part;
                prefix += weights[i];
            }
        }
    }

    function check_parts_sum_to_the_amount(uint128 amount, uint64[5] calldata weights) external view {
        uint256 total = 0;
        unchecked {
            for (uint256 i = 0; i < 5; ++i) {
                total += weights[i];
            }
        }
        vm.assume(total != 0);
        try this.split(amount, weights, total) returns (uint256 sum) {
            assert(sum == amount);
        } catch {
            assert(false);
        }
    }

    /// Where a solver can divide: each part is less than one unit from exact. For all numbers: integers.py.
    function check_each_part_of_ten_is_within_one_of_exact(uint8 before, uint8 weight) external pure {
        unchecked {
            vm.assume(before < 4 && weight < 4 && before + weight < 4);
            uint256 scaled = Telescoping.part(10, before, weight, 3) * 3;
            assert(scaled < 10 * uint256(weight) + 3 && 10 * uint256(weight) < scaled + 3);
        }
    }

    function check_nothing_is_split_over_nothing(uint256 amount, uint256 prefix, uint256 weight) external pure {
        assert(Telescoping.part(amount, prefix, weight, 0) == 0);
    }
}
