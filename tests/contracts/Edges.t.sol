// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {Claims} from "../../contracts/pool/Claims.sol";
import {Deposits} from "../../contracts/pool/Deposits.sol";
import {Claim, Ledger, StageProposal, Terms} from "../../contracts/Records.sol";
import {PoolTest} from "./support/PoolTest.sol";

/// The last value that is allowed, and the first that is not.
contract EdgesTest is PoolTest {
    uint128 private constant MOST = type(uint128).max / 2; // of amounts and weights

    function _proposeAsOperator(Ledger[] memory before, StageProposal[] memory stages) private {
        vm.prank(operator);
        pool.propose{value: BOND}(table, before, stages, "evidence");
    }

    function test_depth_32_and_the_greatest_weights_can_be_proposed() public {
        _deposit(REVENUE);
        _prepare(2);
        (Ledger[] memory before, StageProposal[] memory stages) = (_before(), _proposals());
        (stages[0].depth, stages[1].weightTotal) = (32, MOST);
        _proposeAsOperator(before, stages);
        assertEq(pool.pendingRevenue(), REVENUE);
    }

    function test_a_stage_can_hold_the_greatest_amount() public {
        _settleAllToTheFirst(MOST / 2, 1);
        _settleAllToTheFirst(MOST - MOST / 2, 0);
        assertEq(pool.claim(_claim(0, 0)), MOST);
    }

    function _settleAllToTheFirst(uint128 amount, uint256 newcomers) private {
        int128 all = int128(amount);
        table = [int128(0), all, 0, all, 0, all, 0, all];
        _deposit(amount);
        _prepare(newcomers);
        _post();
        skip(PERIOD);
    }

    function test_a_stage_without_amount_needs_no_weights() public {
        int128 all = int128(REVENUE);
        table = [int128(0), all, 0, all, 0, all, 0, all];
        _deposit(REVENUE);
        _prepare(1);
        (Ledger[] memory before, StageProposal[] memory stages) = (_before(), _proposals());
        (stages[1].weightTotal, stages[2].weightTotal) = (0, 0);
        _proposeAsOperator(before, stages);
        assertEq(pool.pendingRevenue(), REVENUE);
    }

    function test_two_to_five_stages_each_with_an_empty_ledger_and_no_more() public {
        (bytes32 empty,) = pool.commitments(0);
        for (uint8 count = 2; count <= 5; ++count) {
            Terms memory terms = _terms(address(token));
            terms.stageCount = count;
            SettlementPool one = new SettlementPool(terms);
            for (uint8 stage = 0; stage < 5; ++stage) {
                (bytes32 active,) = one.commitments(stage);
                assertEq(active, stage < count ? empty : bytes32(0));
            }
        }
    }

    function test_no_claim_of_a_stage_beyond_the_fifth() public {
        _settle(2);
        Claim memory item = _claim(0, 0);
        for (uint8 stage = STAGES; stage < 7; ++stage) {
            item.stage = stage;
            vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, stage));
            pool.claim(item);
        }
    }

    function test_a_claim_of_nothing_more_logs_nothing() public {
        _settle(2);
        pool.claim(_claim(0, 0));
        vm.recordLogs();
        assertEq(pool.claim(_claim(0, 0)), 0);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 0);
    }

    /// Times of a settlement are of 32 bits, and a demand may double the period.
    function test_the_last_settlement_before_time_ends_leaves_room_for_demands() public {
        _deposit(REVENUE);
        _prepare(2);
        (Ledger[] memory before, StageProposal[] memory stages) = (_before(), _proposals());
        vm.warp(type(uint32).max - 2 * uint256(PERIOD) + 1);
        vm.prank(operator);
        vm.expectRevert();
        pool.propose{value: BOND}(table, before, stages, "evidence");
        vm.warp(type(uint32).max - 2 * uint256(PERIOD));
        _post(before, stages);
        _demand(0, 1);
        _answer(0, 1);
        (,, uint64 activeAt,) = pool.status();
        assertEq(activeAt, type(uint32).max);
    }

    function test_the_greatest_address_is_an_account_id_and_the_next_id_is_a_name() public view {
        bytes32 last = bytes32(uint256(type(uint160).max));
        assertEq(registry.payoutOf(last), address(type(uint160).max));
        assertEq(registry.holderOf(last), address(type(uint160).max));
        bytes32 next = bytes32(uint256(type(uint160).max) + 1);
        assertEq(registry.payoutOf(next), address(0));
        assertEq(registry.holderOf(next), address(0));
    }

    function test_a_pool_is_abandoned_in_the_very_second() public {
        _deposit(REVENUE);
        skip(ABANDON - 1);
        vm.expectRevert(Deposits.NotAbandoned.selector);
        _refund(1);
        skip(1);
        assertEq(_refund(1), REVENUE);
    }

    function test_a_pool_that_is_never_abandoned_counts_no_deposits_and_refunds_nothing() public {
        Terms memory terms = _terms(address(token));
        terms.abandonSeconds = 0;
        pool = new SettlementPool(terms);
        _deposit(REVENUE);
        assertEq(pool.depositsHash(), 0);
        skip(36_500 days);
        vm.expectRevert(Deposits.NotAbandoned.selector);
        _refund(1);
    }

    function test_statuses_end_with_the_latest_number() public {
        _settle(2);
        _propose(0);
        assertEq(uint8(pool.statusOf(0)), 0);
        assertEq(uint8(pool.statusOf(1)), 2);
        assertEq(uint8(pool.statusOf(2)), 1);
        assertEq(uint8(pool.statusOf(3)), 0);
        vm.prank(arbiter);
        pool.cancel();
        assertEq(uint8(pool.statusOf(2)), 3);
        (uint64 number,,, uint64 activeNumber) = pool.status();
        assertEq(number, 2);
        assertEq(activeNumber, 1);
    }
}
