// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ISettlementPool} from "../interfaces/ISettlementPool.sol";
import {PoolBase} from "./PoolBase.sol";
import {PoolState} from "./PoolState.sol";
import {Deposit} from "../Records.sol";

/// @title How money comes in, and goes back from an abandoned pool
abstract contract Deposits is PoolBase {
    using SafeERC20 for IERC20;

    error WrongValue(uint256 sent, uint256 expected);
    error NothingArrived();
    error NothingToRefund();
    error NotAbandoned();
    error NotTheLatestDeposits();
    error PoolClosed();

    /// Hash over all deposits in order, less those that went back: keccak256(hash of those before ‖ depositor ‖ amount).
    bytes32 private _depositsHash;
    /// When a deposit last was more than all that waited before it.
    uint256 private _waitingSince;

    /// @inheritdoc ISettlementPool
    /// @dev Written down only where deposits can ever go back.
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
        if (ABANDON_SECONDS != 0) {
            _depositsHash = _hashWith(_depositsHash, msg.sender, credited);
            if (credited > _unallocated) _waitingSince = block.timestamp;
        }
        _reserve(credited);
        _unallocated += uint128(credited); // part of what is reserved, which fits
        emit Deposited(msg.sender, depositReference, credited);
    }

    /// @inheritdoc ISettlementPool
    /// @dev What was deposited first was spent first: so what is left belongs to the latest deposits, and nobody gets back what
    ///      others brought.
    function refund(bytes32 hashBefore, Deposit[] calldata latest) external nonReentrant returns (uint256 amount) {
        PoolState state = _load();
        if (!state.closed()) _close(state);
        bytes32 hash = hashBefore;
        for (uint256 i = 0; i < latest.length; ++i) {
            hash = _hashWith(hash, latest[i].depositor, latest[i].amount);
        }
        if (hash != _depositsHash) revert NotTheLatestDeposits();
        _depositsHash = hashBefore;
        for (uint256 i = latest.length; i > 0; --i) {
            amount += _refund(latest[i - 1]);
        }
        if (amount == 0) revert NothingToRefund();
    }

    /// @inheritdoc ISettlementPool
    function depositsHash() external view returns (bytes32) {
        return _depositsHash;
    }

    /// Gives back what is left of a deposit. What its depositor refuses is owed to its account id.
    function _refund(Deposit calldata deposit_) private returns (uint256 amount) {
        amount = Math.min(deposit_.amount, _unallocated);
        if (amount == 0) return 0;
        _unallocated -= uint128(amount);
        _release(amount);
        emit Refunded(deposit_.depositor, amount);
        if (!_tryPay(deposit_.depositor, amount)) {
            _keepOwed(bytes32(uint256(uint160(deposit_.depositor))), amount);
        }
    }

    /// Closes the pool for good, once it is abandoned: nothing became active, and nothing much came in, for so long.
    function _close(PoolState state) private {
        uint256 since = Math.max(Math.max(state.lastActiveAt(), CREATED_AT), _waitingSince);
        if (ABANDON_SECONDS == 0 || block.timestamp < since + ABANDON_SECONDS) revert NotAbandoned();
        if (state.pending()) revert SettlementPending(state.number());
        _store(state.withClosed());
        emit Abandoned(_unallocated);
    }

    function _hashWith(bytes32 hash, address depositor, uint256 amount) private pure returns (bytes32) {
        return keccak256(abi.encode(hash, depositor, amount));
    }

    /// Pulls tokens and counts what really arrived. Nothing can leave meanwhile: every way out is nonReentrant.
    function _pull(uint256 amount) private returns (uint256) {
        uint256 balance = IERC20(TOKEN).balanceOf(address(this));
        IERC20(TOKEN).safeTransferFrom(msg.sender, address(this), amount);
        return IERC20(TOKEN).balanceOf(address(this)) - balance;
    }
}
