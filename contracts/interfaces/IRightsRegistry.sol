// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A contributor's part of an asset, in parts per million.
struct Part {
    bytes32 contributorId;
    uint32 ppm;
}

/// @notice All that is registered of an asset. The registry stores keccak256(abi.encode(Asset)) and emits the rest.
struct Asset {
    bytes32 contentHash; // SHA-256 of the content
    bytes32 stageHash; // keccak256 of the stage's name
    bytes32 licenseHash; // keccak256 of the SPDX expression
    bytes32[] parents; // asset ids, ascending
    Part[] split; // contributor ids ascending, each once; the parts sum to 1,000,000
}

/// @title Who holds the rights to an asset
/// @notice An asset id is keccak256(abi.encode(registrant, contentHash)). Whoever registers first is not thereby right: a second
///         registration of a content hash by somebody else marks the content as contested, and its money belongs to an
///         escrow id that nobody can be paid by, until the registrants of all claims sign one outcome.
interface IRightsRegistry {
    event Registered(
        bytes32 indexed assetId,
        bytes32 indexed contentHash,
        address indexed registrant,
        Asset asset,
        string stage,
        string license
    );
    event SplitChanged(bytes32 indexed assetId, bytes32 indexed from, bytes32 indexed to, uint32 ppm, Asset asset);
    event Contested(bytes32 indexed contentHash, address indexed registrant, uint256 registrations);
    event Settled(bytes32 indexed contentHash, bytes32 indexed assetId);

    /// @notice Registers an asset of the sender. Its split says who is paid.
    function register(Asset calldata asset, string calldata stage, string calldata license)
        external
        returns (bytes32 assetId);
    /// @notice The holder of `from` (as the ContributorRegistry says) passes on a part of its split.
    function transferPart(bytes32 assetId, Asset calldata asset, bytes32 from, bytes32 to, uint32 ppm) external;
    /// @notice Ends a contest: every registrant of the content signs that `assetId` is the one that counts.
    ///         EIP-712 Settle(bytes32 contentHash,bytes32 assetId,uint256 registrations,uint256 deadline)
    /// @param signatures In the order of registration; the sender's own may be empty.
    function settle(bytes32 contentHash, bytes32 assetId, uint256 deadline, bytes[] calldata signatures) external;

    function assetIdOf(address registrant, bytes32 contentHash) external pure returns (bytes32);
    /// @notice keccak256(abi.encode(Asset)) as of this block; 0 if nothing is registered.
    function assetHash(bytes32 assetId) external view returns (bytes32);
    /// @notice Who has registered the content, in order.
    function registrantsOf(bytes32 contentHash) external view returns (address[] memory);
    function isContested(bytes32 contentHash) external view returns (bool);
    /// @notice The asset that counts for a content: the only one, or the one that a contest was settled for; 0 while contested.
    function assetOf(bytes32 contentHash) external view returns (bytes32);
    /// @notice The id that a contested content's money is allocated to: keccak256(abi.encode(this contract, contentHash)).
    function escrowIdOf(bytes32 contentHash) external view returns (bytes32);
}
