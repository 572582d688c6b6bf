// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {ContributorRegistry} from "../../../contracts/ContributorRegistry.sol";
import {PoolFactory} from "../../../contracts/PoolFactory.sol";
import {SettlementPool} from "../../../contracts/SettlementPool.sol";
import {ISettlementPool} from "../../../contracts/interfaces/ISettlementPool.sol";
import {PlainShapley} from "../../../contracts/test/PlainShapley.sol";
import {TestToken} from "../../../contracts/test/TestToken.sol";
import {
    Claim,
    Deposit,
    LeafProof,
    Ledger,
    RangeClaim,
    StageProposal,
    StageUpdate,
    Terms,
    WeightProof
} from "../../../contracts/Records.sol";
import {SumTree, SumTrees} from "./SumTree.sol";

/// A pool with an honest operator's books beside it. Settlements are prepared in the books, which a test may falsify
/// before they are posted. Three stages, so that amounts differ; depth 3.
abstract contract PoolTest is Test {
    using SumTrees for SumTree;

    /// One stage after one settlement.
    struct Book {
        bytes32[] ids;
        uint128[] cumulatives;
        uint128[] weights;
        uint8 depth;
    }

    uint32 internal constant PERIOD = 1 days;
    uint32 internal constant ABANDON = 30 days;
    uint96 internal constant BOND = 1 ether + 1; // odd: the odd wei is burned
    uint96 internal constant DEMAND_BOND = 0.01 ether;
    uint128 internal constant REVENUE = 1_000_003;
    uint8 internal constant STAGES = 3;

    address internal operator = makeAddr("operator");
    address internal arbiter = makeAddr("arbiter");
    address internal auditor = makeAddr("auditor");
    address internal customer = makeAddr("customer");
    address internal outsider = makeAddr("outsider");

    ContributorRegistry internal registry;
    PoolFactory internal factory;
    TestToken internal token;
    SettlementPool internal pool;

    /// What the operator has settled: books[settlement][stage]; 0 is the empty pool.
    mapping(uint256 settlement => mapping(uint256 stage => Book)) internal books;
    uint256 internal latest; // the settlement prepared last
    uint256 internal previous; // the settlement that it stands on
    StageUpdate[] internal updates; // of the settlement posted last
    int128[] internal table;
    mapping(address pool => Deposit[]) private _deposits; // less those that went back

    function setUp() public virtual {
        vm.warp(1_767_225_600); // 2026-01-01
        registry = new ContributorRegistry();
        factory = new PoolFactory();
        token = new TestToken("Test Dollar", "TUSD", 6);
        pool = SettlementPool(factory.createPool(_terms(address(token)), 0));
        vm.deal(operator, 100 ether);
        vm.deal(auditor, 100 ether);
        vm.deal(outsider, 100 ether);
        for (uint256 i = 0; i < STAGES; ++i) {
            books[0][i].depth = 1;
        }
        table = [int128(0), 100_000, 50_000, 300_000, 200_000, 600_000, 500_000, int128(REVENUE)];
    }

    function _terms(address token_) internal view virtual returns (Terms memory) {
        return Terms({
            token: token_,
            stageCount: STAGES,
            proposer: operator,
            arbiter: arbiter,
            registry: address(registry),
            challengeSeconds: PERIOD,
            abandonSeconds: ABANDON,
            bondWei: BOND,
            demandBondWei: DEMAND_BOND,
            termsHash: keccak256("written terms")
        });
    }

    function _deposit(uint256 amount) internal returns (uint256) {
        return _depositAs(customer, amount);
    }

    function _depositAs(address depositor, uint256 amount) internal returns (uint256) {
        token.mint(depositor, amount);
        vm.startPrank(depositor);
        token.approve(address(pool), amount);
        uint256 credited = pool.deposit(amount, "invoice 1");
        vm.stopPrank();
        _deposits[address(pool)].push(Deposit(depositor, credited));
        return credited;
    }

    /// The latest deposits, and the hash of those before.
    function _latestDeposits(uint256 count) internal view returns (bytes32 hashBefore, Deposit[] memory newest) {
        Deposit[] storage all = _deposits[address(pool)];
        if (count > all.length) count = all.length;
        newest = new Deposit[](count);
        for (uint256 i = 0; i < all.length; ++i) {
            if (i + count >= all.length) newest[i + count - all.length] = all[i];
            else hashBefore = keccak256(abi.encode(hashBefore, all[i].depositor, all[i].amount));
        }
    }

    /// Gives back the latest deposits.
    function _refund(uint256 count) internal returns (uint256 amount) {
        (bytes32 hashBefore, Deposit[] memory newest) = _latestDeposits(count);
        amount = pool.refund(hashBefore, newest);
        if (pool.depositsHash() == hashBefore) _forget(newest.length); // or the test has expected a revert
    }

    /// The latest deposits went back.
    function _forget(uint256 count) internal {
        for (uint256 i = 0; i < count; ++i) {
            _deposits[address(pool)].pop();
        }
    }

    /// The i-th contributor of a stage: an account id.
    function _id(uint256 stage, uint256 i) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(uint256(keccak256(abi.encode("contributor", stage, i))))));
    }

    function _account(bytes32 id) internal pure returns (address) {
        return address(uint160(uint256(id)));
    }

    /// Books of the next settlement: `newcomers` ids join each stage, and the i-th leaf weighs 10 + i, but the second nothing.
    function _prepare(uint256 newcomers) internal {
        (previous, latest) = (latest, latest + 1);
        uint128[] memory amounts = PlainShapley.amounts(table, STAGES);
        for (uint256 s = 0; s < STAGES; ++s) {
            Book storage before = books[previous][s];
            Book storage book = books[latest][s];
            uint256 count = before.ids.length + newcomers;
            book.depth = before.depth;
            while (count > 1 << book.depth) book.depth += 1;
            uint256 total = 0;
            for (uint256 i = 0; i < count; ++i) {
                book.ids.push(i < before.ids.length ? before.ids[i] : _id(s, i));
                book.weights.push(i == 1 ? 0 : uint128(10 + i));
                total += book.weights[i];
            }
            uint256 prefix = 0;
            for (uint256 i = 0; i < count; ++i) {
                uint256 end = prefix + book.weights[i];
                uint128 part = uint128(amounts[s] * end / total - amounts[s] * prefix / total);
                book.cumulatives.push((i < before.ids.length ? before.cumulatives[i] : 0) + part);
                prefix = end;
            }
        }
    }

    function _ledgerTree(uint256 settlement, uint256 s) internal view returns (SumTree memory) {
        Book storage book = books[settlement][s];
        bytes32[] memory hashes = new bytes32[](book.ids.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            if (book.ids[i] == 0 && book.cumulatives[i] == 0) continue;
            hashes[i] = keccak256(abi.encodePacked(book.ids[i], book.cumulatives[i]));
        }
        return SumTrees.build(hashes, book.cumulatives, book.depth);
    }

    function _weightTree(uint256 s) internal view returns (SumTree memory) {
        Book storage book = books[latest][s];
        return SumTrees.build(new bytes32[](book.weights.length), book.weights, book.depth);
    }

    function _before() internal view returns (Ledger[] memory before) {
        before = new Ledger[](STAGES);
        for (uint256 s = 0; s < STAGES; ++s) {
            SumTree memory tree = _ledgerTree(previous, s);
            before[s] = Ledger(tree.root(), tree.total(), books[previous][s].depth);
        }
    }

    function _proposals() internal view returns (StageProposal[] memory stages) {
        stages = new StageProposal[](STAGES);
        for (uint256 s = 0; s < STAGES; ++s) {
            SumTree memory weights = _weightTree(s);
            stages[s] =
                StageProposal(_ledgerTree(latest, s).root(), books[latest][s].depth, weights.root(), weights.total());
        }
    }

    /// Posts the prepared books.
    function _post() internal {
        _post(_before(), _proposals());
    }

    function _post(Ledger[] memory before, StageProposal[] memory stages) internal {
        uint128[] memory amounts = PlainShapley.amounts(table, STAGES);
        delete updates;
        for (uint256 s = 0; s < STAGES; ++s) {
            Ledger memory afterwards = Ledger(stages[s].root, before[s].total + amounts[s], stages[s].depth);
            updates.push(StageUpdate(before[s], afterwards, stages[s].weightRoot, stages[s].weightTotal));
        }
        uint256 bond = pool.bondHeld() ? 0 : pool.terms().bondWei;
        vm.prank(operator);
        pool.propose{value: bond}(table, before, stages, "evidence");
    }

    /// Deposits, prepares and posts an honest settlement; it is pending.
    function _propose(uint256 newcomers) internal {
        _deposit(REVENUE);
        _prepare(newcomers);
        _post();
    }

    /// The same, and lets it become active.
    function _settle(uint256 newcomers) internal {
        _propose(newcomers);
        skip(PERIOD);
    }

    function _claim(uint8 s, uint256 index) internal view returns (Claim memory) {
        return _claimOf(latest, s, index);
    }

    function _claimOf(uint256 settlement, uint8 s, uint256 index) internal view returns (Claim memory) {
        Book storage book = books[settlement][s];
        bytes memory proof = _ledgerTree(settlement, s).proof(index);
        return Claim(s, uint32(index), book.ids[index], book.cumulatives[index], proof);
    }

    function _range(uint8 s, uint256 first, uint256 count) internal view returns (RangeClaim memory range) {
        Book storage book = books[latest][s];
        range = RangeClaim(s, new bytes32[](count), new uint128[](count), uint32(first), book.depth, "");
        for (uint256 i = 0; i < count && first + i < book.ids.length; ++i) {
            range.contributorIds[i] = book.ids[first + i];
            range.cumulatives[i] = book.cumulatives[first + i];
        }
        range.proof = _ledgerTree(latest, s).rangeProof(first, count);
    }

    function _leaf(uint256 settlement, uint256 s, uint256 index) internal view returns (LeafProof memory leaf) {
        Book storage book = books[settlement][s];
        if (index >> book.depth != 0) return leaf;
        if (index < book.ids.length) {
            (leaf.contributorId, leaf.cumulative) = (book.ids[index], book.cumulatives[index]);
        }
        leaf.proof = _ledgerTree(settlement, s).proof(index);
    }

    function _weight(uint256 s, uint256 index) internal view returns (WeightProof memory) {
        Book storage book = books[latest][s];
        return WeightProof(index < book.weights.length ? book.weights[index] : 0, _weightTree(s).proof(index));
    }

    function _challengeTransition(uint8 s, uint32 index) internal {
        _challengeTransition(s, index, _leaf(previous, s, index), _leaf(latest, s, index), _weight(s, index));
    }

    function _challengeTransition(
        uint8 s,
        uint32 index,
        LeafProof memory before,
        LeafProof memory afterwards,
        WeightProof memory weight
    ) internal {
        vm.prank(auditor);
        pool.challengeTransition(updates, s, index, before, afterwards, weight);
    }

    function _demand(uint8 s, uint32 index) internal {
        vm.prank(auditor);
        pool.demand{value: DEMAND_BOND}(updates, s, index);
    }

    function _answer(uint8 s, uint32 index) internal {
        LeafProof memory before = _leaf(previous, s, index);
        LeafProof memory afterwards = _leaf(latest, s, index);
        WeightProof memory weight = _weight(s, index);
        vm.prank(operator);
        pool.answer(updates, s, index, before, afterwards, weight);
    }

    function _status() internal view returns (ISettlementPool.Status current) {
        (, current,,) = pool.status();
    }
}
