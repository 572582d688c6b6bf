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
        (uint8 stage, bytes32 id, uint128 cumulative) = _open(_loadForClaim(), claim_);
        address recipient = REGISTRY.payoutOf(id);
        if (recipient == address(0)) revert Unbound(id);
        paid = _payLeaf(stage, id, cumulative, recipient);
        if (paid != 0) _checkReserves();
    }

    /// @inheritdoc ISettlementPool
    function claimBatch(Claim[] calldata claims) external nonReentrant returns (uint256 paid) {
        PoolState state = _loadForClaim();
        for (uint256 i = 0; i < claims.length; ++i) {
            (uint8 stage, bytes32 id, uint128 cumulative) = _open(state, claims[i]);
            paid += _payLeaf(stage, id, cumulative, REGISTRY.payoutOf(id));
        }
        if (paid != 0) _checkReserves();
    }

    /// @inheritdoc ISettlementPool
    function claimRange(RangeClaim calldata range) external nonReentrant returns (uint256 paid) {
        (bytes32 root, uint256 total) =
            MerkleSum.climbRange(range.contributorIds, range.cumulatives, range.first, range.depth, range.proof);
        uint8 stage = range.stage;
        _checkCommitment(_loadForClaim(), stage, MerkleSum.commitment(root, total, range.depth));
        bytes32[] calldata ids = range.contributorIds;
        uint128[] calldata cumulatives = range.cumulatives; // of the same length, or climbRange would have reverted
        address[] memory recipients = REGISTRY.payoutsOf(ids);
        for (uint256 i = 0; i < ids.length; ++i) {
            paid += _payLeaf(stage, ids[i], cumulatives[i], recipients[i]);
        }
        if (paid != 0) _checkReserves();
    }

    /// @inheritdoc ISettlementPool
    function claimTo(Claim[] calldata claims, address recipient, bytes calldata signature, uint256 deadline)
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
        PoolState state = _loadForClaim();
        for (uint256 i = 0; i < claims.length; ++i) {
            (uint8 stage, bytes32 found, uint128 cumulative) = _open(state, claims[i]);
            if (found != id) revert MixedContributors(id, found);
            paid += _payLeaf(stage, id, cumulative, recipient);
        }
        // Otherwise anybody could use up a signature with a claim that pays nothing.
        if (paid == 0) revert NothingToClaim(id);
        _checkReserves();
    }

    /// @inheritdoc ISettlementPool
    function withdrawOwed(bytes32 contributorId, address recipient) external nonReentrant returns (uint256 paid) {
        if (REGISTRY.holderOf(contributorId) != msg.sender) revert NotHolder(contributorId, msg.sender);
        paid = _owed[contributorId];
        if (paid == 0) revert NothingOwed(contributorId);
        _owed[contributorId] = 0;
        _release(paid);
        emit OwedWithdrawn(contributorId, recipient, paid);
        _pay(recipient, paid);
    }

    /// @inheritdoc ISettlementPool
    function owed(bytes32 contributorId) external view returns (uint256) {
        return _owed[contributorId];
    }

    /// @inheritdoc ISettlementPool
    function claimed(uint8 stage, bytes32 contributorId) external view returns (uint128) {
        return uint128(_claimed[stage][contributorId].cumulative); // was a uint128 when stored
    }

    /// @inheritdoc ISettlementPool
    function claimable(uint8 stage, bytes32 contributorId, uint128 cumulative) external view returns (uint128) {
        uint256 already = _claimed[stage][contributorId].cumulative;
        return cumulative > already ? cumulative - uint128(already) : 0;
    }

    /// What a claim says, which is a leaf of the active, or the still valid previous, ledger of its stage; reverts if not.
    function _open(PoolState state, Claim calldata claim_)
        private
        view
        returns (uint8 stage, bytes32 id, uint128 cumulative)
    {
        (stage, id, cumulative) = (claim_.stage, claim_.contributorId, claim_.cumulative);
        (bytes32 root, uint256 total, uint256 depth) =
            MerkleSum.climb(MerkleSum.leafHash(id, cumulative), cumulative, claim_.index, claim_.proof);
        _checkCommitment(state, stage, MerkleSum.commitment(root, total, depth));
    }

    function _checkCommitment(PoolState state, uint8 stage, bytes32 shown) private view {
        // A stage that the pool does not have has only zero words, which are no hash of anything.
        if (stage >= MAX_STAGES) revert InvalidProof(stage);
        uint256 slot = state.activeSlot();
        if (shown == _commitments[slot][stage]) return;
        if (!state.previousValid() || shown != _commitments[1 - slot][stage]) revert InvalidProof(stage);
    }

    /// Books and pays what a verified leaf is owed beyond what was paid: nothing if that was as much or more, or if the id is
    /// unbound (recipient 0). What cannot be paid is kept as owed, so that nobody else is held up. The caller checks the
    /// reserves once all is paid.
    function _payLeaf(uint8 stage, bytes32 id, uint128 cumulative, address recipient) private returns (uint256 amount) {
        if (recipient == address(0)) return 0;
        Paid storage paid = _claimed[stage][id];
        uint256 already = paid.cumulative;
        if (cumulative <= already) return 0;
        unchecked {
            amount = cumulative - already; // of a larger one
        }
        paid.cumulative = cumulative;
        emit Claimed(stage, id, recipient, uint128(amount), cumulative);
        if (!_tryPay(recipient, amount)) _keepOwed(id, amount);
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
