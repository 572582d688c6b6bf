// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {ContributorRegistry} from "../../contracts/ContributorRegistry.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {Telescoping} from "../../contracts/libraries/Telescoping.sol";
import {PlainMerkleSum} from "../../contracts/test/PlainMerkleSum.sol";
import {PlainShapley} from "../../contracts/test/PlainShapley.sol";
import {TestToken} from "../../contracts/test/TestToken.sol";
import {LeafProof, Ledger, StageProposal, StageUpdate, Terms, WeightProof} from "../../contracts/Records.sol";

/// What attack and defence cost: demands, answers and each kind of challenge, as transactions of their own, in trees of depth 20
/// with random siblings. `scripts/griefing.py` makes the bounds of docs/protocol.md of them.
/// forge-config: default.isolate = true
contract GriefingGasTest is Test {
    uint256 private constant DEPTH = 20;
    uint32 private constant INDEX = 0x5a5a4; // even: its sibling is the next leaf
    uint128 private constant REVENUE = 7_500_123_456;
    uint128 private constant WEIGHT_TOTAL = 12_345_678_901_234_567;
    uint128 private constant WEIGHT = 1e14;
    uint128 private constant OLD = 1_000_000;
    bytes32 private constant ID = bytes32(uint256(uint160(0xa11ce)));

    PlainMerkleSum private plain = new PlainMerkleSum();
    SettlementPool private pool;
    uint256 private demandBond = 0.1 ether;
    Ledger[] private ledgers;
    StageUpdate[] private updates;
    LeafProof private before;
    LeafProof private afterwards;
    WeightProof private weight;

    function setUp() public {
        TestToken token = new TestToken("Test Dollar", "TUSD", 6);
        pool = new SettlementPool(
            Terms(
                address(token),
                4,
                address(this),
                address(0),
                address(new ContributorRegistry()),
                1 days,
                30 days,
                1 ether,
                uint96(demandBond),
                ""
            )
        );
        token.mint(address(this), 1e15);
        token.approve(address(pool), type(uint256).max);
        pool.deposit(2 * REVENUE, "invoice");
        vm.deal(address(this), 1000 ether);
        for (uint256 s = 0; s < 4; ++s) {
            ledgers.push(Ledger(keccak256(new bytes(96)), 0, 1));
        }
        _propose(OLD, false);
        skip(1 days + 1);
    }

    function _table() private pure returns (int128[] memory table) {
        table = new int128[](16);
        for (uint256 coalition = 0; coalition < 16; ++coalition) {
            table[coalition] = coalition == 15 ? int128(REVENUE) : int128(int256(coalition * REVENUE / 16));
        }
    }

    /// Posts a settlement whose stage 0 has ID at INDEX with `cumulative`, or with what is right for 0; twice for `duplicate`.
    function _propose(uint128 cumulative, bool duplicate) private {
        uint128[] memory amounts = PlainShapley.amounts(_table(), 4);
        Ledger[] memory old = ledgers;
        StageProposal[] memory stages = new StageProposal[](4);
        delete updates;
        before = afterwards;
        for (uint256 s = 0; s < 4; ++s) {
            (bytes32 weightRoot, bytes memory weightProof) =
                _tree(0, WEIGHT, 0, WEIGHT_TOTAL, keccak256(abi.encode("weights", s)));
            uint128 own = s == 0 ? cumulative : OLD;
            if (own == 0) own = OLD + _part(amounts[0], weightProof);
            ledgers[s].total += amounts[s];
            bytes32 leaf = plain.leafHash(ID, own);
            (bytes32 root, bytes memory proof) =
                _tree(leaf, own, duplicate ? own : 0, ledgers[s].total, bytes32(s + block.timestamp));
            (ledgers[s].root, ledgers[s].depth) = (root, uint8(DEPTH));
            stages[s] = StageProposal(root, uint8(DEPTH), weightRoot, WEIGHT_TOTAL);
            updates.push(StageUpdate(old[s], ledgers[s], weightRoot, WEIGHT_TOTAL));
            if (s == 0) {
                afterwards = LeafProof(ID, own, proof);
                weight = WeightProof(WEIGHT, weightProof);
            }
        }
        pool.propose{value: pool.bondHeld() ? 0 : 1 ether}(_table(), old, stages, "evidence");
    }

    function _part(uint256 amount, bytes memory proof) private pure returns (uint128) {
        uint256 prefix = 0;
        for (uint256 level = 0; level < DEPTH; ++level) {
            uint128 sum;
            assembly ("memory-safe") {
                sum := shr(128, mload(add(proof, add(64, mul(48, level)))))
            }
            if (INDEX >> level & 1 == 1) prefix += sum;
        }
        return uint128(Telescoping.part(amount, prefix, WEIGHT, WEIGHT_TOTAL));
    }

    /// Random siblings that bring the sum to `total`; the first of them is the same id with `twin`, if that is not 0.
    function _tree(bytes32 leaf, uint128 sum, uint128 twin, uint128 total, bytes32 seed)
        private
        view
        returns (bytes32 root, bytes memory proof)
    {
        uint128 rest = (total - sum - twin) / uint128(DEPTH - 1);
        uint128 top = total - sum - twin - rest * uint128(DEPTH - 2);
        for (uint256 level = 0; level < DEPTH; ++level) {
            uint128 sibling = level == 0 ? twin : level == 1 ? top : rest;
            bytes32 hash = level == 0 && twin != 0 ? plain.leafHash(ID, twin) : keccak256(abi.encode(seed, level));
            proof = abi.encodePacked(proof, hash, sibling);
        }
        (root,,) = plain.climb(leaf, sum, INDEX, proof);
    }

    /// Gas of one call, which isolation runs as a transaction of its own on cold storage.
    function _measure(string memory name, uint256 value, bytes memory data) private returns (uint256 gas_) {
        (bool ok, bytes memory returned) = address(pool).call{value: value}(data);
        gas_ = vm.lastCallGas().gasTotalUsed;
        assertTrue(ok, string(returned));
        vm.snapshotValue("fraud_proofs", name, gas_);
    }

    function _demand(string memory name, uint32 index) private returns (uint256) {
        return _measure(name, demandBond, abi.encodeCall(pool.demand, (updates, 0, index)));
    }

    function test_demand_and_answer() public {
        _propose(0, false);
        uint256 first = _demand("demand, the first of a settlement", INDEX);
        uint256 later = _demand("demand", 7);
        uint256 answer =
            _measure("answer", 0, abi.encodeCall(pool.answer, (updates, 0, INDEX, before, afterwards, weight)));
        assertLt(first, 120_000);
        assertLt(later, 120_000);
        assertLt(answer, 250_000);
    }

    function test_unanswered_demand() public {
        _propose(0, false);
        _demand("demand, the first of a settlement", INDEX);
        _demand("demand", 7);
        skip(6 hours);
        assertLt(_measure("cancelUnanswered", 0, abi.encodeCall(pool.cancelUnanswered, (0, INDEX))), 250_000);
        _measure("reclaimDemandBond", 0, abi.encodeCall(pool.reclaimDemandBond, (2, 0, 7)));
    }

    /// The cheaper the kind of proof, the earlier the watcher looks for it.
    function test_a_total_costs_less_than_a_duplicate_and_that_less_than_a_transition() public {
        uint256 state = vm.snapshotState();
        _propose(OLD, false); // the settlement's part is kept back
        uint256 transition = _measure(
            "challengeTransition",
            0,
            abi.encodeCall(pool.challengeTransition, (updates, 0, INDEX, before, afterwards, weight))
        );
        vm.revertToState(state);
        _propose(OLD, true);
        bytes memory twinProof = afterwards.proof;
        bytes32 leaf = plain.leafHash(ID, OLD);
        assembly ("memory-safe") {
            mstore(add(twinProof, 32), leaf) // the sum beside it is the same
        }
        uint256 duplicate = _measure(
            "challengeDuplicate",
            0,
            abi.encodeCall(
                pool.challengeDuplicate, (updates, 0, ID, INDEX, OLD, afterwards.proof, INDEX + 1, OLD, twinProof)
            )
        );
        vm.revertToState(state);
        uint256 total = _total();
        assertLt(total, duplicate);
        assertLt(duplicate, transition);
        assertLe(transition, 250_000);
    }

    /// A ledger whose top node adds up to another total.
    function _total() private returns (uint256) {
        bytes memory top = abi.encodePacked(keccak256("left"), uint128(5), keccak256("right"), uint128(6));
        uint128[] memory amounts = PlainShapley.amounts(_table(), 4);
        Ledger[] memory old = ledgers;
        StageProposal[] memory stages = new StageProposal[](4);
        delete updates;
        for (uint256 s = 0; s < 4; ++s) {
            stages[s] = StageProposal(keccak256(top), uint8(DEPTH), "weights", WEIGHT_TOTAL);
            Ledger memory next = Ledger(keccak256(top), old[s].total + amounts[s], uint8(DEPTH));
            updates.push(StageUpdate(old[s], next, "weights", WEIGHT_TOTAL));
        }
        pool.propose(_table(), old, stages, "evidence");
        return _measure("challengeTotal", 0, abi.encodeCall(pool.challengeTotal, (updates, 0, false, top)));
    }

    receive() external payable {}
}
