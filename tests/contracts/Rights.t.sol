// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ContributorRegistry} from "../../contracts/ContributorRegistry.sol";
import {RightsRegistry} from "../../contracts/RightsRegistry.sol";
import {Asset, IRightsRegistry, Part} from "../../contracts/interfaces/IRightsRegistry.sol";

contract RightsTest is Test {
    bytes32 private constant CONTENT = keccak256("an image set");
    ContributorRegistry private contributors = new ContributorRegistry();
    RightsRegistry private rights = new RightsRegistry(contributors);
    address private artist;
    address private rival;
    uint256 private artistKey;
    uint256 private rivalKey;
    bytes32 private artistId;
    bytes32 private rivalId;

    function setUp() public {
        (artist, artistKey) = makeAddrAndKey("artist");
        (rival, rivalKey) = makeAddrAndKey("rival");
        (artistId, rivalId) = (bytes32(uint256(uint160(artist))), bytes32(uint256(uint160(rival))));
    }

    function _asset(bytes32 holder) private pure returns (Asset memory asset) {
        asset = Asset(CONTENT, keccak256("training_data"), keccak256("CC-BY-4.0"), new bytes32[](0), new Part[](1));
        asset.split[0] = Part(holder, 1_000_000);
    }

    function _register(address by, bytes32 holder) private returns (bytes32) {
        vm.prank(by);
        return rights.register(_asset(holder), "training_data", "CC-BY-4.0");
    }

    function test_register_stores_one_hash_and_emits_the_rest() public {
        bytes32 id = rights.assetIdOf(artist, CONTENT);
        vm.expectEmit(address(rights));
        emit IRightsRegistry.Registered(id, CONTENT, artist, _asset(artistId), "training_data", "CC-BY-4.0");
        assertEq(_register(artist, artistId), id);
        assertEq(rights.assetHash(id), keccak256(abi.encode(_asset(artistId))));
        assertEq(rights.assetOf(CONTENT), id);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.AlreadyRegistered.selector, id));
        this.register();
    }

    function register() external {
        _register(artist, artistId);
    }

    function test_register_refuses_wrong_splits_texts_and_parents() public {
        Asset memory asset = _asset(artistId);
        vm.expectRevert(RightsRegistry.WrongText.selector);
        rights.register(asset, "prompt", "CC-BY-4.0");
        asset.split[0].ppm = 999_999;
        vm.expectRevert(RightsRegistry.InvalidSplit.selector);
        rights.register(asset, "training_data", "CC-BY-4.0");
        asset.split = new Part[](2);
        (asset.split[0], asset.split[1]) = (Part(artistId, 500_000), Part(artistId, 500_000));
        vm.expectRevert(RightsRegistry.InvalidSplit.selector);
        rights.register(asset, "training_data", "CC-BY-4.0");
        asset = _asset(artistId);
        asset.parents = new bytes32[](2);
        vm.expectRevert(RightsRegistry.InvalidParents.selector);
        rights.register(asset, "training_data", "CC-BY-4.0");
    }

    function testFuzz_parts_move_and_the_split_stays_whole(uint32 ppm) public {
        bytes32 id = _register(artist, artistId);
        ppm = uint32(bound(ppm, 1, 1_000_000));
        vm.prank(artist);
        rights.transferPart(id, _asset(artistId), artistId, rivalId, ppm);
        Asset memory asset = _asset(rivalId);
        if (ppm < 1_000_000) {
            asset.split = new Part[](2);
            bool first = artistId < rivalId;
            asset.split[first ? 0 : 1] = Part(artistId, 1_000_000 - ppm);
            asset.split[first ? 1 : 0] = Part(rivalId, ppm);
        }
        assertEq(rights.assetHash(id), keccak256(abi.encode(asset)));
        vm.prank(rival);
        rights.transferPart(id, asset, rivalId, artistId, ppm); // and back
        assertEq(rights.assetHash(id), keccak256(abi.encode(_asset(artistId))));
    }

    function test_only_the_holder_passes_on_what_it_has() public {
        bytes32 id = _register(artist, artistId);
        Asset memory asset = _asset(artistId);
        vm.startPrank(rival);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.NotHolder.selector, artistId, rival));
        rights.transferPart(id, asset, artistId, rivalId, 1);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.PartTooSmall.selector, rivalId, 0, 1));
        rights.transferPart(id, asset, rivalId, artistId, 1);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.WrongAsset.selector, id));
        rights.transferPart(id, _asset(rivalId), rivalId, artistId, 1);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.UnknownAsset.selector, bytes32("none")));
        rights.transferPart("none", asset, rivalId, artistId, 1);
        vm.stopPrank();
        vm.startPrank(artist);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.PartTooSmall.selector, artistId, 1_000_000, 1_000_001));
        rights.transferPart(id, asset, artistId, rivalId, 1_000_001);
        vm.expectRevert(RightsRegistry.InvalidSplit.selector);
        rights.transferPart(id, asset, artistId, artistId, 1);
    }

    function test_contest_until_all_registrants_sign_one_outcome() public {
        bytes32 id = _register(artist, artistId);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.NotContested.selector, CONTENT));
        rights.settle(CONTENT, id, block.timestamp, new bytes[](0));
        vm.expectEmit(address(rights));
        emit IRightsRegistry.Contested(CONTENT, rival, 2);
        _register(rival, rivalId);
        assertTrue(rights.isContested(CONTENT));
        assertEq(rights.assetOf(CONTENT), 0);
        assertEq(contributors.payoutOf(rights.escrowIdOf(CONTENT)), address(0));
        bytes[] memory signatures = new bytes[](2);
        signatures[0] = _sign(artistKey, id, 2);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.InvalidSignature.selector, rival));
        rights.settle(CONTENT, id, block.timestamp, signatures);
        vm.prank(rival); // the sender's own is not needed
        rights.settle(CONTENT, id, block.timestamp, signatures);
        assertEq(rights.assetOf(CONTENT), id);
        address third = makeAddr("third");
        _register(third, artistId);
        assertTrue(rights.isContested(CONTENT)); // a later registration contests again
        assertEq(rights.registrantsOf(CONTENT).length, 3);
    }

    function test_a_contest_is_settled_in_time_and_on_an_asset_of_the_content() public {
        bytes32 id = _register(artist, artistId);
        _register(rival, rivalId);
        bytes[] memory signatures = new bytes[](2);
        signatures[0] = _sign(artistKey, id, 2);
        vm.startPrank(rival);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.SignatureExpired.selector, block.timestamp - 1));
        rights.settle(CONTENT, id, block.timestamp - 1, signatures);
        bytes32 none = keccak256("an asset of nobody");
        signatures[0] = _sign(artistKey, none, 2);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.WrongAsset.selector, none));
        rights.settle(CONTENT, none, block.timestamp, signatures);
        vm.expectRevert(abi.encodeWithSelector(RightsRegistry.InvalidSignature.selector, artist));
        rights.settle(CONTENT, id, block.timestamp, new bytes[](1)); // too few
        vm.stopPrank();
        assertTrue(rights.isContested(CONTENT));
    }

    function test_what_waits_in_escrow_goes_to_whom_all_have_agreed_on() public {
        _register(artist, artistId);
        _register(rival, rivalId);
        bytes32 escrow = rights.escrowIdOf(CONTENT);
        bytes memory vouch = abi.encode(CONTENT, block.timestamp);
        _bindEscrow(artist, artistKey, vouch, address(rights)); // nothing is settled
        bytes[] memory signatures = new bytes[](2);
        bytes32 agreed = rights.assetIdOf(artist, CONTENT);
        signatures[1] = _sign(rivalKey, agreed, 2);
        vm.prank(artist);
        rights.settle(CONTENT, agreed, block.timestamp, signatures);
        _bindEscrow(rival, rivalKey, vouch, address(rights)); // it was settled for another
        _bindEscrow(artist, artistKey, abi.encode(keccak256("other"), block.timestamp), address(rights));
        _bindEscrow(artist, artistKey, abi.encode(CONTENT, block.timestamp + 1), address(rights));
        assertEq(contributors.payoutOf(escrow), address(0));
        _register(makeAddr("third"), artistId); // a new contest does not hold up what was agreed
        _bindEscrow(artist, artistKey, vouch, address(0));
        assertEq(contributors.payoutOf(escrow), artist);
        assertEq(contributors.holderOf(escrow), artist);
    }

    function testFuzz_escrow_is_vouched_for_to_one_registrant_alone(address stranger, bytes32 other) public {
        _register(artist, artistId);
        _register(rival, rivalId);
        vm.assume(stranger != artist && other != CONTENT);
        bytes memory vouch = abi.encode(CONTENT, block.timestamp);
        bytes32 digest = contributors.vouchDigest(CONTENT, artist, 0, block.timestamp);
        assertEq(rights.isValidSignature(digest, vouch), bytes4(0xffffffff)); // nothing is settled
        bytes[] memory signatures = new bytes[](2);
        bytes32 agreed = rights.assetIdOf(artist, CONTENT);
        signatures[1] = _sign(rivalKey, agreed, 2);
        vm.prank(artist);
        rights.settle(CONTENT, agreed, block.timestamp, signatures);
        assertEq(rights.isValidSignature(digest, vouch), IERC1271.isValidSignature.selector);
        digest = contributors.vouchDigest(CONTENT, stranger, 0, block.timestamp);
        assertEq(rights.isValidSignature(digest, vouch), bytes4(0xffffffff));
        digest = contributors.vouchDigest(other, artist, 0, block.timestamp);
        assertEq(rights.isValidSignature(digest, vouch), bytes4(0xffffffff));
    }

    /// Binds the escrow id to somebody, or is refused for a signature of `wrong`.
    function _bindEscrow(address holder, uint256 key, bytes memory vouch, address wrong) private {
        bytes32 kind = keccak256(
            "Bind(bytes32 contributorId,address holder,address payout,uint32 recoverySeconds,uint256 nonce,uint256 deadline)"
        );
        bytes32 escrow = rights.escrowIdOf(CONTENT);
        bytes32 message = keccak256(abi.encode(kind, escrow, holder, holder, 0, 0, block.timestamp));
        bytes memory consent = _signed(key, "AME ContributorRegistry", address(contributors), message);
        if (wrong != address(0)) {
            vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.InvalidSignature.selector, wrong));
        }
        contributors.bind(address(rights), CONTENT, holder, holder, 0, block.timestamp, block.timestamp, vouch, consent);
    }

    function _sign(uint256 key, bytes32 id, uint256 registrations) private view returns (bytes memory) {
        bytes32 kind = keccak256("Settle(bytes32 contentHash,bytes32 assetId,uint256 registrations,uint256 deadline)");
        bytes32 message = keccak256(abi.encode(kind, CONTENT, id, registrations, block.timestamp));
        return _signed(key, "AME RightsRegistry", address(rights), message);
    }

    function _signed(uint256 key, string memory name, address verifier, bytes32 message)
        private
        view
        returns (bytes memory)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                verifier
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, message)));
        return abi.encodePacked(r, s, v);
    }
}
