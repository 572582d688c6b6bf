// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISettlementPool} from "../../contracts/interfaces/ISettlementPool.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {Claim, Deposit, LeafProof, RangeClaim, WeightProof} from "../../contracts/Records.sol";
import {PoolTest} from "./support/PoolTest.sol";

/// Acts as everybody: an honest operator, customers, contributors and attackers, with ghost books of every unit.
contract PoolHandler is PoolTest {
    uint256 public ghostDeposited;
    uint256 public ghostPaid;
    uint256 public ghostRefunded;
    uint256 public ghostWithdrawn; // of owed money
    uint256 public ghostActive; // the settlement whose books are active
    bool public attackSucceeded;
    bool public validClaimFailed;
    bool public wasPending;
    bool public amountFell;
    SettlementPool public other; // of the same terms, with the same books never posted to it
    uint256 public constant OTHERS = 12_345;
    mapping(uint256 stage => mapping(bytes32 id => uint256)) private _claimedBefore;

    function setUp() public override {
        super.setUp();
        SettlementPool own = pool;
        pool = other = SettlementPool(factory.createPool(_terms(address(token)), "other"));
        _deposit(OTHERS);
        pool = own;
    }

    function deposit(uint64 amount) external {
        if (pool.closed()) return;
        ghostDeposited += _deposit(uint256(amount) + 1);
    }

    function propose(uint8 newcomers) external {
        _sync();
        if (wasPending || pool.closed() || latest > 6 || pool.unallocated() < REVENUE) return;
        uint256 next = books[ghostActive][0].ids.length + newcomers % 3;
        latest = ghostActive;
        for (uint256 s = 0; s < STAGES; ++s) {
            delete books[ghostActive + 1][s]; // of a cancelled attempt
        }
        _prepare(next == 0 ? 1 : newcomers % 3);
        _post();
        wasPending = true;
    }

    function cancel() external {
        _sync();
        if (!wasPending) return;
        vm.prank(arbiter);
        pool.cancel();
        wasPending = false;
    }

    function pass(uint32 time) external {
        skip(time % PERIOD);
        _sync();
    }

    function claim(uint8 stage, uint256 index) external {
        _sync();
        stage %= STAGES;
        uint256 count = books[ghostActive][stage].ids.length;
        if (count == 0) return;
        Claim memory item = _claimOf(ghostActive, stage, index % count);
        uint256 expected = item.cumulative - pool.claimed(stage, item.contributorId);
        try pool.claim(item) returns (uint256 paid) {
            ghostPaid += paid;
            validClaimFailed = validClaimFailed || paid != expected;
        } catch {
            validClaimFailed = true;
        }
    }

    function claimTwiceInABatch(uint8 stage, uint256 index) external {
        _sync();
        stage %= STAGES;
        uint256 count = books[ghostActive][stage].ids.length;
        if (count == 0) return;
        Claim[] memory items = new Claim[](2);
        items[0] = _claimOf(ghostActive, stage, index % count);
        items[1] = items[0];
        ghostPaid += pool.claimBatch(items);
    }

    function claimRange(uint8 stage, uint256 first, uint256 length) external {
        _sync();
        stage %= STAGES;
        uint256 count = books[ghostActive][stage].ids.length;
        if (count == 0) return;
        first %= count;
        (uint256 kept, RangeClaim memory range) = (latest, RangeClaim(0, new bytes32[](0), new uint128[](0), 0, 0, ""));
        latest = ghostActive;
        range = _range(stage, first, 1 + length % (count - first));
        latest = kept;
        ghostPaid += pool.claimRange(range);
    }

    /// The token refuses a payee; the money is owed, and withdrawn in part of the runs.
    function refuse(uint8 stage, uint256 index, bool withdraw) external {
        _sync();
        stage %= STAGES;
        uint256 count = books[ghostActive][stage].ids.length;
        if (count == 0) return;
        Claim memory item = _claimOf(ghostActive, stage, index % count);
        address payee = _account(item.contributorId);
        vm.mockCallRevert(address(token), abi.encodeWithSelector(token.transfer.selector, payee), "");
        ghostPaid += pool.claim(item);
        vm.clearMockedCalls();
        if (!withdraw || pool.owed(item.contributorId) == 0) return;
        vm.prank(payee);
        ghostWithdrawn += pool.withdrawOwed(item.contributorId, payee);
    }

    function refund(uint256 count) external {
        (bytes32 hashBefore, Deposit[] memory newest) = _latestDeposits(1 + count % 3);
        try pool.refund(hashBefore, newest) returns (uint256 amount) {
            ghostRefunded += amount;
            _forget(newest.length);
        } catch {}
    }

    function bond() external {
        vm.prank(operator);
        try pool.withdrawBond(operator) {} catch {}
    }

    function demandAndAnswer(uint8 stage, uint32 index) external {
        _sync();
        if (!wasPending) return;
        stage %= STAGES;
        index %= uint32(1 << books[latest][stage].depth);
        vm.prank(auditor);
        try pool.demand{value: DEMAND_BOND}(updates, stage, index) {
            _answer(stage, index);
        } catch {}
    }

    /// A leaf that claims more, one that another index opened, and a challenge of an honest settlement.
    function attack(uint8 stage, uint256 index, uint128 more, bytes32 thief) external {
        _sync();
        stage %= STAGES;
        uint256 count = books[ghostActive][stage].ids.length;
        if (count == 0) return;
        Claim memory item = _claimOf(ghostActive, stage, index % count);
        item.cumulative = uint128(uint256(item.cumulative) + 1 + more % REVENUE);
        _attack(abi.encodeCall(pool.claim, (item)));
        item = _claimOf(ghostActive, stage, index % count);
        item.contributorId = thief;
        _attack(abi.encodeCall(pool.claim, (item)));
        _watchAmounts();
        vm.prank(outsider);
        (bool ok,) = address(other).call(abi.encodeCall(pool.claim, (_claimOf(ghostActive, stage, index % count))));
        attackSucceeded = attackSucceeded || ok; // a leaf of this pool in another one
        if (wasPending) _attackPending(stage, uint32(index % books[latest][stage].ids.length), more);
    }

    function _attackPending(uint8 stage, uint32 leaf, uint128 more) private {
        LeafProof memory before = _leaf(previous, stage, leaf);
        WeightProof memory weight = _weight(stage, leaf);
        LeafProof memory wrong = _leaf(latest, stage, leaf);
        wrong.cumulative += 1 + more % REVENUE;
        _attack(abi.encodeCall(pool.challengeTransition, (updates, stage, leaf, before, wrong, weight)));
        _attack(abi.encodeCall(pool.cancelUnanswered, (stage, leaf)));
    }

    function _attack(bytes memory data) private {
        vm.prank(outsider);
        (bool ok,) = address(pool).call(data);
        attackSucceeded = attackSucceeded || ok;
    }

    /// What was claimed never falls, whoever does what.
    function _watchAmounts() private {
        for (uint8 s = 0; s < STAGES; ++s) {
            bytes32[] storage ids = books[ghostActive][s].ids;
            for (uint256 i = 0; i < ids.length; ++i) {
                uint256 claimed = pool.claimed(s, ids[i]);
                amountFell = amountFell || claimed < _claimedBefore[s][ids[i]];
                _claimedBefore[s][ids[i]] = claimed;
            }
        }
    }

    /// Every payee of a stage holds what was claimed for it less what it is owed; nobody else has come by anything.
    function onlyPayeesHold() external view returns (bool right) {
        right = token.balanceOf(customer) == ghostRefunded;
        address[6] memory strangers = [operator, arbiter, auditor, outsider, address(this), address(registry)];
        for (uint256 i = 0; i < strangers.length; ++i) {
            right = right && token.balanceOf(strangers[i]) == 0;
        }
        for (uint8 s = 0; s < STAGES; ++s) {
            bytes32[] storage ids = books[ghostActive][s].ids;
            for (uint256 i = 0; i < ids.length; ++i) {
                uint256 due = pool.claimed(s, ids[i]) - pool.owed(ids[i]);
                right = right && token.balanceOf(_account(ids[i])) == due;
            }
        }
    }

    /// Follows activation by time.
    function _sync() private {
        if (wasPending && _status() == ISettlementPool.Status.Active) {
            wasPending = false;
            ghostActive = latest;
        }
    }

    function sumOwed() external view returns (uint256 sum) {
        for (uint256 s = 0; s < STAGES; ++s) {
            for (uint256 i = 0; i < books[ghostActive][s].ids.length; ++i) {
                sum += pool.owed(books[ghostActive][s].ids[i]);
            }
        }
    }

    function sumClaimed() external view returns (uint256 sum) {
        for (uint8 s = 0; s < STAGES; ++s) {
            for (uint256 i = 0; i < books[ghostActive][s].ids.length; ++i) {
                sum += pool.claimed(s, books[ghostActive][s].ids[i]);
            }
        }
    }

    function thePool() external view returns (SettlementPool) {
        return pool;
    }

    function tokenBalance() external view returns (uint256) {
        return token.balanceOf(address(pool));
    }

    function tokenBalanceOf(address one) external view returns (uint256) {
        return token.balanceOf(one);
    }

    function bondWei() external view returns (uint256) {
        return pool.bondHeld() ? BOND : 0;
    }
}

