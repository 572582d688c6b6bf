// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {ContributorRegistry} from "../../contracts/ContributorRegistry.sol";

/// Account ids work at once; named ids are bound by two signatures, move by their holder, and are recovered by their registrar.
contract RegistryTest is Test {
    bytes32 private constant NAME = keccak256("hf:alice");
    uint32 private constant DELAY = 7 days;

    ContributorRegistry private contributors = new ContributorRegistry();
    address private registrar;
    uint256 private registrarKey;
    address private alice;
    uint256 private aliceKey;
    address private wallet = makeAddr("alice's payout");
    address private outsider = makeAddr("outsider");
    bytes32 private id;

    function setUp() public {
        (registrar, registrarKey) = makeAddrAndKey("registrar");
        (alice, aliceKey) = makeAddrAndKey("alice");
        id = contributors.namedId(registrar, NAME);
    }

    function _sign(uint256 key, bytes32 structHash) private view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("AME ContributorRegistry"),
                keccak256("1"),
                block.chainid,
                address(contributors)
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    function _vouch(uint256 key, uint32 delay, uint256 deadline) private view returns (bytes memory) {
        bytes32 kind = keccak256("Vouch(bytes32 externalIdHash,address holder,uint32 recoverySeconds,uint256 deadline)");
        return _sign(key, keccak256(abi.encode(kind, NAME, alice, delay, deadline)));
    }

    function _consent(uint256 key, uint32 delay, uint256 nonce, uint256 deadline) private view returns (bytes memory) {
        bytes32 kind = keccak256(
            "Bind(bytes32 contributorId,address holder,address payout,uint32 recoverySeconds,uint256 nonce,uint256 deadline)"
        );
        return _sign(key, keccak256(abi.encode(kind, id, alice, wallet, delay, nonce, deadline)));
    }

    function _bind(uint32 delay) private {
        bytes memory vouch = _vouch(registrarKey, delay, block.timestamp);
        bytes memory consent = _consent(aliceKey, delay, contributors.nonces(alice), block.timestamp);
        contributors.bind(registrar, NAME, alice, wallet, delay, block.timestamp, block.timestamp, vouch, consent);
    }

    function testFuzz_account_ids_are_paid_at_their_own_address(address account) public view {
        vm.assume(account != address(0));
        bytes32 own = bytes32(uint256(uint160(account)));
        assertEq(contributors.payoutOf(own), account);
        assertEq(contributors.holderOf(own), account);
    }

    function test_nobody_is_paid_for_the_zero_id_or_an_unbound_name() public view {
        assertEq(contributors.payoutOf(0), address(0));
        assertEq(contributors.payoutOf(id), address(0));
        assertEq(contributors.holderOf(id), address(0));
    }

    function test_bind_once_with_both_signatures() public {
        _bind(DELAY);
        assertEq(contributors.payoutOf(id), wallet);
        assertEq(contributors.holderOf(id), alice);
        assertEq(contributors.recoverySecondsOf(id), DELAY);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.AlreadyBound.selector, id));
        contributors.bind(registrar, NAME, alice, wallet, DELAY, block.timestamp, block.timestamp, "", "");
    }

    function test_bind_refuses_wrong_and_late_signatures() public {
        bytes memory vouch = _vouch(registrarKey, DELAY, block.timestamp);
        bytes memory consent = _consent(aliceKey, DELAY, 0, block.timestamp);
        uint256 time = block.timestamp;
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.InvalidSignature.selector, registrar));
        contributors.bind(registrar, NAME, alice, wallet, DELAY, time, time, consent, consent);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.InvalidSignature.selector, alice));
        contributors.bind(registrar, NAME, alice, wallet, DELAY, time, time, vouch, vouch);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.InvalidSignature.selector, alice));
        contributors.bind(registrar, NAME, alice, outsider, DELAY, time, time, vouch, consent); // another payout
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.SignatureExpired.selector, time - 1));
        contributors.bind(registrar, NAME, alice, wallet, DELAY, time - 1, time, vouch, consent);
        vm.chainId(999); // replay on another chain
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.InvalidSignature.selector, registrar));
        contributors.bind(registrar, NAME, alice, wallet, DELAY, time, time, vouch, consent);
    }

    function test_nobody_is_bound_to_the_zero_payout_and_nobody_sets_it() public {
        wallet = address(0);
        bytes memory vouch = _vouch(registrarKey, DELAY, block.timestamp);
        bytes memory consent = _consent(aliceKey, DELAY, 0, block.timestamp);
        vm.expectRevert(ContributorRegistry.ZeroAddress.selector);
        contributors.bind(registrar, NAME, alice, wallet, DELAY, block.timestamp, block.timestamp, vouch, consent);
        bytes32 own = bytes32(uint256(uint160(alice)));
        vm.prank(alice);
        vm.expectRevert(ContributorRegistry.ZeroAddress.selector);
        contributors.setPayout(own, address(0));
    }

    function test_payouts_of_many_ids_are_those_of_each() public {
        _bind(DELAY);
        bytes32[] memory ids = new bytes32[](4);
        (ids[0], ids[1], ids[2]) = (id, keccak256("unbound"), bytes32(uint256(uint160(outsider))));
        address[] memory payouts = contributors.payoutsOf(ids);
        assertEq(payouts.length, 4);
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(payouts[i], contributors.payoutOf(ids[i]));
        }
        assertEq(payouts[0], wallet);
        assertEq(contributors.payoutsOf(new bytes32[](0)).length, 0);
    }

    function test_attack_malleable_signature() public {
        bytes memory vouch = _vouch(registrarKey, DELAY, block.timestamp);
        (bytes32 r, bytes32 s) = abi.decode(bytes.concat(vouch), (bytes32, bytes32));
        uint8 v = uint8(vouch[64]) == 27 ? 28 : 27;
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        vouch = abi.encodePacked(r, order - uint256(s), v);
        bytes memory consent = _consent(aliceKey, DELAY, 0, block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.InvalidSignature.selector, registrar));
        contributors.bind(registrar, NAME, alice, wallet, DELAY, block.timestamp, block.timestamp, vouch, consent);
    }

    function test_only_the_holder_moves_the_payout() public {
        _bind(0);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.NotAllowed.selector, id, outsider));
        vm.prank(outsider);
        contributors.setPayout(id, outsider);
        vm.expectRevert(ContributorRegistry.ZeroAddress.selector);
        vm.prank(alice);
        contributors.setPayout(id, address(0));
        vm.prank(alice);
        contributors.setPayout(id, outsider);
        assertEq(contributors.payoutOf(id), outsider);
        bytes32 kind = keccak256("SetPayout(bytes32 contributorId,address payout,uint256 nonce,uint256 deadline)");
        bytes memory signature = _sign(aliceKey, keccak256(abi.encode(kind, id, wallet, 1, block.timestamp)));
        contributors.setPayoutWithSignature(id, wallet, block.timestamp, signature);
        assertEq(contributors.payoutOf(id), wallet);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.InvalidSignature.selector, alice));
        contributors.setPayoutWithSignature(id, wallet, block.timestamp, signature);
        bytes32 unbound = contributors.namedId(registrar, "unbound");
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.NotAllowed.selector, unbound, address(this)));
        contributors.setPayoutWithSignature(unbound, wallet, block.timestamp, signature);
    }

    function test_an_account_moves_its_own_payout_but_not_its_id() public {
        bytes32 own = bytes32(uint256(uint160(alice)));
        vm.startPrank(alice);
        contributors.setPayout(own, wallet);
        assertEq(contributors.payoutOf(own), wallet);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.InvalidNamedId.selector, own));
        contributors.startHolderTransfer(own, outsider);
    }

    function test_transfer_in_two_steps() public {
        _bind(DELAY);
        vm.prank(registrar);
        contributors.startRecovery(id, registrar);
        vm.prank(alice);
        contributors.startHolderTransfer(id, outsider);
        assertEq(contributors.holderOf(id), alice);
        assertEq(contributors.nextHolderOf(id), outsider);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.NotAllowed.selector, id, alice));
        vm.prank(alice);
        contributors.acceptHolderTransfer(id, alice);
        vm.prank(outsider);
        contributors.acceptHolderTransfer(id, outsider);
        assertEq(contributors.holderOf(id), outsider);
        assertEq(contributors.payoutOf(id), outsider);
        (, uint64 readyAt) = contributors.recovery(id);
        assertEq(readyAt, 0);
    }

    function test_recovery_after_the_delay_unless_vetoed() public {
        _bind(DELAY);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.NotAllowed.selector, id, outsider));
        vm.prank(outsider);
        contributors.startRecovery(id, outsider);
        vm.expectRevert(ContributorRegistry.ZeroAddress.selector);
        vm.prank(registrar);
        contributors.startRecovery(id, address(0));
        vm.prank(registrar);
        contributors.startRecovery(id, outsider);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.TooEarly.selector, block.timestamp + DELAY));
        vm.prank(outsider);
        contributors.finishRecovery(id, outsider);
        vm.prank(alice);
        contributors.vetoRecovery(id);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.NoRecovery.selector, id));
        vm.prank(alice);
        contributors.vetoRecovery(id);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.NoRecovery.selector, id));
        vm.prank(outsider);
        contributors.finishRecovery(id, outsider);
        vm.prank(registrar);
        contributors.startRecovery(id, outsider);
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.NotAllowed.selector, id, alice));
        vm.prank(alice);
        contributors.finishRecovery(id, alice);
        vm.prank(outsider);
        contributors.finishRecovery(id, outsider);
        assertEq(contributors.holderOf(id), outsider);
    }

    function test_attack_a_transfer_under_way_ends_with_a_recovery() public {
        _bind(DELAY);
        address thief = makeAddr("thief of alice's key");
        address next = makeAddr("alice's new key");
        vm.prank(alice);
        contributors.startHolderTransfer(id, thief);
        vm.prank(registrar);
        contributors.startRecovery(id, next);
        skip(DELAY);
        vm.prank(next);
        contributors.finishRecovery(id, next);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.NotAllowed.selector, id, thief));
        vm.prank(thief);
        contributors.acceptHolderTransfer(id, thief);
        assertEq(contributors.holderOf(id), next);
    }

    function test_no_recovery_where_the_binding_excluded_it() public {
        _bind(0);
        vm.expectRevert(abi.encodeWithSelector(ContributorRegistry.NoRecovery.selector, id));
        vm.prank(registrar);
        contributors.startRecovery(id, outsider);
    }
}
