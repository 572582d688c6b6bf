// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who holds a contributor id, and where it is paid
/// @notice Ids up to 2^160-1 are account ids: an address, at work at once, held by itself. Every other id is a named id
///         keccak256(abi.encode(registrar, externalIdHash)), bound once by the registrar's and the holder's signatures.
interface IContributorRegistry {
    event Bound(
        bytes32 indexed contributorId,
        address indexed registrar,
        address indexed holder,
        bytes32 externalIdHash,
        address payout,
        uint32 recoverySeconds
    );
    event PayoutChanged(bytes32 indexed contributorId, address payout);
    event HolderTransferStarted(bytes32 indexed contributorId, address indexed holder, address indexed nextHolder);
    event HolderTransferred(bytes32 indexed contributorId, address indexed holder, address indexed nextHolder);
    event RecoveryStarted(bytes32 indexed contributorId, address indexed nextHolder, uint64 readyAt);
    event RecoveryVetoed(bytes32 indexed contributorId);

    /// @notice The named id that `registrar` vouches for.
    function namedId(address registrar, bytes32 externalIdHash) external pure returns (bytes32);
    /// @notice Where money of the id goes; 0 while a named id is unbound.
    function payoutOf(bytes32 contributorId) external view returns (address);
    /// @notice The same for many ids, in their order.
    function payoutsOf(bytes32[] calldata contributorIds) external view returns (address[] memory);
    /// @notice Who decides for the id; 0 while a named id is unbound.
    function holderOf(bytes32 contributorId) external view returns (address);
    /// @notice Who was offered the id by a holder transfer that waits to be accepted; 0 is nobody.
    function nextHolderOf(bytes32 contributorId) external view returns (address);
    /// @notice The recovery under way, if `readyAt` is not 0.
    function recovery(bytes32 contributorId) external view returns (address nextHolder, uint64 readyAt);
    /// @notice Delay of a registrar-started recovery of this id; 0 is never.
    function recoverySecondsOf(bytes32 contributorId) external view returns (uint32);
    /// @notice What a registrar signs to vouch that `holder` is who the name with this hash stands for.
    function vouchDigest(bytes32 externalIdHash, address holder, uint32 recoverySeconds, uint256 deadline)
        external
        view
        returns (bytes32);
    /// @notice Nonce of the next Bind or SetPayout message of a signer.
    function nonces(address signer) external view returns (uint256);

    /// @notice Binds a named id, once. Anybody may send it.
    /// @param recoverySeconds Delay of a registrar-started recovery, fixed for good; 0 is never.
    /// @param registrarSignature EIP-712 Vouch(bytes32 externalIdHash,address holder,uint32 recoverySeconds,uint256 deadline)
    /// @param holderSignature EIP-712 Bind(bytes32 contributorId,address holder,address payout,uint32 recoverySeconds,uint256 nonce,uint256 deadline)
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
    ) external returns (bytes32 contributorId);

    /// @notice The holder moves the payout address; account ids too.
    function setPayout(bytes32 contributorId, address payout) external;
    /// @notice As setPayout, by signature: SetPayout(bytes32 contributorId,address payout,uint256 nonce,uint256 deadline)
    function setPayoutWithSignature(bytes32 contributorId, address payout, uint256 deadline, bytes calldata signature)
        external;
    /// @notice First step of a transfer, by the holder. 0 withdraws it.
    function startHolderTransfer(bytes32 contributorId, address nextHolder) external;
    /// @notice Second step, by the next holder, who names the payout address.
    function acceptHolderTransfer(bytes32 contributorId, address payout) external;
    /// @notice The registrar starts recovery of a lost key for a named id that allows it.
    function startRecovery(bytes32 contributorId, address nextHolder) external;
    /// @notice The holder stops a recovery.
    function vetoRecovery(bytes32 contributorId) external;
    /// @notice After the delay, the next holder takes the id and names the payout address.
    function finishRecovery(bytes32 contributorId, address payout) external;
}
