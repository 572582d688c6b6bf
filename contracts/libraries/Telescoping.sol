// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Splits an amount over weights so that the parts add up exactly
/// @dev Twin of ame.arithmetic.telescoping_split.
library Telescoping {
    /// @notice floor(amount * (prefix + weight) / total) - floor(amount * prefix / total).
    ///         What one floor leaves over, the next parts gain: over all weights the parts sum exactly to the amount, and
    ///         each is within one unit of exact.
    /// @dev prefix + weight <= total < 2^255, so neither quotient exceeds `amount`. Nothing is split over total 0.
    function part(uint256 amount, uint256 prefix, uint256 weight, uint256 total) internal pure returns (uint256) {
        if (total == 0) return 0;
        return Math.mulDiv(amount, prefix + weight, total) - Math.mulDiv(amount, prefix, total);
    }
}
