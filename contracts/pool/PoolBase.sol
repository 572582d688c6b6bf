// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IContributorRegistry} from "../interfaces/IContributorRegistry.sol";
import {ISettlementPool} from "../interfaces/ISettlementPool.sol";
import {MerkleSum} from "../libraries/MerkleSum.sol";
import {Terms} from "../Records.sol";
import {PoolState} from "./PoolState.sol";

/// @title What all parts of a pool share: terms, books, the passage of time, and how money leaves
abstract contract PoolBase is ISettlementPool, EIP712, Nonces, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// What an id was paid in a stage so far, at most 128 bits. A struct, so that its place is hashed once.
    struct Paid {
        uint256 cumulative;
    }

    error InvalidTerms();
    error NotPending();
    error SettlementPending(uint64 number);
    error NotEnoughGas(uint256 left, uint256 needed);
    error ReachesReserves(uint256 balance, uint256 reserved);
    error ZeroRecipient();

    uint256 internal constant MAX_STAGES = 5;
    uint256 internal constant MAX_AMOUNT = type(uint128).max >> 1; // 2^127-1, for amounts and weights
    /// What a receiver of ETH may use: enough for a smart wallet's proxy and event, little enough to bound a batch.
    uint256 internal constant RECEIVER_GAS = 50_000;
    /// Gas that must be left so that the EVM (EIP-150) really forwards RECEIVER_GAS after its fees for value and a new account.
    uint256 internal constant GAS_TO_PAY = RECEIVER_GAS + RECEIVER_GAS / 32 + 40_000;

    address internal immutable TOKEN;
    uint8 internal immutable STAGE_COUNT;
    address internal immutable PROPOSER;
    address internal immutable ARBITER;
    IContributorRegistry internal immutable REGISTRY;
    uint32 internal immutable CHALLENGE_SECONDS;
    uint32 internal immutable ABANDON_SECONDS;
    uint96 internal immutable BOND_WEI;
    uint96 internal immutable DEMAND_BOND_WEI;
    bytes32 internal immutable TERMS_HASH;
    uint256 internal immutable CREATED_AT;

    PoolState private _state;
    /// Deposited and not allocated.
    uint128 internal _unallocated;
    /// Meaningful only while a settlement is pending, or until its activation is written.
    uint128 internal _pendingRevenue;
    bytes32 internal _updatesHash;
    /// Two slots, per stage keccak256(root ‖ uint128 total ‖ uint8 depth). A slot that is neither active nor a valid
    /// previous one holds what is pending or was cancelled, and nothing can be claimed from it.
    bytes32[MAX_STAGES][2] internal _commitments;
    mapping(uint256 number => bool) internal _cancelled;
    // slither-disable-next-line uninitialized-state (a mapping; written through a storage pointer)
    mapping(bytes32 contributorId => Paid)[MAX_STAGES] internal _claimed;
    mapping(bytes32 contributorId => uint256) internal _owed;
    mapping(address receiver => uint256) internal _credits;

    constructor(Terms memory terms_) EIP712("AME SettlementPool", "1") {
        if (
            terms_.stageCount < 2 || terms_.stageCount > MAX_STAGES || terms_.proposer == address(0)
                || terms_.arbiter == terms_.proposer || terms_.challengeSeconds == 0
                || block.timestamp + 2 * uint256(terms_.challengeSeconds) > type(uint32).max
                || terms_.registry.code.length == 0 || (terms_.token != address(0) && terms_.token.code.length == 0)
        ) revert InvalidTerms();
        TOKEN = terms_.token;
        STAGE_COUNT = terms_.stageCount;
        PROPOSER = terms_.proposer;
        ARBITER = terms_.arbiter;
        REGISTRY = IContributorRegistry(terms_.registry);
        CHALLENGE_SECONDS = terms_.challengeSeconds;
        ABANDON_SECONDS = terms_.abandonSeconds;
        BOND_WEI = terms_.bondWei;
        DEMAND_BOND_WEI = terms_.demandBondWei;
        TERMS_HASH = terms_.termsHash;
        CREATED_AT = block.timestamp;
        // The first ledger of every stage: depth 1, two empty leaves, total 0.
        bytes32 empty = MerkleSum.commitment(keccak256(new bytes(96)), 0, 1);
        for (uint256 stage = 0; stage < terms_.stageCount; ++stage) {
            _commitments[0][stage] = empty;
        }
    }

    /// @inheritdoc ISettlementPool
    function nonces(address holder) public view override(ISettlementPool, Nonces) returns (uint256) {
        return super.nonces(holder);
    }

    /// The state as of this block: a pending settlement whose time has come, with no open demand, is active for every
    /// reader; the next writer stores that.
    function _load() internal view returns (PoolState state) {
        state = _state;
        if (_due(state)) state = state.activated(_pendingRevenue);
    }

    /// The same, stored if that changed it.
    function _loadForClaim() internal returns (PoolState state) {
        state = _state;
        if (_due(state)) {
            state = state.activated(_pendingRevenue);
            _state = state;
        }
    }

    function _store(PoolState state) internal {
        _state = state;
    }

    /// Books money of the pool's token that claims must not reach. Never between a `_load` and its `_store`.
    function _reserve(uint256 amount) internal {
        _state = _state.withReserved(amount);
    }

    /// Books reserved money that leaves now or can be claimed from now on. Never between a `_load` and its `_store`.
    function _release(uint256 amount) internal {
        _state = _state.released(amount);
    }

    /// Ends every call that has paid claims: what the pool really holds still covers all that is not theirs. So not even a
    /// false ledger that nobody challenged reaches deposits, pending revenue, owed money, or bonds.
    function _checkReserves() internal view {
        (uint256 balance, uint256 reserved_) = (_balance(), _state.reserved());
        if (balance < reserved_) revert ReachesReserves(balance, reserved_);
    }

    function _balance() internal view returns (uint256) {
        return TOKEN == address(0) ? address(this).balance : IERC20(TOKEN).balanceOf(address(this));
    }

    function _due(PoolState state) private view returns (bool) {
        return state.pending() && block.timestamp >= state.activatesAt();
    }

    /// When the pending settlement was proposed.
    function _proposedAt(PoolState state) internal view returns (uint256) {
        return uint256(state.activeAt()) - uint256(CHALLENGE_SECONDS) * (state.demanded() ? 2 : 1);
    }

    /// Cancels the pending settlement: its revenue is unallocated again, its roots are good for nothing.
    /// @return The state after that, which the caller stores.
    function _cancel(PoolState state) internal returns (PoolState) {
        _unallocated += _pendingRevenue;
        _cancelled[state.number()] = true;
        return state.cancelled();
    }

    /// Sends money of the pool's token. Never reverts because of the receiver.
    function _tryPay(address recipient, uint256 amount) internal returns (bool) {
        // All gas goes to the token: a caller who starves its transfer is left with 1/64 of that, too little to go on unless one
        // transfer takes some two million gas; then it is owed.
        if (TOKEN != address(0)) return IERC20(TOKEN).trySafeTransfer(recipient, amount);
        return _trySendEther(recipient, amount);
    }

    /// Keeps what could not be paid for the id's holder.
    function _keepOwed(bytes32 id, uint256 amount) internal {
        _owed[id] += amount;
        _reserve(amount);
        emit Owed(id, amount);
    }

    /// Sends money of the pool's token, or reverts.
    function _pay(address recipient, uint256 amount) internal {
        if (recipient == address(0)) revert ZeroRecipient();
        if (TOKEN != address(0)) IERC20(TOKEN).safeTransfer(recipient, amount);
        else Address.sendValue(payable(recipient), amount);
    }

    /// Takes in ETH of a bond, which claims of an ETH pool must not reach.
    function _keepBond(uint256 amount) internal {
        if (TOKEN == address(0)) _reserve(amount);
    }

    /// Sends ETH of a bond, or reverts.
    function _returnBond(address recipient, uint256 amount) internal {
        if (recipient == address(0)) revert ZeroRecipient();
        if (TOKEN == address(0)) _release(amount);
        Address.sendValue(payable(recipient), amount);
    }

    /// Sends ETH of a bond; what the receiver refuses is kept for it.
    // slither-disable-next-line reentrancy-benign (every caller is nonReentrant)
    function _sendBond(address receiver, uint256 amount) internal {
        if (amount == 0) return;
        if (TOKEN == address(0)) _release(amount);
        if (gasleft() < GAS_TO_PAY) revert NotEnoughGas(gasleft(), GAS_TO_PAY);
        (bool sent,) = receiver.call{value: amount, gas: RECEIVER_GAS}("");
        if (sent) return;
        _keepBond(amount);
        _credits[receiver] += amount;
        emit CreditKept(receiver, amount);
    }

    /// A plain call would copy what the receiver returns into memory, whose price grows with the square over a batch.
    function _trySendEther(address recipient, uint256 amount) internal returns (bool sent) {
        if (gasleft() < GAS_TO_PAY) revert NotEnoughGas(gasleft(), GAS_TO_PAY);
        uint256 receiverGas = RECEIVER_GAS;
        assembly ("memory-safe") {
            sent := call(receiverGas, recipient, amount, 0, 0, 0, 0)
        }
    }
}
