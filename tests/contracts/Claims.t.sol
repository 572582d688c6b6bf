// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISettlementPool} from "../../contracts/interfaces/ISettlementPool.sol";
import {MerkleSum} from "../../contracts/libraries/MerkleSum.sol";
import {Claims} from "../../contracts/pool/Claims.sol";
import {PoolBase} from "../../contracts/pool/PoolBase.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {Claim, RangeClaim} from "../../contracts/Records.sol";
import {PoolTest} from "./support/PoolTest.sol";

/// claim
/// ├── given no settlement is active: reverts
/// ├── given the leaf is in the active ledger: pays what is beyond the paid, once
/// ├── given the leaf is in the previous ledger: pays until the next proposal
/// ├── given the id is unbound: reverts; in a batch it is passed over
/// └── given the recipient refuses: the amount is owed, and the holder withdraws it elsewhere
contract ClaimsTest is PoolTest {
    function test_claim_pays_the_leaf_to_its_account_whoever_sends_it() public {
        _settle(5);
        Claim memory claim = _claim(0, 4);
        vm.expectEmit(address(pool));
        emit ISettlementPool.Claimed(
            0, claim.contributorId, _account(claim.contributorId), claim.cumulative, claim.cumulative
        );
        vm.prank(outsider);
        assertEq(pool.claim(claim), claim.cumulative);
        assertEq(token.balanceOf(_account(claim.contributorId)), claim.cumulative);
        assertEq(pool.unclaimed(), REVENUE - claim.cumulative);
        assertEq(pool.claimed(0, claim.contributorId), claim.cumulative);
    }

    function test_claim_pays_nothing_the_second_time() public {
        _settle(5);
        pool.claim(_claim(0, 4));
        assertEq(pool.claimable(0, _id(0, 4), _claim(0, 4).cumulative), 0);
        assertEq(pool.claim(_claim(0, 4)), 0);
    }

    function test_claim_reverts_while_the_settlement_is_pending() public {
        _propose(5);
        skip(PERIOD - 1);
        Claim memory claim = _claim(0, 4);
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, 0));
        pool.claim(claim);
        skip(1);
        assertGt(pool.claim(claim), 0);
    }

    function test_claim_of_three_settlements_at_once_pays_all() public {
        _settle(5);
        _settle(2);
        _settle(0);
        Claim memory claim = _claim(1, 3);
        assertEq(pool.claim(claim), books[3][1].cumulatives[3]);
    }

    function test_claim_with_a_previous_proof_works_until_the_next_proposal() public {
        _settle(5);
        Claim memory old = _claim(0, 4);
        _settle(0);
        assertEq(pool.claim(old), old.cumulative);
        uint128 rest = books[2][0].cumulatives[4] - old.cumulative;
        assertEq(pool.claimable(0, _id(0, 4), books[2][0].cumulatives[4]), rest);
        assertEq(pool.claim(_claim(0, 4)), rest);
        assertEq(pool.claim(old), 0); // below what was paid: 0, no revert
        _propose(0);
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, 0));
        pool.claim(old);
    }

    function test_claim_against_a_cancelled_settlement_reverts_for_ever() public {
        _settle(5);
        _propose(0);
        vm.prank(arbiter);
        pool.cancel();
        Claim memory cancelled = _claim(0, 4);
        Claim memory active = _claimOf(1, 0, 4);
        skip(10 * PERIOD);
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, 0));
        pool.claim(cancelled);
        assertEq(pool.claim(active), active.cumulative);
    }

    function test_claimBatch_equals_its_sequence_even_with_duplicates() public {
        _settle(5);
        Claim[] memory claims = new Claim[](4);
        (claims[0], claims[1], claims[2], claims[3]) = (_claim(0, 4), _claim(1, 2), _claim(0, 4), _claim(2, 0));
        uint256 expected = uint256(claims[0].cumulative) + claims[1].cumulative + claims[3].cumulative;
        assertEq(pool.claimBatch(claims), expected);
        assertEq(pool.unclaimed(), REVENUE - expected);
        assertEq(token.balanceOf(address(pool)), REVENUE - expected);
    }

    function test_claimRange_pays_any_neighbours_once() public {
        _settle(7);
        for (uint256 first = 0; first < 8; ++first) {
            for (uint256 count = 1; count <= 8 - first; ++count) {
                uint256 snapshot = vm.snapshotState();
                uint256 expected = 0;
                for (uint256 i = first; i < first + count && i < 7; ++i) {
                    expected += books[1][1].cumulatives[i];
                }
                assertEq(pool.claimRange(_range(1, first, count)), expected);
                assertEq(pool.claimRange(_range(1, first, count)), 0);
                assertEq(pool.unclaimed(), REVENUE - expected);
                vm.revertToState(snapshot);
            }
        }
    }

    function test_unbound_id_waits_while_its_neighbours_are_paid() public {
        _deposit(REVENUE);
        _prepare(4);
        bytes32 named = registry.namedId(outsider, keccak256("hf:alice"));
        books[1][0].ids[2] = named;
        _post();
        skip(PERIOD);
        Claim memory claim = _claim(0, 2);
        vm.expectRevert(abi.encodeWithSelector(Claims.Unbound.selector, named));
        pool.claim(claim);
        uint256 paid = pool.claimRange(_range(0, 0, 4));
        assertEq(pool.claimed(0, named), 0);
        assertEq(paid + claim.cumulative, updates[0].afterwards.total);
        Claim[] memory claims = new Claim[](1);
        claims[0] = claim;
        assertEq(pool.claimBatch(claims), 0);
    }

    function test_attack_a_leaf_beyond_the_total_proves_nothing() public {
        // Nobody watched: a false ledger promises the revenue of the stage twice, by its leaf and its sibling.
        _settle(4);
        _deposit(5 * REVENUE);
        _prepare(0);
        books[2][0].cumulatives[2] = updates[0].afterwards.total * 2 - books[2][0].cumulatives[3];
        _post();
        skip(PERIOD);
        Claim memory claim = _claim(0, 2);
        vm.expectRevert(); // the total it shows is not the committed one
        pool.claim(claim);
        assertEq(pool.unallocated(), 4 * REVENUE);
    }

    /// Everybody was paid, then a false ledger of the right total gives all of a stage, what was paid to others included, to one
    /// leaf. Nobody challenges. Its claim is worth more than is unclaimed, and there are deposits in the pool.
    function test_attack_a_false_ledger_of_the_right_total_reaches_no_deposits() public {
        _settle(4);
        for (uint8 s = 0; s < STAGES; ++s) {
            pool.claimRange(_range(s, 0, 4));
        }
        _deposit(5 * REVENUE);
        _prepare(0);
        uint128 total = 0;
        for (uint256 i = 0; i < 4; ++i) {
            total += books[2][0].cumulatives[i];
            books[2][0].cumulatives[i] = 0;
        }
        books[2][0].cumulatives[2] = total;
        _post();
        skip(PERIOD);
        pool.claimRange(_range(1, 0, 4));
        pool.claimRange(_range(2, 0, 4));
        Claim memory lie = _claim(0, 2);
        uint256 amount = lie.cumulative - pool.claimed(0, lie.contributorId);
        assertGt(amount, pool.unclaimed());
        assertEq(pool.reserved(), 4 * REVENUE);
        bytes memory error = abi.encodeWithSelector(
            PoolBase.ReachesReserves.selector, 4 * REVENUE + pool.unclaimed() - amount, 4 * REVENUE
        );
        Claim[] memory batch = new Claim[](1);
        batch[0] = lie;
        RangeClaim memory range = _range(0, 0, 4);
        vm.expectRevert(error);
        pool.claim(lie);
        vm.expectRevert(error);
        pool.claimBatch(batch);
        vm.expectRevert(error);
        pool.claimRange(range);
        vm.prank(_account(lie.contributorId));
        vm.expectRevert(error);
        pool.claimTo(batch, outsider, "", 0);
        // Nor by a refusal: what would be owed is reserved as well.
        vm.mockCallRevert(address(token), abi.encodeWithSelector(token.transfer.selector), "");
        vm.expectRevert();
        pool.claim(lie);
        vm.clearMockedCalls();
        assertEq(token.balanceOf(address(pool)), 4 * REVENUE + pool.unclaimed());
    }

    function test_what_was_sent_without_deposit_is_nobodys_and_changes_no_reserve() public {
        _settle(4);
        token.mint(address(pool), 77);
        assertEq(pool.unclaimed(), REVENUE + 77);
        assertEq(pool.reserved(), 0);
        for (uint8 s = 0; s < STAGES; ++s) {
            pool.claimRange(_range(s, 0, 4));
        }
        assertEq(token.balanceOf(address(pool)), 77);
        assertEq(pool.unclaimed(), 77);
    }

    function test_claimTo_by_the_holder_and_by_signature() public {
        (address artist, uint256 key) = makeAddrAndKey("artist");
        _deposit(REVENUE);
        _prepare(4);
        bytes32 id = bytes32(uint256(uint160(artist)));
        books[1][0].ids[2] = id;
        books[1][1].ids[3] = id;
        _post();
        skip(PERIOD);
        Claim[] memory first = new Claim[](1);
        Claim[] memory second = new Claim[](1);
        (first[0], second[0]) = (_claim(0, 2), _claim(1, 3));
        vm.prank(artist);
        pool.claimTo(first, outsider, "", 0);
        assertEq(token.balanceOf(outsider), first[0].cumulative);
        bytes memory signature = _sign(key, id, auditor, 0, block.timestamp);
        pool.claimTo(second, auditor, signature, block.timestamp);
        assertEq(token.balanceOf(auditor), second[0].cumulative);
        assertEq(pool.nonces(artist), 1);
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidSignature.selector, artist)); // replay
        pool.claimTo(second, auditor, signature, block.timestamp);
        signature = _sign(key, id, auditor, 1, block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidSignature.selector, artist)); // to somebody else
        pool.claimTo(second, outsider, signature, block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(Claims.NothingToClaim.selector, id)); // using it up for nothing
        pool.claimTo(second, auditor, signature, block.timestamp);
        skip(1);
        vm.expectRevert(abi.encodeWithSelector(Claims.SignatureExpired.selector, block.timestamp - 1));
        pool.claimTo(second, auditor, signature, block.timestamp - 1);
        second[0] = _claim(1, 2);
        vm.startPrank(artist);
        vm.expectRevert(PoolBase.ZeroRecipient.selector);
        pool.claimTo(first, address(0), "", 0);
        vm.expectRevert(abi.encodeWithSelector(Claims.NothingToClaim.selector, bytes32(0)));
        pool.claimTo(new Claim[](0), artist, "", 0);
        Claim[] memory mixed = new Claim[](2);
        (mixed[0], mixed[1]) = (first[0], second[0]);
        vm.expectRevert(abi.encodeWithSelector(Claims.MixedContributors.selector, id, second[0].contributorId));
        pool.claimTo(mixed, artist, "", 0);
        vm.stopPrank();
    }

    /// Written out by hand, so that a wrong type string in the contract would show.
    function _sign(uint256 key, bytes32 id, address recipient, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes memory)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("AME SettlementPool"),
                keccak256("1"),
                block.chainid,
                address(pool)
            )
        );
        bytes32 message = keccak256(
            abi.encode(
                keccak256("ClaimTo(bytes32 contributorId,address recipient,uint256 nonce,uint256 deadline)"),
                id,
                recipient,
                nonce,
                deadline
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, message)));
        return abi.encodePacked(r, s, v);
    }

    function test_refused_tokens_are_owed_and_withdrawn_by_the_holder() public {
        _settle(4);
        Claim memory claim = _claim(0, 2);
        address payee = _account(claim.contributorId);
        vm.mockCallRevert(address(token), abi.encodeCall(token.transfer, (payee, claim.cumulative)), "blacklisted");
        vm.expectEmit(address(pool));
        emit ISettlementPool.Owed(claim.contributorId, claim.cumulative);
        pool.claim(claim);
        assertEq(pool.owed(claim.contributorId), claim.cumulative);
        assertEq(pool.claim(claim), 0);
        vm.expectRevert(abi.encodeWithSelector(Claims.NotHolder.selector, claim.contributorId, outsider));
        vm.prank(outsider);
        pool.withdrawOwed(claim.contributorId, outsider);
        vm.startPrank(payee);
        vm.expectRevert(PoolBase.ZeroRecipient.selector);
        pool.withdrawOwed(claim.contributorId, address(0));
        assertEq(pool.withdrawOwed(claim.contributorId, customer), claim.cumulative);
        vm.expectRevert(abi.encodeWithSelector(Claims.NothingOwed.selector, claim.contributorId));
        pool.withdrawOwed(claim.contributorId, customer);
        vm.stopPrank();
        assertEq(token.balanceOf(customer), claim.cumulative);
    }

    function test_attack_leaf_as_node_wrong_depth_wrong_index_and_zero_root() public {
        _settle(5);
        Claim memory claim = _claim(0, 4);
        bytes memory proof = claim.proof;
        claim.proof = bytes.concat(proof, new bytes(48));
        _expectInvalid(claim);
        claim.proof = new bytes(0);
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        pool.claim(claim);
        claim.proof = proof;
        claim.index = 5;
        _expectInvalid(claim);
        claim.index = 12; // 4 + 8: out of range
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        pool.claim(claim);
        claim.index = 4;
        claim.cumulative += 1;
        _expectInvalid(claim);
        claim.cumulative -= 1;
        claim.stage = 1;
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, 1));
        pool.claim(claim);
        claim.stage = 4; // the array has room for it, the pool does not
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, 4));
        pool.claim(claim);
        claim.stage = 5;
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, 5));
        pool.claim(claim);
    }

    function _expectInvalid(Claim memory claim) private {
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, claim.stage));
        pool.claim(claim);
    }

    function test_attack_an_inner_node_is_no_leaf() public {
        _settle(8);
        // The node above leaves 0 and 1 as a leaf of depth 2: lengths differ (96 and 48 bytes), so the hash cannot be met.
        RangeClaim memory range = _range(0, 0, 2);
        range.depth -= 1;
        vm.expectRevert();
        pool.claimRange(range);
        range.depth += 2;
        vm.expectRevert();
        pool.claimRange(range);
    }

    function test_attack_sums_that_overflow() public {
        _settle(5);
        Claim memory claim = _claim(0, 4);
        claim.proof =
            abi.encodePacked(bytes32(0), type(uint128).max, bytes32(0), type(uint128).max, bytes32(0), uint128(1));
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        pool.claim(claim);
    }

    function test_one_pool_never_touches_another() public {
        _settle(5);
        Claim memory claim = _claim(0, 4);
        SettlementPool other = SettlementPool(factory.createPool(_terms(address(token)), "another"));
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, 0));
        other.claim(claim);
    }

    function testFuzz_every_valid_claim_succeeds_in_any_order(uint256 seed) public {
        _settle(6);
        uint256 sum = 0;
        for (uint256 i = 0; i < 18; ++i) {
            uint256 pick = (i + seed % 18) % 18;
            sum += pool.claim(_claim(uint8(pick % 3), pick / 3));
        }
        assertEq(sum, REVENUE);
        assertEq(pool.unclaimed(), 0);
        assertEq(token.balanceOf(address(pool)), 0);
    }
}
