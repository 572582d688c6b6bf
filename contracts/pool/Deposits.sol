// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ISettlementPool} from "../interfaces/ISettlementPool.sol";
import {PoolBase} from "./PoolBase.sol";
import {PoolState} from "./PoolState.sol";

/// @title How money comes in, and goes back from an abandoned pool
abstract contract Deposits is PoolBase {
    using SafeERC20 for IERC20;

    error WrongValue(uint256 sent, uint256 expected);
    error NothingArrived();
    error NothingToRefund(address depositor);
    error NotAbandoned();
    error PoolClosed();

    mapping(address depositor => uint256) private _deposited;
    uint256 private _totalDeposited;

    /// @inheritdoc ISettlementPool
    /// @dev Counted per depositor only where deposits can ever go back.
    function deposit(uint256 amount, bytes32 depositReference)
        external
        payable
        nonReentrant
        returns (uint256 credited)
    {
        if (ABANDON_SECONDS != 0 && _load().closed()) revert PoolClosed();
        if (msg.value != (TOKEN == address(0) ? amount : 0)) {
            revert WrongValue(msg.value, TOKEN == address(0) ? amount : 0);
        }
        credited = TOKEN == address(0) ? amount : _pull(amount);
        if (credited == 0) revert NothingArrived();
        _reserve(credited);
        _unallocated += uint128(credited); // part of what is reserved, which fits
        if (ABANDON_SECONDS != 0) {
            _deposited[msg.sender] += credited;
            _totalDeposited += credited;
        }
        emit Deposited(msg.sender, depositReference, credited);
    }

    /// @inheritdoc ISettlementPool
    function refund(address depositor) external nonReentrant returns (uint256 amount) {
        PoolState state = _load();
        if (!state.closed()) _close(state);
        uint256 part = _deposited[depositor];
        if (part == 0) revert NothingToRefund(depositor);
        // Whoever comes later gains the remainder; the last depositor takes all that is left, so nothing stays behind.
        // Both factors fit 128 bits: _unallocated by type, the deposits because each once was unallocated.
        amount = uint256(_unallocated) * part / _totalDeposited;
        _deposited[depositor] = 0;
        _totalDeposited -= part;
        _unallocated -= uint128(amount); // part <= _totalDeposited, so amount <= _unallocated
        _release(amount);
        emit Refunded(depositor, amount);
        if (amount != 0) _pay(depositor, amount);
    }

    /// @inheritdoc ISettlementPool
    function deposited(address depositor) external view returns (uint256) {
        return _deposited[depositor];
    }

    /// Closes the pool for good, once it is abandoned.
    function _close(PoolState state) private {
        uint256 since = state.lastActiveAt() > CREATED_AT ? state.lastActiveAt() : CREATED_AT;
        if (ABANDON_SECONDS == 0 || block.timestamp < since + ABANDON_SECONDS) revert NotAbandoned();
        if (state.pending()) revert SettlementPending(state.number());
        _store(state.withClosed());
        emit Abandoned(_unallocated);
    }

    /// Pulls tokens and counts what really arrived. Nothing can leave meanwhile: every way out is nonReentrant.
    function _pull(uint256 amount) private returns (uint256) {
        uint256 balance = IERC20(TOKEN).balanceOf(address(this));
        IERC20(TOKEN).safeTransferFrom(msg.sender, address(this), amount);
        return IERC20(TOKEN).balanceOf(address(this)) - balance;
    }
}
