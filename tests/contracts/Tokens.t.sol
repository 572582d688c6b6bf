// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {PoolBase} from "../../contracts/pool/PoolBase.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {TestToken} from "../../contracts/test/TestToken.sol";
import {Claim, Deposit} from "../../contracts/Records.sol";
import {FalseToken, FeeOnTopToken, FeeToken, HookToken, NoReturnToken, ShrinkingToken} from "./support/OddTokens.sol";
import {PoolTest} from "./support/PoolTest.sol";

/// Pools of tokens that are not as OpenZeppelin's.
contract TokensTest is PoolTest {
    function _open(address token_) private {
        token = TestToken(token_);
        pool = SettlementPool(factory.createPool(_terms(token_), "odd"));
    }

    function _claimAll() private returns (uint256 paid) {
        for (uint8 s = 0; s < STAGES; ++s) {
            paid += pool.claimRange(_range(s, 0, 4));
        }
    }

    function test_token_of_18_decimals_pays_to_the_last_unit() public {
        _open(address(new TestToken("Test Ether", "TETH", 18)));
        uint128 scale = 1e18 + 7;
        for (uint256 i = 0; i < table.length; ++i) {
            table[i] *= int128(scale);
        }
        _deposit(uint256(REVENUE) * scale);
        _prepare(4);
        _post();
        skip(PERIOD);
        assertEq(_claimAll(), uint256(REVENUE) * scale);
        assertEq(token.balanceOf(address(pool)), 0);
    }

    function test_token_that_keeps_a_fee_is_credited_by_what_arrived() public {
        _open(address(new FeeToken()));
        assertEq(_deposit(1000), 990);
        assertEq(pool.unallocated(), 990);
        (bytes32 hashBefore, Deposit[] memory newest) = _latestDeposits(1);
        assertEq(hashBefore, 0);
        assertEq(newest[0].amount, 990);
        assertEq(pool.depositsHash(), keccak256(abi.encode(bytes32(0), customer, 990)));
        _deposit(2 * REVENUE);
        _prepare(4);
        _post();
        skip(PERIOD);
        uint256 rest = pool.unallocated();
        assertEq(_claimAll(), REVENUE);
        assertEq(token.balanceOf(address(pool)), rest); // payees bear the fee of their payment, deposits do not
        assertEq(token.balanceOf(_account(_id(0, 0))), books[1][0].cumulatives[0] - books[1][0].cumulatives[0] / 100);
    }

    function test_token_that_takes_more_than_was_sent_costs_claims_and_never_deposits() public {
        _open(address(new FeeOnTopToken()));
        _settle(4);
        _deposit(5 * REVENUE);
        pool.claimRange(_range(0, 0, 4));
        pool.claimRange(_range(1, 0, 4));
        vm.expectRevert(); // the fees are more than is left beside what is reserved
        this.claimLast();
        assertGe(token.balanceOf(address(pool)), 5 * REVENUE);
    }

    function claimLast() external {
        pool.claimRange(_range(2, 0, 4));
    }

    function test_token_that_returns_nothing_is_deposited_paid_and_refunded() public {
        _open(address(new NoReturnToken()));
        _settle(4);
        _deposit(77);
        assertEq(_claimAll(), REVENUE);
        skip(ABANDON);
        assertEq(_refund(1), 77);
        assertEq(token.balanceOf(customer), 77);
        assertEq(token.balanceOf(address(pool)), 0);
    }

    function test_token_that_answers_false_is_no_deposit_and_a_debt() public {
        _open(address(new FalseToken()));
        FalseToken(address(token)).refuse(outsider, true);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        this.depositAs(outsider);
        _settle(4);
        address payee = _account(_id(0, 2));
        FalseToken(address(token)).refuse(payee, true);
        uint256 amount = pool.claim(_claim(0, 2));
        assertEq(pool.owed(_id(0, 2)), amount);
        assertEq(pool.reserved(), amount);
        vm.prank(payee);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        pool.withdrawOwed(_id(0, 2), payee);
        vm.prank(payee);
        pool.withdrawOwed(_id(0, 2), customer);
        assertEq(pool.reserved(), 0);
        assertEq(_claimAll() + amount, REVENUE);
    }

    function depositAs(address one) external {
        _depositAs(one, 10);
    }

    /// Blacklisting of the pool: every payment fails and is owed; when the token lets it go, holders withdraw.
    function test_token_that_freezes_the_pool_turns_claims_into_debts() public {
        _open(address(new FalseToken()));
        _settle(4);
        FalseToken(address(token)).refuse(address(pool), true);
        assertEq(_claimAll(), REVENUE);
        assertEq(pool.reserved(), REVENUE);
        assertEq(token.balanceOf(address(pool)), REVENUE);
        FalseToken(address(token)).refuse(address(pool), false);
        vm.prank(_account(_id(1, 3)));
        assertEq(pool.withdrawOwed(_id(1, 3), outsider), books[1][1].cumulatives[3]);
    }

    function test_token_that_shrinks_costs_claims_and_never_deposits() public {
        _open(address(new ShrinkingToken()));
        _settle(4);
        _deposit(5 * REVENUE);
        ShrinkingToken(address(token)).shrink(address(pool), 100);
        assertEq(pool.unclaimed(), REVENUE - 100);
        pool.claimRange(_range(0, 0, 4));
        pool.claimRange(_range(1, 0, 4));
        vm.expectRevert(
            abi.encodeWithSelector(PoolBase.ReachesReserves.selector, 5 * uint256(REVENUE) - 100, 5 * uint256(REVENUE))
        );
        this.claimLast();
        assertGt(pool.claim(_claim(2, 0)), 0); // what is still there is paid
        ShrinkingToken(address(token)).shrink(address(pool), 2 * REVENUE);
        assertEq(pool.unclaimed(), 0);
        assertEq(pool.claim(_claim(2, 0)), 0); // nothing to pay is no fault
        token.mint(address(pool), 2 * REVENUE + 100); // whoever wants can make up for it
        this.claimLast();
        assertEq(pool.unclaimed(), 0);
    }

    /// Whatever the token lets a receiver or a depositor do in the middle of a transfer, the pool lets in nobody.
    function test_attack_a_token_that_calls_its_receivers_enters_nothing() public {
        _open(address(new HookToken()));
        HookedAccount thief = new HookedAccount(pool);
        _deposit(REVENUE);
        _prepare(4);
        for (uint256 s = 0; s < 2; ++s) {
            books[1][s].ids[2] = bytes32(uint256(uint160(address(thief))));
        }
        _post();
        skip(PERIOD);
        Claim[] memory items = new Claim[](1);
        items[0] = _claim(1, 2);
        bytes[] memory calls = new bytes[](8);
        calls[0] = abi.encodeCall(pool.claim, (items[0]));
        calls[1] = abi.encodeCall(pool.claimBatch, (items));
        calls[2] = abi.encodeCall(pool.claimRange, (_range(1, 0, 4)));
        calls[3] = abi.encodeCall(pool.claimTo, (items, address(thief), "", 0));
        calls[4] = abi.encodeCall(pool.withdrawOwed, (items[0].contributorId, address(thief)));
        calls[5] = abi.encodeCall(pool.deposit, (1, "again"));
        calls[6] = abi.encodeCall(pool.refund, (0, new Deposit[](0)));
        calls[7] = abi.encodeCall(pool.withdrawCredit, (address(thief)));
        thief.set(calls);
        pool.claim(_claim(0, 2));
        assertEq(thief.refusals(), 8);
        assertEq(token.balanceOf(address(thief)), books[1][0].cumulatives[2]);
        assertEq(pool.claimed(1, items[0].contributorId), 0);
        // As a depositor: the transfer into the pool calls it first.
        thief.set(calls);
        token.mint(address(thief), 100);
        uint256 credited = thief.deposit(100);
        assertEq(thief.refusals(), 16);
        assertEq(credited, 100);
        assertEq(pool.unallocated(), 100);
        assertEq(_claimAll() + books[1][0].cumulatives[2], REVENUE);
    }
}

/// Tries a list of calls into the pool whenever a token tells it something, and goes on.
contract HookedAccount {
    SettlementPool private immutable POOL;
    bytes[] private _calls;
    uint256 public refusals;

    constructor(SettlementPool pool) {
        POOL = pool;
    }

    function set(bytes[] memory calls) external {
        _calls = calls;
    }

    function deposit(uint256 amount) external returns (uint256) {
        TestToken token = TestToken(POOL.terms().token);
        token.approve(address(POOL), amount);
        return POOL.deposit(amount, "mine");
    }

    function tokensToSend() external {
        _try();
    }

    function tokensReceived() external {
        _try();
    }

    function _try() private {
        for (uint256 i = 0; i < _calls.length; ++i) {
            (bool ok, bytes memory reason) = address(POOL).call(_calls[i]);
            require(!ok, "entered");
            if (bytes4(reason) == ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector) refusals += 1;
        }
        delete _calls;
    }
}
