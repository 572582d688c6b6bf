// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {MerkleSum} from "../libraries/MerkleSum.sol";
import {Claim, RangeClaim} from "../Records.sol";
import {ISettlementPool} from "../interfaces/ISettlementPool.sol";
import {PoolBase} from "./PoolBase.sol";
import {PoolState} from "./PoolState.sol";

/// @title How contributors are paid
abstract contract Claims is PoolBase {
    error ExceedsUnclaimed(uint256 amount, uint256 unclaimed);
    error InvalidProof(uint8 stage);
    error InvalidSignature(address signer);
    error MixedContributors(bytes32 expected, bytes32 found);
    error NothingOwed(bytes32 contributorId);
    error NothingToClaim(bytes32 contributorId);
    error NotHolder(bytes32 contributorId, address sender);
    error SignatureExpired(uint256 deadline);
    error Unbound(bytes32 contributorId);

    bytes32 private constant CLAIM_TO_TYPEHASH =
        keccak256("ClaimTo(bytes32 contributorId,address recipient,uint256 nonce,uint256 deadline)");

    /// @inheritdoc ISettlementPool
    function claim(Claim calldata claim_) external nonReentrant returns (uint256 paid) {
        PoolState state = _load();
        _verify(state, claim_);
        address recipient = REGISTRY.payoutOf(claim_.contributorId);
        if (recipient == address(0)) revert Unbound(claim_.contributorId);
        (, paid) = _settle(state, claim_.stage, claim_.contributorId, claim_.cumulative);
        if (paid != 0) _payClaim(claim_.stage, claim_.contributorId, claim_.cumulative, recipient, paid);
    }

    /// @inheritdoc ISettlementPool
    function claimMany(Claim[] calldata claims) external nonReentrant returns (uint256 paid) {
        PoolState state = _load();
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata item = claims[i];
            _verify(state, item);
            uint256 amount;
            (state, amount) = _payLeaf(state, item.stage, item.contributorId, item.cumulative);
            paid += amount;
        }
    }

    /// @inheritdoc ISettlementPool
    function claimRange(RangeClaim calldata range) external nonReentrant returns (uint256 paid) {
        PoolState state = _load();
        (bytes32 root, uint256 total) =
            MerkleSum.climbRange(range.contributorIds, range.cumulatives, range.first, range.depth, range.proof);
        _checkCommitment(state, range.stage, MerkleSum.commitment(root, total, range.depth));
        bytes32[] calldata ids = range.contributorIds;
        uint128[] calldata cumulatives = range.cumulatives; // of the same length, or climbRange would have reverted
        for (uint256 i = 0; i < ids.length; ++i) {
            uint256 amount;
            (state, amount) = _payLeaf(state, range.stage, ids[i], cumulatives[i]);
            paid += amount;
        }
    }

    /// @inheritdoc ISettlementPool
    function claimTo(Claim[] calldata claims, address recipient, uint256 deadline, bytes calldata signature)
        external
        nonReentrant
        returns (uint256 paid)
    {
        if (recipient == address(0)) revert ZeroRecipient();
        if (claims.length == 0) revert NothingToClaim(0);
        bytes32 id = claims[0].contributorId;
        address holder = REGISTRY.holderOf(id);
        if (holder == address(0)) revert Unbound(id);
        if (msg.sender != holder) _checkConsent(id, holder, recipient, deadline, signature);
        PoolState state = _load();
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata item = claims[i];
            if (item.contributorId != id) revert MixedContributors(id, item.contributorId);
            _verify(state, item);
            uint256 amount;
            (state, amount) = _settle(state, item.stage, id, item.cumulative);
            if (amount != 0) _payClaim(item.stage, id, item.cumulative, recipient, amount);
            paid += amount;
        }
        // Otherwise anybody could use up a signature with a claim that pays nothing.
        if (paid == 0) revert NothingToClaim(id);
    }

    /// @inheritdoc ISettlementPool
    function withdrawOwed(bytes32 contributorId, address recipient) external nonReentrant returns (uint256 paid) {
        if (REGISTRY.holderOf(contributorId) != msg.sender) revert NotHolder(contributorId, msg.sender);
        paid = _owed[contributorId];
        if (paid == 0) revert NothingOwed(contributorId);
        _owed[contributorId] = 0;
        emit OwedWithdrawn(contributorId, recipient, paid);
        _pay(recipient, paid);
    }

    /// @inheritdoc ISettlementPool
    function owed(bytes32 contributorId) external view returns (uint256) {
        return _owed[contributorId];
    }

    /// @inheritdoc ISettlementPool
    function claimed(uint8 stage, bytes32 contributorId) external view returns (uint128) {
        return uint128(_claimed[stage][contributorId]); // was a uint128 when stored
    }

    /// @inheritdoc ISettlementPool
    function claimable(uint8 stage, bytes32 contributorId, uint128 cumulative) external view returns (uint128) {
        uint256 already = _claimed[stage][contributorId];
        return cumulative > already ? cumulative - uint128(already) : 0;
    }

    /// Reverts unless the leaf is in the active, or the still valid previous, ledger of its stage.
    function _verify(PoolState state, Claim calldata claim_) private view {
        (bytes32 root, uint256 total, uint256 depth) = MerkleSum.climb(
            MerkleSum.leafHash(claim_.contributorId, claim_.cumulative), claim_.cumulative, claim_.index, claim_.proof
        );
        _checkCommitment(state, claim_.stage, MerkleSum.commitment(root, total, depth));
    }

    function _checkCommitment(PoolState state, uint8 stage, bytes32 shown) private view {
        // A stage that the pool does not have has only zero words, which are no hash of anything.
        if (stage >= MAX_STAGES) revert InvalidProof(stage);
        uint256 slot = state.activeSlot();
        if (shown == _commitments[slot][stage]) return;
        if (!state.previousValid() || shown != _commitments[1 - slot][stage]) revert InvalidProof(stage);
    }

    /// One leaf of many: an empty leaf and an unbound id are passed over without any change.
    function _payLeaf(PoolState state, uint8 stage, bytes32 id, uint128 cumulative)
        private
        returns (PoolState, uint256 amount)
    {
        if (cumulative == 0) return (state, 0);
        address recipient = REGISTRY.payoutOf(id);
        if (recipient == address(0)) return (state, 0);
        (state, amount) = _settle(state, stage, id, cumulative);
        if (amount != 0) _payClaim(stage, id, cumulative, recipient, amount);
        return (state, amount);
    }

    /// Books, in storage and in the returned state, what a verified leaf is owed beyond what was paid; nothing if it was paid as much or more. The guard against
    /// `unclaimed` holds even for a false ledger that nobody challenged: no claim reaches deposits, bonds or owed money.
    function _settle(PoolState state, uint8 stage, bytes32 id, uint128 cumulative)
        private
        returns (PoolState, uint256 amount)
    {
        uint256 already = _claimed[stage][id];
        if (cumulative <= already) return (state, 0);
        amount = cumulative - already;
        if (amount > state.unclaimed()) revert ExceedsUnclaimed(amount, state.unclaimed());
        state = state.paid(amount);
        _claimed[stage][id] = cumulative;
        _store(state);
        return (state, amount);
    }

    /// Pays a booked amount; what cannot be paid is kept as owed, so that nobody else is held up.
    function _payClaim(uint8 stage, bytes32 id, uint128 cumulative, address recipient, uint256 amount) private {
        emit Claimed(stage, id, recipient, uint128(amount), cumulative);
        if (_tryPay(recipient, amount)) return;
        _owed[id] += amount;
        emit Owed(id, amount);
    }

    function _checkConsent(bytes32 id, address holder, address recipient, uint256 deadline, bytes calldata signature)
        private
    {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        bytes32 structHash = keccak256(abi.encode(CLAIM_TO_TYPEHASH, id, recipient, _useNonce(holder), deadline));
        if (!SignatureChecker.isValidSignatureNowCalldata(holder, _hashTypedDataV4(structHash), signature)) {
            revert InvalidSignature(holder);
        }
    }
}
