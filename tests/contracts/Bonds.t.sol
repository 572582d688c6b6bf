// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISettlementPool} from "../../contracts/interfaces/ISettlementPool.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {Claim, Terms} from "../../contracts/Records.sol";
import {FeeToken, HookToken} from "./support/OddTokens.sol";
import {PoolTest} from "./support/PoolTest.sol";
import {Visitor} from "./Properties.t.sol";

/// An ETH pool, where bonds stand beside deposits: settlements right and wrong, demands answered or not, challenges.
contract BondsHandler is PoolTest {
    uint256 public openDemands; // of any settlement, whose bonds the pool holds
    uint256 public settled; // the settlement whose books are active
    bool public pending;
    bool public lying;
    uint256 public paid;
    uint256 public deposited;
    uint256 public slashed;
    bool public surprised; // something that must succeed did not, or the other way round
    uint256 private _number;
    mapping(uint256 number => uint32[]) private _demanded;

    function setUp() public override {
        super.setUp();
        pool = SettlementPool(factory.createPool(_terms(address(0)), 0));
        vm.deal(customer, type(uint96).max);
    }

    function deposit(uint64 amount) external {
        if (pool.closed()) return;
        uint256 sent = uint256(amount) + REVENUE;
        vm.prank(customer);
        deposited += pool.deposit{value: sent}(sent, "");
    }

    function propose(bool lie) external {
        _sync();
        if (pending || pool.closed() || settled > 5 || pool.unallocated() < REVENUE) return;
        for (uint256 s = 0; s < STAGES; ++s) {
            delete books[settled + 1][s];
        }
        latest = settled;
        _prepare(settled == 0 ? 4 : 0);
        if (lie) {
            books[latest][0].cumulatives[2] -= 1;
            books[latest][0].cumulatives[3] += 1;
        }
        _post();
        (pending, lying) = (true, lie);
        (_number,,,) = pool.status();
    }

    function pass(uint32 time) external {
        skip(time % PERIOD);
        _sync();
    }

    function demand(uint32 index) external {
        _sync();
        if (!pending) return;
        index %= 4;
        vm.prank(auditor);
        try pool.demand{value: DEMAND_BOND}(updates, 0, index) {
            openDemands += 1;
            _demanded[_number].push(index);
        } catch {}
    }

    function answer(uint256 which) external {
        _sync();
        if (!pending || _demanded[_number].length == 0) return;
        uint32 index = _demanded[_number][which % _demanded[_number].length];
        try this.answerAsOperator(index) {
            openDemands -= 1;
        } catch {}
    }

    function answerAsOperator(uint32 index) external {
        _answer(0, index);
    }

    function cancelUnanswered(uint32 index) external {
        _sync();
        try pool.cancelUnanswered(0, index % 4) {
            openDemands -= 1;
            slashed += 1;
            pending = false;
        } catch {}
    }

    function challenge(uint32 index) external {
        _sync();
        if (!pending) return;
        index %= 4;
        bool provable = lying && index > 1;
        try this.challengeAsAuditor(index) {
            surprised = surprised || !provable;
            slashed += 1;
            pending = false;
        } catch {
            surprised = surprised || provable;
        }
    }

    function challengeAsAuditor(uint32 index) external {
        _challengeTransition(0, index);
    }

    function cancel() external {
        _sync();
        if (!pending) return;
        vm.prank(arbiter);
        pool.cancel();
        pending = false;
    }

    /// Every demand that was ever made, again and again; a bond goes back once.
    function reclaim(uint256 number, uint256 which) external {
        _sync();
        if (_number == 0) return;
        number = 1 + number % _number;
        if (_demanded[number].length == 0) return;
        uint32 index = _demanded[number][which % _demanded[number].length];
        (, bool open,) = pool.demandOf(uint64(number), 0, index);
        for (uint256 i = 0; i < 2; ++i) {
            try pool.reclaimDemandBond(uint64(number), 0, index) {
                surprised = surprised || !open;
                if (open) openDemands -= 1;
                open = false;
            } catch {}
        }
    }

    function withdrawBond() external {
        bool held = pool.bondHeld();
        vm.prank(operator);
        try pool.withdrawBond(operator) {
            surprised = surprised || !held || pool.bondHeld();
        } catch {}
    }

    function claim(uint8 stage, uint256 index) external {
        _sync();
        if (settled == 0) return;
        try pool.claim(_claimOf(settled, stage % STAGES, index % 4)) returns (uint256 amount) {
            paid += amount;
        } catch {
            surprised = surprised || !lying;
        }
    }

    /// Follows activation by time; a lie that nobody challenged becomes active too.
    function _sync() private {
        if (pending && _status() == ISettlementPool.Status.Active) (pending, settled) = (false, latest);
    }

    function thePool() external view returns (SettlementPool) {
        return pool;
    }

    function bonds() external view returns (uint256) {
        return openDemands * DEMAND_BOND + (pool.bondHeld() ? BOND : 0);
    }

    function burned() external view returns (uint256) {
        return address(0).balance;
    }

    function burnedEach() external pure returns (uint256) {
        return BOND - BOND / 2;
    }
}

