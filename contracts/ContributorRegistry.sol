// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {IContributorRegistry} from "./interfaces/IContributorRegistry.sol";

/// @title Who holds a contributor id, and where it is paid
contract ContributorRegistry is IContributorRegistry, EIP712, Nonces {
    struct Binding {
        address holder;
        uint32 recoverySeconds;
        address registrar;
        address nextHolder; // of a transfer that waits to be accepted
    }

    struct Recovery {
        address nextHolder;
        uint64 readyAt;
    }

    error AlreadyBound(bytes32 contributorId);
    error InvalidNamedId(bytes32 contributorId);
    error InvalidSignature(address signer);
    error NoRecovery(bytes32 contributorId);
    error NotAllowed(bytes32 contributorId, address sender);
    error SignatureExpired(uint256 deadline);
    error TooEarly(uint64 readyAt);
    error ZeroAddress();

    bytes32 private constant VOUCH_TYPEHASH =
        keccak256("Vouch(bytes32 externalIdHash,address holder,uint32 recoverySeconds,uint256 deadline)");
    bytes32 private constant BIND_TYPEHASH = keccak256(
        "Bind(bytes32 contributorId,address holder,address payout,uint32 recoverySeconds,uint256 nonce,uint256 deadline)"
    );
    bytes32 private constant SET_PAYOUT_TYPEHASH =
        keccak256("SetPayout(bytes32 contributorId,address payout,uint256 nonce,uint256 deadline)");

    /// Payout address where one was set; 0 for unbound named ids, and for account ids that are paid at their own address.
    mapping(bytes32 contributorId => address) private _payout;
    mapping(bytes32 contributorId => Binding) private _bindings;
    mapping(bytes32 contributorId => Recovery) private _recoveries;

    constructor() EIP712("AME ContributorRegistry", "1") {}

    /// @inheritdoc IContributorRegistry
    function bind(
        address registrar,
        bytes32 externalIdHash,
        address holder,
        address payout,
        uint32 recoverySeconds,
        uint256 vouchDeadline,
        uint256 bindDeadline,
        bytes calldata registrarSignature,
        bytes calldata holderSignature
    ) external returns (bytes32 contributorId) {
        _checkFree(namedId(registrar, externalIdHash));
        _checkVouch(registrar, externalIdHash, holder, recoverySeconds, vouchDeadline, registrarSignature);
        contributorId = namedId(registrar, externalIdHash);
        _checkConsent(contributorId, holder, payout, recoverySeconds, bindDeadline, holderSignature);
        _bind(contributorId, Binding(holder, recoverySeconds, registrar, address(0)), payout);
        emit Bound(contributorId, registrar, holder, externalIdHash, payout, recoverySeconds);
    }

    /// @inheritdoc IContributorRegistry
    function setPayout(bytes32 contributorId, address payout) external {
        _checkHolder(contributorId);
        _setPayout(contributorId, payout);
    }

    /// @inheritdoc IContributorRegistry
    function setPayoutWithSignature(bytes32 contributorId, address payout, uint256 deadline, bytes calldata signature)
        external
    {
        address holder = holderOf(contributorId);
        if (holder == address(0)) revert NotAllowed(contributorId, msg.sender);
        bytes32 structHash =
            keccak256(abi.encode(SET_PAYOUT_TYPEHASH, contributorId, payout, _useNonce(holder), deadline));
        _checkSignature(holder, structHash, deadline, signature);
        _setPayout(contributorId, payout);
    }

    /// @inheritdoc IContributorRegistry
    function startHolderTransfer(bytes32 contributorId, address nextHolder) external {
        if (_isAccountId(contributorId)) revert InvalidNamedId(contributorId);
        _checkHolder(contributorId);
        _bindings[contributorId].nextHolder = nextHolder;
        emit HolderTransferStarted(contributorId, msg.sender, nextHolder);
    }

    /// @inheritdoc IContributorRegistry
    function acceptHolderTransfer(bytes32 contributorId, address payout) external {
        if (_bindings[contributorId].nextHolder != msg.sender) revert NotAllowed(contributorId, msg.sender);
        _takeOver(contributorId, payout);
    }

    /// @inheritdoc IContributorRegistry
    function startRecovery(bytes32 contributorId, address nextHolder) external {
        Binding storage binding = _bindings[contributorId];
        if (binding.registrar != msg.sender) revert NotAllowed(contributorId, msg.sender);
        if (binding.recoverySeconds == 0) revert NoRecovery(contributorId);
        if (nextHolder == address(0)) revert ZeroAddress();
        uint64 readyAt = uint64(block.timestamp) + binding.recoverySeconds;
        _recoveries[contributorId] = Recovery(nextHolder, readyAt);
        emit RecoveryStarted(contributorId, nextHolder, readyAt);
    }

    /// @inheritdoc IContributorRegistry
    function vetoRecovery(bytes32 contributorId) external {
        _checkHolder(contributorId);
        if (_recoveries[contributorId].readyAt == 0) revert NoRecovery(contributorId);
        delete _recoveries[contributorId];
        emit RecoveryVetoed(contributorId);
    }

    /// @inheritdoc IContributorRegistry
    function finishRecovery(bytes32 contributorId, address payout) external {
        Recovery memory recovery_ = _recoveries[contributorId];
        if (recovery_.readyAt == 0) revert NoRecovery(contributorId);
        if (recovery_.nextHolder != msg.sender) revert NotAllowed(contributorId, msg.sender);
        if (block.timestamp < recovery_.readyAt) revert TooEarly(recovery_.readyAt);
        _takeOver(contributorId, payout);
    }

    /// @inheritdoc IContributorRegistry
    function payoutsOf(bytes32[] calldata contributorIds) external view returns (address[] memory payouts) {
        payouts = new address[](contributorIds.length);
        for (uint256 i = 0; i < contributorIds.length; ++i) {
            payouts[i] = payoutOf(contributorIds[i]);
        }
    }

    /// @inheritdoc IContributorRegistry
    function recovery(bytes32 contributorId) external view returns (address nextHolder, uint64 readyAt) {
        return (_recoveries[contributorId].nextHolder, _recoveries[contributorId].readyAt);
    }

    /// @inheritdoc IContributorRegistry
    function nextHolderOf(bytes32 contributorId) external view returns (address) {
        return _bindings[contributorId].nextHolder;
    }

    /// @inheritdoc IContributorRegistry
    function recoverySecondsOf(bytes32 contributorId) external view returns (uint32) {
        return _bindings[contributorId].recoverySeconds;
    }

    /// @inheritdoc IContributorRegistry
    function nonces(address signer) public view override(IContributorRegistry, Nonces) returns (uint256) {
        return super.nonces(signer);
    }

    /// @inheritdoc IContributorRegistry
    function vouchDigest(bytes32 externalIdHash, address holder, uint32 recoverySeconds, uint256 deadline)
        external
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(_vouchHash(externalIdHash, holder, recoverySeconds, deadline));
    }

    /// @inheritdoc IContributorRegistry
    function payoutOf(bytes32 contributorId) public view returns (address payout) {
        payout = _payout[contributorId];
        if (payout == address(0) && _isAccountId(contributorId)) payout = address(uint160(uint256(contributorId)));
    }

    /// @inheritdoc IContributorRegistry
    function holderOf(bytes32 contributorId) public view returns (address) {
        if (_isAccountId(contributorId)) return address(uint160(uint256(contributorId)));
        return _bindings[contributorId].holder;
    }

    /// @inheritdoc IContributorRegistry
    function namedId(address registrar, bytes32 externalIdHash) public pure returns (bytes32) {
        return keccak256(abi.encode(registrar, externalIdHash));
    }

    /// The sender becomes the holder. A transfer or recovery that was under way ends.
    function _takeOver(bytes32 contributorId, address payout) private {
        Binding storage binding = _bindings[contributorId];
        emit HolderTransferred(contributorId, binding.holder, msg.sender);
        binding.holder = msg.sender;
        binding.nextHolder = address(0);
        delete _recoveries[contributorId];
        _setPayout(contributorId, payout);
    }

    function _setPayout(bytes32 contributorId, address payout) private {
        if (payout == address(0)) revert ZeroAddress();
        _payout[contributorId] = payout;
        emit PayoutChanged(contributorId, payout);
    }

    function _bind(bytes32 contributorId, Binding memory binding, address payout) private {
        if (binding.holder == address(0) || payout == address(0)) revert ZeroAddress();
        _bindings[contributorId] = binding;
        _payout[contributorId] = payout;
    }

    function _checkFree(bytes32 contributorId) private view {
        if (_isAccountId(contributorId)) revert InvalidNamedId(contributorId);
        if (_bindings[contributorId].holder != address(0)) revert AlreadyBound(contributorId);
    }

    /// The registrar's signature. It needs no nonce: a name binds once.
    function _checkVouch(
        address registrar,
        bytes32 externalIdHash,
        address holder,
        uint32 recoverySeconds,
        uint256 deadline,
        bytes calldata signature
    ) private view {
        _checkSignature(registrar, _vouchHash(externalIdHash, holder, recoverySeconds, deadline), deadline, signature);
    }

    /// The holder's signature; uses up the nonce.
    function _checkConsent(
        bytes32 contributorId,
        address holder,
        address payout,
        uint32 recoverySeconds,
        uint256 deadline,
        bytes calldata signature
    ) private {
        bytes32 structHash = keccak256(
            abi.encode(BIND_TYPEHASH, contributorId, holder, payout, recoverySeconds, _useNonce(holder), deadline)
        );
        _checkSignature(holder, structHash, deadline, signature);
    }

    function _checkHolder(bytes32 contributorId) private view {
        // msg.sender is never 0, so the holder of an unbound id is nobody.
        if (holderOf(contributorId) != msg.sender) revert NotAllowed(contributorId, msg.sender);
    }

    function _checkSignature(address signer, bytes32 structHash, uint256 deadline, bytes calldata signature)
        private
        view
    {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        if (!SignatureChecker.isValidSignatureNowCalldata(signer, _hashTypedDataV4(structHash), signature)) {
            revert InvalidSignature(signer);
        }
    }

    function _vouchHash(bytes32 externalIdHash, address holder, uint32 recoverySeconds, uint256 deadline)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(VOUCH_TYPEHASH, externalIdHash, holder, recoverySeconds, deadline));
    }

    function _isAccountId(bytes32 contributorId) private pure returns (bool) {
        return uint256(contributorId) <= type(uint160).max;
    }
}
