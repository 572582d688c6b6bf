// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {MerkleSum} from "../../contracts/libraries/MerkleSum.sol";
import {Challenges} from "../../contracts/pool/Challenges.sol";
import {Claims} from "../../contracts/pool/Claims.sol";
import {Deposits} from "../../contracts/pool/Deposits.sol";
import {PoolBase} from "../../contracts/pool/PoolBase.sol";
import {ISettlementPool} from "../../contracts/interfaces/ISettlementPool.sol";
import {Claim, Ledger, RangeClaim, StageProposal, Terms} from "../../contracts/Records.sol";
import {PoolTest} from "./support/PoolTest.sol";

/// Refusals that no story needs, and views: what the other tests leave out of the branches.
contract CoverageTest is PoolTest {
    uint128 private constant TOO_MUCH = type(uint128).max / 2 + 1;

    function _fails(bytes memory error, Ledger[] memory before, StageProposal[] memory stages) private {
        vm.expectRevert(error);
        vm.prank(operator);
        pool.propose{value: BOND}(table, before, stages, "evidence");
    }

    function _prepared() private returns (Ledger[] memory before, StageProposal[] memory stages) {
        _deposit(REVENUE);
        _prepare(2);
        (before, stages) = (_before(), _proposals());
    }

    function test_propose_needs_every_stage_on_both_sides() public {
        (Ledger[] memory before, StageProposal[] memory stages) = _prepared();
        bytes memory error = abi.encodeWithSelector(SettlementPool.WrongStageCount.selector, 2, STAGES);
        _fails(error, new Ledger[](2), stages);
        _fails(error, before, new StageProposal[](2));
    }

    function test_propose_bounds_weights_and_totals() public {
        (Ledger[] memory before, StageProposal[] memory stages) = _prepared();
        uint128 honest = stages[1].weightTotal;
        stages[1].weightTotal = TOO_MUCH;
        _fails(abi.encodeWithSelector(SettlementPool.TotalTooLarge.selector, 1, TOO_MUCH), before, stages);
        stages[1].weightTotal = 0;
        _fails(abi.encodeWithSelector(SettlementPool.NoWeights.selector, 1), before, stages);
        stages[1].weightTotal = honest;
        stages[2].depth = 33;
        _fails(abi.encodeWithSelector(SettlementPool.DepthOutOfRange.selector, 2, 33), before, stages);
    }

    function test_a_stage_never_exceeds_the_greatest_amount() public {
        uint128 half = TOO_MUCH / 2; // two of them are one too much
        int128 value = int128(half);
        table = [int128(0), value, 0, value, 0, value, 0, value]; // all of it to the first stage
        _deposit(half);
        _prepare(1);
        _post();
        skip(PERIOD);
        assertEq(pool.claim(_claim(0, 0)), half);
        _deposit(half);
        _prepare(0);
        (Ledger[] memory before, StageProposal[] memory stages) = (_before(), _proposals());
        vm.expectRevert(abi.encodeWithSelector(SettlementPool.TotalTooLarge.selector, 0, TOO_MUCH));
        vm.prank(operator);
        pool.propose(table, before, stages, "evidence");
    }

    function test_a_table_of_another_size_or_without_revenue_is_refused() public {
        (Ledger[] memory before, StageProposal[] memory stages) = _prepared();
        table = [int128(0), 0, 0, 0, 0, 0, 0, 0];
        _fails(abi.encodeWithSelector(SettlementPool.InvalidTable.selector), before, stages);
        table = [int128(0), 0];
        _fails(abi.encodeWithSelector(SettlementPool.InvalidTable.selector), before, stages);
    }

    function test_closed_pools_take_neither_money_nor_settlements() public {
        (Ledger[] memory before, StageProposal[] memory stages) = _prepared();
        skip(ABANDON);
        _refund(1);
        _fails(abi.encodeWithSelector(Deposits.PoolClosed.selector), before, stages);
    }

    function test_commitments_show_the_active_and_the_valid_previous_ledger() public {
        (bytes32 first, bytes32 none) = pool.commitments(0);
        assertEq(first, MerkleSum.commitment(keccak256(new bytes(96)), 0, 1));
        assertEq(none, 0);
        _settle(2);
        (bytes32 active, bytes32 before) = pool.commitments(0);
        assertTrue(active != first);
        assertEq(before, first);
        _propose(1);
        (bytes32 still, bytes32 gone) = pool.commitments(0);
        assertEq(still, active);
        assertEq(gone, 0);
    }

    function test_demandOf_tells_who_and_whether_it_is_open() public {
        _propose(2);
        _demand(1, 0);
        (address by, bool open, uint64 answerUntil) = pool.demandOf(1, 1, 0);
        assertGt(answerUntil, block.timestamp);
        assertEq(by, auditor);
        assertTrue(open);
        (by, open,) = pool.demandOf(1, 1, 1);
        assertEq(by, address(0));
        assertFalse(open);
    }

    function test_no_proof_for_a_stage_that_the_pool_has_not() public {
        _propose(2);
        vm.expectRevert(abi.encodeWithSelector(Challenges.InvalidLeaf.selector, STAGES, 0));
        pool.challengeTotal(updates, STAGES, false, new bytes(96));
    }

    function test_claimTo_of_an_unbound_name_and_of_nothing() public {
        _settle(2);
        Claim[] memory items = new Claim[](1);
        items[0] = _claim(0, 0);
        items[0].contributorId = keccak256("unbound");
        vm.expectRevert(abi.encodeWithSelector(Claims.Unbound.selector, items[0].contributorId));
        pool.claimTo(items, outsider, "", block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(Claims.NothingToClaim.selector, bytes32(0)));
        pool.claimTo(new Claim[](0), outsider, "", block.timestamp);
        vm.expectRevert(PoolBase.ZeroRecipient.selector);
        pool.claimTo(items, address(0), "", block.timestamp);
    }

    function test_ranges_of_impossible_shape() public {
        _settle(4);
        RangeClaim memory good = _range(0, 0, 2);
        RangeClaim memory range = _range(0, 0, 2);
        range.cumulatives = new uint128[](1);
        _malformed(range);
        range = _range(0, 0, 2);
        range.contributorIds = new bytes32[](0);
        range.cumulatives = new uint128[](0);
        _malformed(range);
        range = _range(0, 0, 2);
        range.depth = 33;
        _malformed(range);
        range = _range(0, 0, 2);
        range.first = 3;
        _malformed(range);
        range = _range(0, 0, 2);
        range.proof = abi.encodePacked(range.proof, new bytes(48));
        _malformed(range);
        assertGt(pool.claimRange(good), 0);
    }

    function _malformed(RangeClaim memory range) private {
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        pool.claimRange(range);
    }

    function test_a_pool_without_bonds_stops_fraud_for_nothing() public {
        Terms memory terms = _terms(address(token));
        (terms.bondWei, terms.demandBondWei) = (0, 0);
        pool = SettlementPool(factory.createPool(terms, "no bonds"));
        _deposit(REVENUE);
        _prepare(4);
        books[1][0].cumulatives[2] += 1;
        books[1][0].cumulatives[3] -= 1;
        _post();
        uint256 before = auditor.balance;
        _challengeTransition(0, 2);
        assertEq(auditor.balance, before);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Cancelled));
        assertEq(pool.unallocated(), REVENUE);
    }

    function test_bonds_never_go_to_the_zero_address() public {
        _settle(1);
        vm.prank(operator);
        vm.expectRevert(PoolBase.ZeroRecipient.selector);
        pool.withdrawBond(address(0));
    }
}
