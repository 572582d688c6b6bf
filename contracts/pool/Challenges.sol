// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleSum} from "../libraries/MerkleSum.sol";
import {Telescoping} from "../libraries/Telescoping.sol";
import {LeafProof, Ledger, StageUpdate, WeightProof} from "../Records.sol";
import {ISettlementPool} from "../interfaces/ISettlementPool.sol";
import {PoolBase} from "./PoolBase.sol";
import {PoolState} from "./PoolState.sol";

/// @title Fraud proofs: code decides whether a pending settlement follows from its own weights
/// @dev Nothing here may revert because of what a lying proposer committed: sums are compared in uint256, and amounts, totals
///      and weights are bounded by propose.
abstract contract Challenges is PoolBase {
    struct Demand {
        address by;
        uint32 answerUntil;
        bool open;
    }

    error AlreadyDemanded(uint8 stage, uint32 index);
    error DemandPeriodOver(uint256 since);
    error InvalidEvidence();
    error InvalidLeaf(uint8 stage, uint32 index);
    error NoCredit(address receiver);
    error NoSuchDemand(uint64 number, uint8 stage, uint32 index);
    error NotCancelled(uint64 number);
    error NothingWrong();
    error StillAnswerable(uint256 until);
    error TooLateToAnswer(uint256 since);
    error TransitionIsWrong(uint8 stage, uint32 index);
    error WrongBond(uint256 sent, uint256 expected);
    error WrongUpdates();

    mapping(uint256 key => Demand) private _demands;

    /// @inheritdoc ISettlementPool
    function challengeTransition(
        StageUpdate[] calldata stages,
        uint8 stage,
        uint32 index,
        LeafProof calldata before,
        LeafProof calldata afterwards,
        WeightProof calldata weight
    ) external nonReentrant {
        PoolState state = _loadPending();
        StageUpdate calldata update = _updateOf(stages, stage);
        if (_transitionIsRight(update, stage, index, before, afterwards, weight)) revert NothingWrong();
        _slash(state, CancelReason.WrongTransition, msg.sender);
    }

    /// @inheritdoc ISettlementPool
    function challengeTotal(StageUpdate[] calldata stages, uint8 stage, bool ofWeights, bytes calldata topNode)
        external
        nonReentrant
    {
        PoolState state = _loadPending();
        StageUpdate calldata update = _updateOf(stages, stage);
        bytes32 root = ofWeights ? update.weightRoot : update.afterwards.root;
        if (topNode.length != 96 || keccak256(topNode) != root) revert InvalidEvidence();
        // Two uint128 cannot overflow a uint256. Leaves are hashed from 48 bytes, and no tree has depth 0: 96 bytes are a node.
        uint256 sum = uint256(uint128(bytes16(topNode[32:48]))) + uint128(bytes16(topNode[80:96]));
        if (sum == (ofWeights ? update.weightTotal : update.afterwards.total)) revert NothingWrong();
        _slash(state, CancelReason.WrongTotal, msg.sender);
    }

    /// @inheritdoc ISettlementPool
    function challengeDuplicate(
        StageUpdate[] calldata stages,
        uint8 stage,
        bytes32 contributorId,
        uint32 firstIndex,
        uint128 firstCumulative,
        bytes calldata firstProof,
        uint32 secondIndex,
        uint128 secondCumulative,
        bytes calldata secondProof
    ) external nonReentrant {
        PoolState state = _loadPending();
        Ledger calldata ledger = _updateOf(stages, stage).afterwards;
        // Empty leaves may stand at any number of indices.
        if (contributorId == 0 || firstIndex == secondIndex) revert NothingWrong();
        _checkLeaf(ledger, stage, firstIndex, contributorId, firstCumulative, firstProof);
        _checkLeaf(ledger, stage, secondIndex, contributorId, secondCumulative, secondProof);
        _slash(state, CancelReason.DuplicateId, msg.sender);
    }

    /// @inheritdoc ISettlementPool
    function demand(StageUpdate[] calldata stages, uint8 stage, uint32 index) external payable nonReentrant {
        PoolState state = _loadPending();
        uint256 proposedAt = _proposedAt(state);
        if (block.timestamp >= proposedAt + CHALLENGE_SECONDS) revert DemandPeriodOver(proposedAt + CHALLENGE_SECONDS);
        if (msg.value != DEMAND_BOND_WEI) revert WrongBond(msg.value, DEMAND_BOND_WEI);
        if (uint256(index) >> _updateOf(stages, stage).afterwards.depth != 0) revert InvalidLeaf(stage, index);
        Demand storage demand_ = _demands[_key(state.number(), stage, index)];
        if (demand_.by != address(0)) revert AlreadyDemanded(stage, index);
        demand_.by = msg.sender;
        demand_.answerUntil = uint32(block.timestamp + _quarter()); // propose has made sure that it fits
        demand_.open = true;
        state = state.withDemand(uint32(proposedAt + 2 * uint256(CHALLENGE_SECONDS)));
        _store(state);
        _keepBond(msg.value);
        emit Demanded(state.number(), stage, index, msg.sender, state.activeAt(), demand_.answerUntil);
    }

    /// @inheritdoc ISettlementPool
    function answer(
        StageUpdate[] calldata stages,
        uint8 stage,
        uint32 index,
        LeafProof calldata before,
        LeafProof calldata afterwards,
        WeightProof calldata weight
    ) external nonReentrant {
        PoolState state = _loadPending();
        Demand storage demand_ = _openDemand(state.number(), stage, index);
        if (block.timestamp >= demand_.answerUntil) revert TooLateToAnswer(demand_.answerUntil);
        if (!_transitionIsRight(_updateOf(stages, stage), stage, index, before, afterwards, weight)) {
            revert TransitionIsWrong(stage, index);
        }
        demand_.open = false;
        _store(state.withAnswer());
        emit Answered(state.number(), stage, index, msg.sender, before, afterwards, weight);
        _sendBond(msg.sender, DEMAND_BOND_WEI);
    }

    /// @inheritdoc ISettlementPool
    function cancelUnanswered(uint8 stage, uint32 index) external nonReentrant {
        PoolState state = _loadPending();
        Demand storage demand_ = _openDemand(state.number(), stage, index);
        if (block.timestamp < demand_.answerUntil) revert StillAnswerable(demand_.answerUntil);
        demand_.open = false;
        _slash(state, CancelReason.UnansweredDemand, demand_.by);
        _sendBond(demand_.by, DEMAND_BOND_WEI);
    }

    /// @inheritdoc ISettlementPool
    function reclaimDemandBond(uint64 number, uint8 stage, uint32 index) external nonReentrant {
        if (!_cancelled[number]) revert NotCancelled(number);
        Demand storage demand_ = _openDemand(number, stage, index);
        demand_.open = false;
        emit DemandBondReturned(number, stage, index, demand_.by);
        _sendBond(demand_.by, DEMAND_BOND_WEI);
    }

    /// @inheritdoc ISettlementPool
    function withdrawCredit(address recipient) external nonReentrant returns (uint256 paid) {
        paid = _credits[msg.sender];
        if (paid == 0) revert NoCredit(msg.sender);
        _credits[msg.sender] = 0;
        emit CreditWithdrawn(msg.sender, recipient, paid);
        _returnBond(recipient, paid);
    }

    /// @inheritdoc ISettlementPool
    function credits(address receiver) external view returns (uint256) {
        return _credits[receiver];
    }

    /// @inheritdoc ISettlementPool
    function demandOf(uint64 number, uint8 stage, uint32 index)
        external
        view
        returns (address by, bool open, uint64 answerUntil)
    {
        Demand storage demand_ = _demands[_key(number, stage, index)];
        return (demand_.by, demand_.open, demand_.answerUntil);
    }

    /// Cancels for a proven fraud: half of the bond to whoever showed it; half is burned, so that a liar who shows it first loses too.
    function _slash(PoolState state, CancelReason reason, address challenger) private {
        _store(_cancel(state).withoutBond());
        uint256 reward = BOND_WEI / 2; // the odd wei is burned
        emit Cancelled(state.number(), reason, challenger, reward);
        _sendBond(challenger, reward);
        _sendBond(address(0), BOND_WEI - reward);
    }

    function _openDemand(uint64 number, uint8 stage, uint32 index) private view returns (Demand storage demand_) {
        demand_ = _demands[_key(number, stage, index)];
        if (!demand_.open) revert NoSuchDemand(number, stage, index);
    }

    function _loadPending() private view returns (PoolState state) {
        state = _load();
        if (!state.pending()) revert NotPending();
    }

    /// The time to answer. Each answer shows a path whose siblings tell where to demand next: four rounds fit into the
    /// demands' time, and three quarters of a period remain to challenge what the last answers show.
    function _quarter() private view returns (uint256) {
        return (uint256(CHALLENGE_SECONDS) + 3) / 4;
    }

    function _updateOf(StageUpdate[] calldata stages, uint8 stage) private view returns (StageUpdate calldata) {
        if (keccak256(abi.encode(stages)) != _updatesHash) revert WrongUpdates();
        if (stage >= STAGE_COUNT) revert InvalidLeaf(stage, 0);
        return stages[stage];
    }

    /// Whether new = old + telescoping part at one index, for the same id. Reverts where a proof shows nothing.
    function _transitionIsRight(
        StageUpdate calldata update,
        uint8 stage,
        uint32 index,
        LeafProof calldata before,
        LeafProof calldata afterwards,
        WeightProof calldata weight
    ) private pure returns (bool) {
        _checkLeaf(update.afterwards, stage, index, afterwards.contributorId, afterwards.cumulative, afterwards.proof);
        bytes32 id;
        uint256 cumulative;
        if (uint256(index) >> update.before.depth == 0) {
            _checkLeaf(update.before, stage, index, before.contributorId, before.cumulative, before.proof);
            (id, cumulative) = (before.contributorId, before.cumulative);
        } // else the older ledger was too small for the index: an empty leaf
        cumulative += _part(update, stage, index, weight);
        if (afterwards.cumulative != cumulative) return false;
        if (id != 0) return afterwards.contributorId == id;
        return afterwards.contributorId != 0 || cumulative == 0; // money for nobody is wrong
    }

    /// The stage's amount at one index, by the declared weights; the prefix is the left siblings of the weight's proof.
    function _part(StageUpdate calldata update, uint8 stage, uint32 index, WeightProof calldata weight)
        private
        pure
        returns (uint256)
    {
        (bytes32 root, uint256 total, uint256 depth, uint256 prefix) =
            MerkleSum.climbWithPrefix(0, weight.weight, index, weight.proof);
        if (root != update.weightRoot || total != update.weightTotal || depth != update.afterwards.depth) {
            revert InvalidLeaf(stage, index);
        }
        // prefix + weight <= total, because the proof shows the total.
        return
            Telescoping.part(update.afterwards.total - update.before.total, prefix, weight.weight, update.weightTotal);
    }

    function _checkLeaf(
        Ledger calldata ledger,
        uint8 stage,
        uint32 index,
        bytes32 id,
        uint128 cumulative,
        bytes calldata proof
    ) private pure {
        (bytes32 root, uint256 total, uint256 depth,) =
            MerkleSum.climbWithPrefix(MerkleSum.leafHash(id, cumulative), cumulative, index, proof);
        if (root != ledger.root || total != ledger.total || depth != ledger.depth) revert InvalidLeaf(stage, index);
    }

    /// number ‖ uint8 stage ‖ uint32 index.
    function _key(uint64 number, uint8 stage, uint32 index) private pure returns (uint256) {
        return (uint256(number) << 40) | (uint256(stage) << 32) | index;
    }
}