contract BondsTest is PoolTest {
    BondsHandler private handler;
    bytes4[] private selectors;

    function setUp() public override {
        handler = new BondsHandler();
        handler.setUp();
        pool = handler.thePool();
        selectors = [
            BondsHandler.deposit.selector,
            BondsHandler.propose.selector,
            BondsHandler.propose.selector,
            BondsHandler.propose.selector,
            BondsHandler.pass.selector,
            BondsHandler.pass.selector,
            BondsHandler.demand.selector,
            BondsHandler.demand.selector,
            BondsHandler.answer.selector,
            BondsHandler.cancelUnanswered.selector,
            BondsHandler.challenge.selector,
            BondsHandler.cancel.selector,
            BondsHandler.reclaim.selector,
            BondsHandler.withdrawBond.selector,
            BondsHandler.claim.selector
        ];
        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: selectors}));
    }

    /// What claims must not reach is exactly what is not theirs.
    function invariant_reserves_are_deposits_and_bonds() public view {
        assertEq(pool.reserved(), pool.unallocated() + pool.pendingRevenue() + handler.bonds());
    }

    function invariant_every_wei_is_accounted_for() public view {
        uint256 held = handler.deposited() - handler.paid() + handler.bonds();
        assertEq(address(pool).balance, held);
        assertEq(handler.burned(), handler.slashed() * handler.burnedEach());
    }

    function invariant_right_leaves_stand_and_wrong_ones_fall() public view {
        assertFalse(handler.surprised());
    }
}

/// Tokens that keep a fee, or tell their receivers, who then try to come in.
contract OddTokensHandler is PoolTest {
    Visitor public visitor;
    SettlementPool public feePool;
    FeeToken public feeToken;

    function setUp() public override {
        super.setUp();
        feeToken = new FeeToken();
        feePool = SettlementPool(factory.createPool(_terms(address(feeToken)), "fee"));
        token = new HookToken();
        pool = SettlementPool(factory.createPool(_terms(address(token)), "hook"));
        visitor = new Visitor(pool);
        _deposit(REVENUE);
        _prepare(4);
        for (uint256 s = 0; s < STAGES; ++s) {
            books[1][s].ids[2] = bytes32(uint256(uint160(address(visitor))));
        }
        _post();
        skip(PERIOD);
    }

    function depositWithFee(uint96 amount) external {
        feeToken.mint(customer, amount);
        vm.startPrank(customer);
        feeToken.approve(address(feePool), amount);
        try feePool.deposit(amount, "") {} catch {}
        vm.stopPrank();
    }

    function claim(uint8 stage, uint8 index, uint8 next) external {
        Claim[] memory items = new Claim[](1);
        items[0] = _claim(next % STAGES, 2);
        visitor.set(abi.encodeCall(pool.claimBatch, (items)));
        pool.claim(_claim(stage % STAGES, index % 4));
    }
}

contract OddTokensTest is PoolTest {
    OddTokensHandler private handler;
    bytes4[] private selectors;

    function setUp() public override {
        handler = new OddTokensHandler();
        handler.setUp();
        selectors = [OddTokensHandler.depositWithFee.selector, OddTokensHandler.claim.selector];
        targetContract(address(handler));
        targetSelector(FuzzSelector({addr: address(handler), selectors: selectors}));
    }

    function invariant_nobody_enters_while_money_is_paid() public view {
        assertEq(handler.visitor().entered(), 0);
    }

    function invariant_what_arrived_is_what_is_credited() public view {
        SettlementPool one = handler.feePool();
        assertEq(one.unallocated(), handler.feeToken().balanceOf(address(one)));
        assertEq(one.reserved(), one.unallocated());
    }
}

/// An ETH pool with a false settlement, whose challenger refuses ETH.
contract RefusedBondsTest is PoolTest {
    function _open(Terms memory terms) private {
        pool = SettlementPool(factory.createPool(terms, 0));
        vm.deal(customer, REVENUE);
        vm.prank(customer);
        pool.deposit{value: REVENUE}(REVENUE, "");
        _prepare(4);
        books[1][0].cumulatives[2] -= 1;
        books[1][0].cumulatives[3] += 1;
        _post();
    }

    function test_a_refused_bond_is_out_of_the_reach_of_claims_until_it_is_withdrawn() public {
        _open(_terms(address(0)));
        vm.etch(auditor, hex"fe");
        _challengeTransition(0, 3);
        assertEq(pool.credits(auditor), BOND / 2);
        assertEq(pool.reserved(), REVENUE + BOND / 2);
        vm.prank(auditor);
        pool.withdrawCredit(outsider);
        assertEq(pool.reserved(), REVENUE);
        assertEq(address(pool).balance, REVENUE);
    }

    function test_no_bond_is_no_credit() public {
        Terms memory terms = _terms(address(0));
        (terms.bondWei, terms.demandBondWei) = (0, 0);
        _open(terms);
        vm.etch(auditor, hex"fe");
        vm.recordLogs();
        _challengeTransition(0, 3);
        assertEq(vm.getRecordedLogs().length, 1); // Cancelled
    }

    function test_attack_too_little_gas_turns_no_bond_into_a_credit() public {
        _open(_terms(address(0)));
        _demand(0, 3);
        vm.prank(arbiter);
        pool.cancel();
        vm.etch(auditor, hex"5a61afc811600957005b5f5ffd"); // refuses where it has less than 45,000 gas
        bytes memory reclaim = abi.encodeCall(pool.reclaimDemandBond, (1, 0, 3));
        bool reclaimed = false;
        for (uint256 gas_ = 30_000; !reclaimed; gas_ += 1000) {
            vm.prank(outsider);
            (reclaimed,) = address(pool).call{gas: gas_}(reclaim);
        }
        assertEq(pool.credits(auditor), 0);
    }
}