contract InvariantsTest is PoolTest {
    PoolHandler private handler;
    bytes4[] private selectors;

    function setUp() public override {
        handler = new PoolHandler();
        handler.setUp();
        pool = handler.thePool();
        selectors = [
            PoolHandler.deposit.selector,
            PoolHandler.propose.selector,
            PoolHandler.propose.selector,
            PoolHandler.cancel.selector,
            PoolHandler.pass.selector,
            PoolHandler.pass.selector,
            PoolHandler.pass.selector,
            PoolHandler.claim.selector,
            PoolHandler.claimTwiceInABatch.selector,
            PoolHandler.claimRange.selector,
            PoolHandler.refuse.selector,
            PoolHandler.refund.selector,
            PoolHandler.bond.selector,
            PoolHandler.demandAndAnswer.selector,
            PoolHandler.attack.selector
        ];
        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: selectors}));
    }

    /// Every unit is accounted for, exactly: in the pool, and of what ever came in.
    function invariant_every_unit_is_accounted_for() public view {
        uint256 held = pool.unallocated() + pool.pendingRevenue() + pool.unclaimed() + handler.sumOwed();
        assertEq(handler.tokenBalance(), held);
        assertEq(pool.reserved(), pool.unallocated() + pool.pendingRevenue() + handler.sumOwed());
        uint256 gone = handler.ghostPaid() + handler.ghostRefunded();
        assertEq(handler.ghostDeposited(), pool.unallocated() + pool.pendingRevenue() + pool.unclaimed() + gone);
    }

    function invariant_what_is_claimed_was_paid_or_is_owed() public view {
        assertEq(handler.sumClaimed(), handler.ghostPaid());
        assertLe(handler.sumOwed() + handler.ghostWithdrawn(), handler.ghostPaid());
    }

    function invariant_no_attack_succeeds() public view {
        assertFalse(handler.attackSucceeded());
    }

    function invariant_a_valid_claim_always_succeeds() public view {
        assertFalse(handler.validClaimFailed());
    }

    function invariant_amounts_never_fall() public view {
        assertFalse(handler.amountFell());
    }

    function invariant_only_payees_receive() public view {
        assertTrue(handler.onlyPayeesHold());
    }

    function invariant_another_pool_is_never_touched() public view {
        SettlementPool other = handler.other();
        assertEq(handler.tokenBalanceOf(address(other)), handler.OTHERS());
        assertEq(other.reserved(), handler.OTHERS());
        assertEq(other.unclaimed(), 0);
    }

    /// Demand bonds are answered at once, so only the settlement's bond is ether in the pool.
    function invariant_ether_is_the_bond() public view {
        assertEq(address(pool).balance, handler.bondWei());
    }
}
