// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IContributorRegistry} from "./interfaces/IContributorRegistry.sol";
import {Asset, IRightsRegistry, Part} from "./interfaces/IRightsRegistry.sol";

/// @title Who holds the rights to an asset
/// @dev The escrow id is a named id whose registrar is this contract. Money allocated to it waits in the pools until a contest of
///      the content is settled; from then on this contract vouches for the registrant of the asset that all agreed on, who
///      binds the id. It is bound once: what a later contest brings goes the same way.
contract RightsRegistry is IRightsRegistry, IERC1271, EIP712 {
    error AlreadyRegistered(bytes32 assetId);
    error InvalidSignature(address registrant);
    error InvalidSplit();
    error InvalidParents();
    error NotContested(bytes32 contentHash);
    error NotHolder(bytes32 contributorId, address sender);
    error PartTooSmall(bytes32 contributorId, uint32 found, uint32 wanted);
    error SignatureExpired(uint256 deadline);
    error UnknownAsset(bytes32 assetId);
    error WrongAsset(bytes32 assetId);
    error WrongText();

    uint256 private constant MILLION = 1_000_000;
    bytes32 private constant SETTLE_TYPEHASH =
        keccak256("Settle(bytes32 contentHash,bytes32 assetId,uint256 registrations,uint256 deadline)");

    IContributorRegistry public immutable CONTRIBUTORS;

    mapping(bytes32 assetId => bytes32) private _assetHash;
    mapping(bytes32 contentHash => address[]) private _registrants;
    /// Whose asset a contest was settled for, and among how many registrations: a later one contests again.
    mapping(bytes32 contentHash => address) private _settledFor;
    mapping(bytes32 contentHash => uint256) private _settledAmong;

    constructor(IContributorRegistry contributors) EIP712("AME RightsRegistry", "1") {
        CONTRIBUTORS = contributors;
    }

    /// @inheritdoc IRightsRegistry
    function register(Asset calldata asset, string calldata stage, string calldata license)
        external
        returns (bytes32 assetId)
    {
        assetId = assetIdOf(msg.sender, asset.contentHash);
        if (_assetHash[assetId] != 0) revert AlreadyRegistered(assetId);
        if (keccak256(bytes(stage)) != asset.stageHash || keccak256(bytes(license)) != asset.licenseHash) {
            revert WrongText();
        }
        for (uint256 i = 1; i < asset.parents.length; ++i) {
            if (asset.parents[i - 1] >= asset.parents[i]) revert InvalidParents();
        }
        _checkSplit(asset.split);
        _assetHash[assetId] = keccak256(abi.encode(asset));
        _registrants[asset.contentHash].push(msg.sender);
        emit Registered(assetId, asset.contentHash, msg.sender, asset, stage, license);
        uint256 registrations = _registrants[asset.contentHash].length;
        if (registrations > 1) emit Contested(asset.contentHash, msg.sender, registrations);
    }

    /// @inheritdoc IRightsRegistry
    function transferPart(bytes32 assetId, Asset calldata asset, bytes32 from, bytes32 to, uint32 ppm) external {
        if (_assetHash[assetId] == 0) revert UnknownAsset(assetId);
        if (keccak256(abi.encode(asset)) != _assetHash[assetId]) revert WrongAsset(assetId);
        if (CONTRIBUTORS.holderOf(from) != msg.sender) revert NotHolder(from, msg.sender);
        if (ppm == 0 || to == 0 || to == from) revert InvalidSplit();
        Asset memory changed = asset;
        changed.split = _moved(asset.split, from, to, ppm);
        _assetHash[assetId] = keccak256(abi.encode(changed));
        emit SplitChanged(assetId, from, to, ppm, changed);
    }

    /// @inheritdoc IRightsRegistry
    function settle(bytes32 contentHash, bytes32 assetId, uint256 deadline, bytes[] calldata signatures) external {
        if (!isContested(contentHash)) revert NotContested(contentHash);
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        address[] memory registrants = _registrants[contentHash];
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(SETTLE_TYPEHASH, contentHash, assetId, registrants.length, deadline))
        );
        address settledFor = address(0);
        for (uint256 i = 0; i < registrants.length; ++i) {
            if (assetIdOf(registrants[i], contentHash) == assetId) settledFor = registrants[i];
            if (registrants[i] == msg.sender) continue;
            if (
                signatures.length != registrants.length
                    || !SignatureChecker.isValidSignatureNowCalldata(registrants[i], digest, signatures[i])
            ) revert InvalidSignature(registrants[i]);
        }
        if (settledFor == address(0)) revert WrongAsset(assetId);
        _settledFor[contentHash] = settledFor;
        _settledAmong[contentHash] = registrants.length;
        emit Settled(contentHash, assetId);
    }

    /// @inheritdoc IRightsRegistry
    function assetHash(bytes32 assetId) external view returns (bytes32) {
        return _assetHash[assetId];
    }

    /// @inheritdoc IRightsRegistry
    function registrantsOf(bytes32 contentHash) external view returns (address[] memory) {
        return _registrants[contentHash];
    }

    /// @inheritdoc IRightsRegistry
    function assetOf(bytes32 contentHash) external view returns (bytes32) {
        address[] storage registrants = _registrants[contentHash];
        if (registrants.length == 0 || isContested(contentHash)) return 0;
        return assetIdOf(registrants.length == 1 ? registrants[0] : _settledFor[contentHash], contentHash);
    }

    /// @inheritdoc IRightsRegistry
    function escrowIdOf(bytes32 contentHash) external view returns (bytes32) {
        return CONTRIBUTORS.namedId(address(this), contentHash);
    }

    /// @notice The vouch for an escrow id, by which ContributorRegistry.bind lets the settled contest's winner take what waited.
    /// @param hash `vouchDigest` of the content hash as external id, that registrant as holder, no recovery, and the deadline.
    /// @param signature abi.encode(bytes32 contentHash, uint256 deadline)
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (bytes32 contentHash, uint256 deadline) = abi.decode(signature, (bytes32, uint256));
        address holder = _settledFor[contentHash];
        bool right = holder != address(0) && hash == CONTRIBUTORS.vouchDigest(contentHash, holder, 0, deadline);
        return right ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    /// @inheritdoc IRightsRegistry
    function isContested(bytes32 contentHash) public view returns (bool) {
        uint256 registrations = _registrants[contentHash].length;
        return registrations > 1 && _settledAmong[contentHash] != registrations;
    }

    /// @inheritdoc IRightsRegistry
    function assetIdOf(address registrant, bytes32 contentHash) public pure returns (bytes32) {
        return keccak256(abi.encode(registrant, contentHash));
    }

    function _checkSplit(Part[] calldata split) private pure {
        uint256 sum = 0;
        bytes32 last = 0; // so that id 0 is refused as well
        for (uint256 i = 0; i < split.length; ++i) {
            if (split[i].contributorId <= last || split[i].ppm == 0) revert InvalidSplit();
            last = split[i].contributorId;
            sum += split[i].ppm;
        }
        if (sum != MILLION) revert InvalidSplit();
    }

    /// The split after `ppm` went from one id to another: ascending, without empty parts, of the same sum.
    function _moved(Part[] calldata split, bytes32 from, bytes32 to, uint32 ppm) private pure returns (Part[] memory) {
        Part[] memory moved = new Part[](split.length + 1);
        uint256 count = 0;
        bool given = false;
        bool taken = false;
        for (uint256 i = 0; i < split.length; ++i) {
            Part memory part = Part(split[i].contributorId, split[i].ppm);
            if (!taken && to < part.contributorId) {
                moved[count++] = Part(to, ppm);
                taken = true;
            }
            if (part.contributorId == to) {
                part.ppm += ppm; // at most a million
                taken = true;
            }
            if (part.contributorId == from) {
                if (part.ppm < ppm) revert PartTooSmall(from, part.ppm, ppm);
                part.ppm -= ppm;
                given = true;
            }
            if (part.ppm != 0) moved[count++] = part;
        }
        if (!given) revert PartTooSmall(from, 0, ppm);
        if (!taken) moved[count++] = Part(to, ppm);
        Part[] memory exact = new Part[](count);
        for (uint256 i = 0; i < count; ++i) {
            exact[i] = moved[i];
        }
        return exact;
    }
}
