// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {ISettlementPool} from "../../contracts/interfaces/ISettlementPool.sol";
import {Shapley} from "../../contracts/libraries/Shapley.sol";
import {Challenges} from "../../contracts/pool/Challenges.sol";
import {Deposits} from "../../contracts/pool/Deposits.sol";
import {PoolBase} from "../../contracts/pool/PoolBase.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {Deposit, Ledger, StageProposal, Terms} from "../../contracts/Records.sol";
import {PoolTest} from "./support/PoolTest.sol";

/// Deposits, proposals, bonds, abandonment, and pools of ETH.
contract BooksTest is PoolTest {
    function test_deposit_credits_what_arrived() public {
        vm.expectRevert(abi.encodeWithSelector(Deposits.WrongValue.selector, 1, 0));
        pool.deposit{value: 1}(1, "");
        vm.expectRevert(Deposits.NothingArrived.selector);
        pool.deposit(0, "");
        assertEq(_deposit(10), 10);
        assertEq(pool.unallocated(), 10);
        assertEq(pool.depositsHash(), keccak256(abi.encode(bytes32(0), customer, 10)));
    }

    function test_addresses_follow_from_terms() public {
        Terms memory terms = _terms(address(token));
        assertEq(factory.poolAddress(terms, 0), address(pool));
        assertTrue(factory.isPool(address(pool)));
        assertFalse(factory.isPool(address(this)));
        assertEq(keccak256(abi.encode(pool.terms())), keccak256(abi.encode(terms)));
        terms.stageCount = 6;
        vm.expectRevert(PoolBase.InvalidTerms.selector);
        factory.createPool(terms, 0);
    }

    function test_propose_computes_the_stages_amounts_and_moves_the_revenue() public {
        _deposit(REVENUE + 7);
        _prepare(5);
        _post();
        assertEq(pool.unallocated(), 7);
        assertEq(pool.pendingRevenue(), REVENUE);
        assertEq(pool.unclaimed(), 0);
        (uint64 number, ISettlementPool.Status current, uint64 activeAt, uint64 active) = pool.status();
        assertEq(number, 1);
        assertEq(uint8(current), uint8(ISettlementPool.Status.Pending));
        assertEq(activeAt, block.timestamp + PERIOD);
        assertEq(active, 0);
        skip(PERIOD);
        assertEq(pool.unclaimed(), REVENUE);
        (,,, active) = pool.status();
        assertEq(active, 1);
        assertEq(pool.updatesHash(), keccak256(abi.encode(updates)));
    }

    function test_propose_refuses_what_is_wrong() public {
        _deposit(REVENUE);
        _prepare(5);
        Ledger[] memory before = _before();
        StageProposal[] memory stages = _proposals();
        _refuse(outsider, BOND, before, stages, abi.encodeWithSelector(SettlementPool.NotProposer.selector, outsider));
        _refuse(operator, 1, before, stages, abi.encodeWithSelector(Challenges.WrongBond.selector, 1, BOND));
        before[1].total = 1;
        _refuse(operator, BOND, before, stages, abi.encodeWithSelector(SettlementPool.WrongLedger.selector, 1));
        before[1].total = 0;
        stages[2].depth = 33;
        _refuse(operator, BOND, before, stages, abi.encodeWithSelector(SettlementPool.DepthOutOfRange.selector, 2, 33));
        stages[2].depth = 0;
        _refuse(operator, BOND, before, stages, abi.encodeWithSelector(SettlementPool.DepthOutOfRange.selector, 2, 0));
        stages[2].depth = 3;
        stages[0].weightTotal = 0;
        _refuse(operator, BOND, before, stages, abi.encodeWithSelector(SettlementPool.NoWeights.selector, 0));
        stages[0].weightTotal = 1 << 127;
        _refuse(
            operator, BOND, before, stages, abi.encodeWithSelector(SettlementPool.TotalTooLarge.selector, 0, 1 << 127)
        );
        stages[0].weightTotal = 1;
        table[0] = 1;
        _refuse(operator, BOND, before, stages, abi.encodeWithSelector(SettlementPool.InvalidTable.selector));
        table[0] = 0;
        table[7] = 0;
        _refuse(operator, BOND, before, stages, abi.encodeWithSelector(SettlementPool.InvalidTable.selector));
        table[7] = int128(REVENUE) + 1;
        bytes memory reason = abi.encodeWithSelector(SettlementPool.ExceedsUnallocated.selector, REVENUE + 1, REVENUE);
        _refuse(operator, BOND, before, stages, reason);
        table[7] = int128(REVENUE);
        before = new Ledger[](2);
        _refuse(operator, BOND, before, stages, abi.encodeWithSelector(SettlementPool.WrongStageCount.selector, 2, 3));
        _post();
        reason = abi.encodeWithSelector(PoolBase.SettlementPending.selector, 1);
        _refuse(operator, 0, before, stages, reason);
    }

    function _refuse(
        address sender,
        uint256 bond,
        Ledger[] memory before,
        StageProposal[] memory stages,
        bytes memory reason
    ) private {
        vm.expectRevert(reason);
        vm.prank(sender);
        pool.propose{value: bond}(table, before, stages, "evidence");
    }

    function test_cancel_by_the_arbiter_only_while_pending() public {
        _settle(5);
        vm.expectRevert(PoolBase.NotPending.selector);
        vm.prank(arbiter);
        pool.cancel();
        _propose(1);
        vm.expectRevert(abi.encodeWithSelector(SettlementPool.NotArbiter.selector, outsider));
        vm.prank(outsider);
        pool.cancel();
        vm.prank(arbiter);
        pool.cancel();
        assertEq(pool.unallocated(), REVENUE);
        (uint64 number, ISettlementPool.Status current,, uint64 active) = pool.status();
        assertEq(number, 2);
        assertEq(uint8(current), uint8(ISettlementPool.Status.Cancelled));
        assertEq(active, 1);
        // The same revenue again, on the ledger that is still active; the cancelled number is not used again.
        _post();
        skip(PERIOD);
        (number,,, active) = pool.status();
        assertEq(number, 3);
        assertEq(active, 3);
        assertEq(uint8(pool.statusOf(2)), uint8(ISettlementPool.Status.Cancelled));
        assertEq(uint8(pool.statusOf(1)), uint8(ISettlementPool.Status.Active));
        assertEq(uint8(pool.statusOf(4)), uint8(ISettlementPool.Status.None));
        assertEq(pool.claim(_claim(0, 2)), books[2][0].cumulatives[2]);
    }

    function test_bond_stays_over_settlements_and_goes_back_while_nothing_is_pending() public {
        _propose(5);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(PoolBase.SettlementPending.selector, 1));
        pool.withdrawBond(operator);
        vm.stopPrank();
        skip(PERIOD);
        _propose(0); // carries no bond
        skip(PERIOD);
        vm.expectRevert(abi.encodeWithSelector(SettlementPool.NotProposer.selector, outsider));
        vm.prank(outsider);
        pool.withdrawBond(outsider);
        uint256 before = operator.balance;
        vm.startPrank(operator);
        pool.withdrawBond(operator);
        assertEq(operator.balance, before + BOND);
        vm.expectRevert(SettlementPool.BondNotHeld.selector);
        pool.withdrawBond(operator);
    }

    function testFuzz_abandoned_deposits_go_back_exactly(uint64 a, uint64 b, uint64 c, uint64 spent) public {
        (a, b, c) = (uint64(bound(a, 1, 1e18)), uint64(bound(b, 1, 1e18)), uint64(bound(c, 1, 1e18)));
        _settle(5);
        _depositAs(auditor, a);
        _depositAs(outsider, b);
        _depositAs(arbiter, c);
        table = [int128(0), 0, 0, 0, 0, 0, 0, int128(int256(bound(spent, 1, uint256(a) + b + c)))];
        _prepare(0);
        _post();
        skip(PERIOD);
        vm.expectRevert(Deposits.NotAbandoned.selector);
        _refund(3);
        skip(ABANDON);
        uint256 left = pool.unallocated();
        if (left == 0) vm.expectRevert(Deposits.NothingToRefund.selector);
        uint256 given = _refund(1);
        if (left > c) given += _refund(2);
        if (left == 0) return;
        // What came first was spent first.
        assertEq(token.balanceOf(arbiter), left < c ? left : c);
        assertEq(token.balanceOf(outsider), left < c ? 0 : left - c < b ? left - c : b);
        assertEq(given, left);
        assertEq(pool.unallocated(), 0); // nothing stays behind
        assertTrue(pool.closed());
        vm.expectRevert(Deposits.PoolClosed.selector);
        pool.deposit(1, "");
        assertGt(pool.claim(_claim(0, 2)), 0); // claims go on
    }

    function test_refunds_are_of_the_latest_deposits_and_of_no_others() public {
        _deposit(10);
        _depositAs(auditor, 20);
        skip(ABANDON);
        (bytes32 hashBefore, Deposit[] memory newest) = _latestDeposits(1);
        newest[0].amount = 21;
        vm.expectRevert(Deposits.NotTheLatestDeposits.selector);
        pool.refund(hashBefore, newest);
        newest[0] = Deposit(outsider, 20);
        vm.expectRevert(Deposits.NotTheLatestDeposits.selector);
        pool.refund(hashBefore, newest);
        newest[0] = Deposit(customer, 10); // the one before
        vm.expectRevert(Deposits.NotTheLatestDeposits.selector);
        pool.refund(0, newest);
        bytes32 all = pool.depositsHash();
        vm.expectRevert(Deposits.NothingToRefund.selector);
        pool.refund(all, new Deposit[](0));
        assertEq(_refund(1), 20);
        vm.expectRevert(Deposits.NotTheLatestDeposits.selector);
        pool.refund(hashBefore, new Deposit[](1));
        assertEq(_refund(1), 10);
        assertEq(token.balanceOf(customer), 10);
        assertEq(token.balanceOf(auditor), 20);
    }

    function testFuzz_no_other_deposit_goes_back(address depositor, uint96 amount) public {
        _deposit(10);
        _depositAs(auditor, 20);
        vm.assume(depositor != auditor || amount != 20);
        skip(ABANDON);
        (bytes32 hashBefore, Deposit[] memory newest) = _latestDeposits(1);
        newest[0] = Deposit(depositor, amount);
        vm.expectRevert(Deposits.NotTheLatestDeposits.selector);
        pool.refund(hashBefore, newest);
    }

    function test_attack_an_old_depositor_gets_nothing_of_a_new_deposit() public {
        _depositAs(outsider, REVENUE);
        _prepare(5);
        _post();
        skip(PERIOD + ABANDON); // all of it is spent
        _deposit(1000);
        vm.expectRevert(Deposits.NotAbandoned.selector); // the new deposit has waited for nothing yet
        _refund(2);
        skip(ABANDON);
        assertEq(_refund(2), 1000);
        assertEq(token.balanceOf(customer), 1000);
        assertEq(token.balanceOf(outsider), 0);
    }

    function test_attack_a_quiet_pool_is_not_closed_under_a_fresh_deposit() public {
        _settle(5);
        skip(ABANDON);
        _deposit(REVENUE); // the operator is about to propose
        _depositAs(outsider, 1);
        vm.expectRevert(Deposits.NotAbandoned.selector);
        _refund(1);
        _prepare(0);
        _post();
        skip(PERIOD);
        assertGt(pool.claim(_claim(0, 2)), 0);
    }

    function test_deposits_that_are_spent_are_not_told_to_have_gone_back() public {
        _settle(5);
        _deposit(10);
        skip(ABANDON);
        vm.recordLogs();
        assertEq(_refund(2), 10); // the settled one, too
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 told = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == ISettlementPool.Refunded.selector) told += 1;
        }
        assertEq(told, 1);
    }

    function test_small_deposits_do_not_put_off_a_refund() public {
        _deposit(1000);
        skip(ABANDON - 1);
        _depositAs(outsider, 1000); // no more than what waits
        skip(1);
        assertEq(_refund(2), 2000);
    }

    function test_a_depositor_who_refuses_is_owed_and_holds_up_nobody() public {
        pool = SettlementPool(factory.createPool(_terms(address(0)), 0));
        vm.deal(customer, 10);
        vm.prank(customer);
        pool.deposit{value: 10}(10, "");
        bytes32 hashBefore = pool.depositsHash();
        vm.deal(auditor, 20);
        vm.prank(auditor);
        pool.deposit{value: 20}(20, "");
        skip(ABANDON);
        vm.etch(auditor, hex"fe");
        Deposit[] memory newest = new Deposit[](1);
        newest[0] = Deposit(auditor, 20);
        assertEq(pool.refund(hashBefore, newest), 20);
        assertEq(pool.owed(bytes32(uint256(uint160(auditor)))), 20);
        newest[0] = Deposit(customer, 10);
        assertEq(pool.refund(0, newest), 10);
        vm.prank(auditor);
        pool.withdrawOwed(bytes32(uint256(uint160(auditor))), outsider);
        assertEq(address(pool).balance, 0);
        assertEq(customer.balance, 10);
    }

    function test_refund_waits_for_what_is_pending_and_counts_from_the_last_activation() public {
        _settle(5);
        _deposit(REVENUE);
        skip(ABANDON - 1);
        _prepare(0);
        _post();
        vm.prank(arbiter);
        pool.cancel(); // a cancelled settlement is no activity
        skip(1);
        _post();
        vm.expectRevert(abi.encodeWithSelector(PoolBase.SettlementPending.selector, 3));
        _refund(1);
        skip(PERIOD);
        vm.expectRevert(Deposits.NotAbandoned.selector);
        _refund(1);
    }

    function test_terms_that_no_settlement_could_follow_are_refused() public {
        vm.warp(vm.getBlockTimestamp() + 1); // odd, as the last of 32 bits
        Terms[9] memory wrong;
        for (uint256 i = 0; i < wrong.length; ++i) {
            wrong[i] = _terms(address(token));
        }
        (wrong[0].stageCount, wrong[1].stageCount) = (1, 6);
        wrong[2].proposer = address(0);
        wrong[3].arbiter = operator; // who would cancel lies before their proof, and keep the bond
        wrong[4].challengeSeconds = 0;
        wrong[5].challengeSeconds = type(uint32).max / 2; // times beyond 32 bits
        wrong[6].registry = outsider; // no contracts
        wrong[7].token = outsider;
        wrong[8].challengeSeconds = uint32((type(uint32).max - block.timestamp) / 2 + 1);
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(PoolBase.InvalidTerms.selector);
            factory.createPool(wrong[i], 0);
        }
        wrong[8].challengeSeconds -= 1; // the longest that a settlement can wait for
        factory.createPool(wrong[8], 0);
    }

    function test_attack_what_receivers_return_costs_no_more_in_a_batch() public {
        pool = SettlementPool(factory.createPool(_terms(address(0)), 0));
        vm.deal(customer, REVENUE);
        vm.prank(customer);
        pool.deposit{value: REVENUE}(REVENUE, "invoice");
        _prepare(40);
        _post();
        skip(PERIOD);
        for (uint256 i = 2; i < 34; ++i) {
            vm.etch(_account(_id(0, i)), hex"6201e8486000f3"); // returns 125,000 bytes
        }
        uint256 before = gasleft();
        pool.claimRange(_range(0, 2, 32));
        assertLt(before - gasleft(), 32 * 150_000);
        assertEq(pool.owed(_id(0, 2)), 0);
    }

    function test_ether_receiver_who_refuses_or_burns_gas_holds_up_nobody() public {
        pool = SettlementPool(factory.createPool(_terms(address(0)), 0));
        vm.deal(customer, REVENUE);
        vm.prank(customer);
        pool.deposit{value: REVENUE}(REVENUE, "invoice");
        _prepare(4);
        _post();
        skip(PERIOD);
        vm.etch(_account(_id(0, 2)), hex"fe"); // burns all the gas it gets
        vm.etch(_account(_id(0, 3)), hex"61ffff6000fd"); // reverts with 64 kB
        uint256 paid = pool.claimRange(_range(0, 0, 4));
        assertEq(paid, updates[0].afterwards.total);
        assertEq(pool.owed(_id(0, 2)), books[1][0].cumulatives[2]);
        assertEq(pool.owed(_id(0, 3)), books[1][0].cumulatives[3]);
        assertEq(_account(_id(0, 0)).balance, books[1][0].cumulatives[0]);
        vm.prank(_account(_id(0, 3)));
        pool.withdrawOwed(_id(0, 3), outsider);
        vm.expectRevert(); // a sender who gives too little gas reverts rather than turning a payment into a debt
        pool.claim{gas: 90_000}(_claim(1, 2));
    }

    function test_attack_a_receiver_who_enters_again_gets_nothing_more() public {
        pool = SettlementPool(factory.createPool(_terms(address(0)), 0));
        vm.deal(customer, REVENUE);
        vm.prank(customer);
        pool.deposit{value: REVENUE}(REVENUE, "invoice");
        _prepare(4);
        Reenterer thief = new Reenterer(pool);
        books[1][0].ids[2] = bytes32(uint256(uint160(address(thief))));
        _post();
        skip(PERIOD);
        thief.set(abi.encodeCall(pool.claim, (_claim(1, 2))));
        pool.claim(_claim(0, 2));
        assertTrue(thief.tried());
        assertEq(address(thief).balance, books[1][0].cumulatives[2]);
        assertEq(pool.claimed(1, _id(1, 2)), 0);
    }
}

/// Calls the pool when it is paid, and goes on whatever comes of it.
contract Reenterer {
    SettlementPool private immutable POOL;
    bytes private _data;
    bool public tried;

    constructor(SettlementPool pool) {
        POOL = pool;
    }

    function set(bytes calldata data) external {
        _data = data;
    }

    receive() external payable {
        (bool ok,) = address(POOL).call(_data);
        require(!ok, "entered again");
        tried = true;
    }
}
