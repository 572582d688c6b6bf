// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ISettlementPool} from "./interfaces/ISettlementPool.sol";
import {MerkleSum} from "./libraries/MerkleSum.sol";
import {Shapley} from "./libraries/Shapley.sol";
import {Challenges} from "./pool/Challenges.sol";
import {Claims} from "./pool/Claims.sol";
import {Deposits} from "./pool/Deposits.sol";
import {PoolBase} from "./pool/PoolBase.sol";
import {PoolState} from "./pool/PoolState.sol";
import {Ledger, StageProposal, StageUpdate, Terms} from "./Records.sol";

/// @title Holds one platform's revenue in one token and pays it out
/// @dev The parts: Deposits (money in), this contract (what it is allocated to), Challenges (whether that is true),
///      Claims (money out). Assumptions on the token: what its transfers say is true, and no balance of the pool shrinks by
///      itself. Warning: a rebasing token that shrinks makes the last claims fail; money that a token takes or freezes is
///      gone for everybody; tokens or ETH sent without `deposit` are credited to nobody.
contract SettlementPool is Deposits, Claims, Challenges {
    error BondNotHeld();
    error DepthOutOfRange(uint8 stage, uint8 depth);
    error ExceedsUnallocated(uint256 revenue, uint256 unallocated);
    error InvalidTable();
    error NotArbiter(address sender);
    error NotProposer(address sender);
    error TotalTooLarge(uint8 stage, uint256 total);
    error WrongLedger(uint8 stage);
    error WrongStageCount(uint256 found, uint256 expected);
    error NoWeights(uint8 stage);

    constructor(Terms memory terms_) PoolBase(terms_) {}

    /// @inheritdoc ISettlementPool
    function propose(
        int128[] calldata table,
        Ledger[] calldata before,
        StageProposal[] calldata stages,
        bytes32 evidence
    ) external payable nonReentrant returns (uint64 number) {
        PoolState state = _loadForProposal();
        uint128[] memory amounts = _amounts(table);
        StageUpdate[] memory updates = _updates(state, before, stages, amounts);

        state = _allocate(state, table);
        _keepBond(msg.value);
        number = state.number();
        _updatesHash = keccak256(abi.encode(updates));
        emit Proposed(number, table, amounts, updates, evidence, state.activeAt());
    }

    /// @inheritdoc ISettlementPool
    function cancel() external nonReentrant {
        if (msg.sender != ARBITER) revert NotArbiter(msg.sender);
        PoolState state = _load();
        if (!state.pending()) revert NotPending();
        _store(_cancel(state));
        emit Cancelled(state.number(), CancelReason.Arbiter, msg.sender, 0);
    }

    /// @inheritdoc ISettlementPool
    function withdrawBond(address recipient) external nonReentrant {
        if (msg.sender != PROPOSER) revert NotProposer(msg.sender);
        PoolState state = _load();
        if (state.pending()) revert SettlementPending(state.number());
        if (!state.bondHeld()) revert BondNotHeld();
        _store(state.withoutBond());
        emit BondWithdrawn(recipient, BOND_WEI);
        _returnBond(recipient, BOND_WEI);
    }

    /// @inheritdoc ISettlementPool
    function terms() external view returns (Terms memory) {
        return Terms({
            token: TOKEN,
            stageCount: STAGE_COUNT,
            proposer: PROPOSER,
            arbiter: ARBITER,
            registry: address(REGISTRY),
            challengeSeconds: CHALLENGE_SECONDS,
            abandonSeconds: ABANDON_SECONDS,
            bondWei: BOND_WEI,
            demandBondWei: DEMAND_BOND_WEI,
            termsHash: TERMS_HASH
        });
    }

    /// @inheritdoc ISettlementPool
    function status() external view returns (uint64 number, Status current, uint64 activeAt, uint64 activeNumber) {
        PoolState state = _load();
        number = state.number();
        current = _status(state, number);
        activeAt = state.pending() ? state.activeAt() : state.lastActiveAt();
        activeNumber = number;
        while (activeNumber != 0 && _status(state, activeNumber) != Status.Active) --activeNumber;
    }

    /// @inheritdoc ISettlementPool
    function statusOf(uint64 number) external view returns (Status) {
        return _status(_load(), number);
    }

    /// @inheritdoc ISettlementPool
    function unallocated() external view returns (uint256) {
        return _unallocated;
    }

    /// @inheritdoc ISettlementPool
    function pendingRevenue() external view returns (uint256) {
        return _load().pending() ? _pendingRevenue : 0;
    }

    /// @inheritdoc ISettlementPool
    function unclaimed() external view returns (uint256) {
        (uint256 balance, uint256 reserved_) = (_balance(), _load().reserved());
        return balance > reserved_ ? balance - reserved_ : 0;
    }

    /// @inheritdoc ISettlementPool
    function reserved() external view returns (uint256) {
        return _load().reserved();
    }

    /// @inheritdoc ISettlementPool
    function updatesHash() external view returns (bytes32) {
        return _updatesHash;
    }

    /// @inheritdoc ISettlementPool
    function bondHeld() external view returns (bool) {
        return _load().bondHeld();
    }

    /// @inheritdoc ISettlementPool
    function closed() external view returns (bool) {
        return _load().closed();
    }

    /// @inheritdoc ISettlementPool
    function commitments(uint8 stage) external view returns (bytes32 active, bytes32 previous) {
        PoolState state = _load();
        uint256 slot = state.activeSlot();
        active = _commitments[slot][stage];
        if (state.previousValid()) previous = _commitments[1 - slot][stage];
    }

    /// The state, after everything that forbids a proposal at this time or of this sender.
    function _loadForProposal() private view returns (PoolState state) {
        if (msg.sender != PROPOSER) revert NotProposer(msg.sender);
        state = _load();
        if (state.closed()) revert PoolClosed();
        if (state.pending()) revert SettlementPending(state.number());
        uint256 bond = state.bondHeld() ? 0 : BOND_WEI;
        if (msg.value != bond) revert WrongBond(msg.value, bond);
    }

    /// The stages' amounts, after everything that could be wrong with the table.
    function _amounts(int128[] calldata table) private view returns (uint128[] memory) {
        if (table.length != 1 << STAGE_COUNT || table[0] != 0 || table[table.length - 1] <= 0) revert InvalidTable();
        uint256 revenue = uint128(table[table.length - 1]);
        if (revenue > _unallocated) revert ExceedsUnallocated(revenue, _unallocated);
        return Shapley.amounts(table, STAGE_COUNT);
    }

    /// What the settlement does to each stage, checked against the active ledgers, and written to the slot that is not active.
    function _updates(
        PoolState state,
        Ledger[] calldata before,
        StageProposal[] calldata stages,
        uint128[] memory amounts
    ) private returns (StageUpdate[] memory updates) {
        if (before.length != STAGE_COUNT) {
            revert WrongStageCount(before.length, STAGE_COUNT);
        }
        if (stages.length != STAGE_COUNT) revert WrongStageCount(stages.length, STAGE_COUNT);
        updates = new StageUpdate[](STAGE_COUNT);
        uint256 slot = state.activeSlot();
        for (uint8 i = 0; i < STAGE_COUNT; ++i) {
            if (MerkleSum.commitment(before[i].root, before[i].total, before[i].depth) != _commitments[slot][i]) {
                revert WrongLedger(i);
            }
            updates[i] = _update(i, before[i], stages[i], amounts[i]);
            Ledger memory afterwards = updates[i].afterwards;
            _commitments[1 - slot][i] = MerkleSum.commitment(afterwards.root, afterwards.total, afterwards.depth);
        }
    }

    function _update(uint8 i, Ledger calldata before, StageProposal calldata stage, uint128 amount)
        private
        pure
        returns (StageUpdate memory)
    {
        if (stage.depth < before.depth || stage.depth > MerkleSum.MAX_DEPTH) {
            revert DepthOutOfRange(i, stage.depth);
        }
        if (stage.weightTotal > MAX_AMOUNT) revert TotalTooLarge(i, stage.weightTotal);
        if (amount != 0 && stage.weightTotal == 0) revert NoWeights(i);
        uint256 total = uint256(before.total) + amount;
        if (total > MAX_AMOUNT) revert TotalTooLarge(i, total);
        return StageUpdate({
            before: before,
            afterwards: Ledger(stage.root, uint128(total), stage.depth),
            weightRoot: stage.weightRoot,
            weightTotal: stage.weightTotal
        });
    }

    /// Moves the revenue from unallocated to pending and starts the challenge period.
    function _allocate(PoolState state, int128[] calldata table) private returns (PoolState) {
        uint128 revenue = uint128(table[table.length - 1]); // _amounts has checked that it is positive
        _unallocated -= revenue;
        _pendingRevenue = revenue;
        // There must be room for a demand's delay as well, or demands could not be made.
        SafeCast.toUint32(block.timestamp + 2 * uint256(CHALLENGE_SECONDS));
        state = state.proposed(uint32(block.timestamp + CHALLENGE_SECONDS));
        _store(state);
        return state;
    }

    function _status(PoolState state, uint64 number) private view returns (Status) {
        if (number == 0 || number > state.number()) return Status.None;
        if (_cancelled[number]) return Status.Cancelled;
        return state.pending() && number == state.number() ? Status.Pending : Status.Active;
    }
}
