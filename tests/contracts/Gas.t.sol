// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {ContributorRegistry} from "../../contracts/ContributorRegistry.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {PlainShapley} from "../../contracts/test/PlainShapley.sol";
import {TestToken} from "../../contracts/test/TestToken.sol";
import {PlainMerkleSum} from "../../contracts/test/PlainMerkleSum.sol";
import {
    Claim,
    LeafProof,
    Ledger,
    RangeClaim,
    StageProposal,
    StageUpdate,
    Terms,
    WeightProof
} from "../../contracts/Records.sol";

/// What each call costs as a transaction of its own (isolated: 21,000 and calldata included, storage cold, refunds counted).
/// Trees of depth 20 with random siblings: a million contributors as far as the chain can see.
/// forge-config: default.isolate = true
contract GasTest is Test {
    uint256 private constant DEPTH = 20;
    uint32 private constant INDEX = 0x5a5a5;
    uint128 private constant REVENUE = 7_500_123_456;

    PlainMerkleSum private plain = new PlainMerkleSum();
    TestToken private token;
    SettlementPool private pool;
    address private alice = makeAddr("alice");
    int128[] private table;
    Ledger[] private ledgers;
    StageUpdate[] private updates;
    bytes[] private proofs;

    function setUp() public {
        token = new TestToken("Test Dollar", "TUSD", 6);
        pool = new SettlementPool(_terms(address(token)));
        token.mint(address(this), 1e15);
        token.approve(address(pool), type(uint256).max);
        vm.deal(address(this), 1000 ether);
        for (uint256 coalition = 0; coalition < 16; ++coalition) {
            table.push(coalition == 15 ? int128(REVENUE) : int128(int256(coalition * REVENUE / 16)));
        }
        for (uint256 s = 0; s < 4; ++s) {
            ledgers.push(Ledger(keccak256(new bytes(96)), 0, 1));
        }
    }

    function _terms(address token_) private returns (Terms memory) {
        return Terms(
            token_,
            4,
            address(this),
            address(0),
            address(new ContributorRegistry()),
            1 days,
            30 days,
            1 ether,
            0.1 ether,
            ""
        );
    }

    /// Posts a settlement whose stage 0 has `id` at INDEX; the rest of each tree is random.
    function _propose(bytes32 id, uint128 cumulative) private {
        (Ledger[] memory before, StageProposal[] memory stages) = _proposal(id, cumulative);
        pool.propose{value: pool.bondHeld() ? 0 : 1 ether}(table, before, stages, "evidence");
    }

    function _proposal(bytes32 id, uint128 cumulative)
        private
        returns (Ledger[] memory before, StageProposal[] memory stages)
    {
        uint128[] memory amounts = PlainShapley.amounts(table, 4);
        before = ledgers;
        stages = new StageProposal[](4);
        delete proofs;
        delete updates;
        for (uint256 s = 0; s < 4; ++s) {
            ledgers[s].total += amounts[s];
            (bytes32 root, bytes memory proof) =
                _tree(plain.leafHash(id, cumulative), cumulative, ledgers[s].total, bytes32(s + block.timestamp));
            proofs.push(proof);
            (ledgers[s].root, ledgers[s].depth) = (root, uint8(DEPTH));
            stages[s] = StageProposal(root, uint8(DEPTH), keccak256(abi.encode(s)), 12_345_678_901_234_567);
            updates.push(StageUpdate(before[s], ledgers[s], stages[s].weightRoot, stages[s].weightTotal));
        }
    }

    /// Random siblings that bring the sum to `total`.
    function _tree(bytes32 leaf, uint128 sum, uint128 total, bytes32 seed)
        private
        view
        returns (bytes32 root, bytes memory proof)
    {
        uint128 rest = (total - sum) / uint128(DEPTH);
        for (uint256 level = 0; level < DEPTH; ++level) {
            uint128 sibling = level == 0 ? total - sum - rest * uint128(DEPTH - 1) : rest;
            proof = abi.encodePacked(proof, keccak256(abi.encode(seed, level)), sibling);
        }
        (root,,) = plain.climb(leaf, sum, INDEX, proof);
    }

    function _settle(bytes32 id, uint128 cumulative) private {
        token.approve(address(pool), type(uint256).max);
        if (pool.terms().token == address(0)) pool.deposit{value: REVENUE}(REVENUE, "invoice");
        else pool.deposit(REVENUE, "invoice");
        _propose(id, cumulative);
        skip(1 days + 1);
    }

    /// Gas of one call, which isolation runs as a transaction of its own on cold storage.
    function _measure(string memory name, bytes memory data) private returns (uint256 gas_) {
        (bool ok, bytes memory returned) = address(pool).call(data);
        gas_ = vm.lastCallGas().gasTotalUsed;
        assertTrue(ok, string(returned));
        vm.snapshotValue("contracts", name, gas_);
    }

    function _aliceId() private view returns (bytes32) {
        return bytes32(uint256(uint160(alice)));
    }

    function _claimData(uint128 cumulative) private view returns (bytes memory) {
        return abi.encodeCall(pool.claim, (Claim(0, INDEX, _aliceId(), cumulative, proofs[0])));
    }

    function test_claim_costs_at_most_76k_and_first_claim_110k() public {
        _settle(_aliceId(), 1_000_000);
        pool.claim(Claim(1, INDEX, _aliceId(), 1_000_000, proofs[1])); // the settlement's first claim writes its activation
        deal(address(token), alice, 0);
        assertLe(_measure("claim, first by a new token holder, ERC-20, D 20", _claimData(1_000_000)), 110_000);
        _settle(_aliceId(), 2_500_000);
        pool.claim(Claim(1, INDEX, _aliceId(), 2_500_000, proofs[1]));
        assertLe(_measure("claim, later, ERC-20, D 20", _claimData(2_500_000)), 76_000);
    }

    function test_twelve_epochs_cost_one_claim() public {
        _settle(_aliceId(), 1_000_000);
        pool.claim(Claim(0, INDEX, _aliceId(), 1_000_000, proofs[0]));
        for (uint128 epoch = 2; epoch < 14; ++epoch) {
            _settle(_aliceId(), epoch * 1_000_000);
        }
        pool.claim(Claim(1, INDEX, _aliceId(), 13_000_000, proofs[1]));
        assertLe(_measure("claim, 12 epochs at once, ERC-20, D 20", _claimData(13_000_000)), 76_000);
    }

    function test_claim_of_ether() public {
        pool = new SettlementPool(_terms(address(0)));
        _settle(_aliceId(), 1_000_000);
        pool.claim(Claim(0, INDEX, _aliceId(), 1_000_000, proofs[0]));
        _settle(_aliceId(), 2_500_000);
        pool.claim(Claim(1, INDEX, _aliceId(), 2_500_000, proofs[1]));
        assertLe(_measure("claim, later, ETH, D 20", _claimData(2_500_000)), 69_000);
    }

    function test_propose_and_deposit_and_a_challenge() public {
        _settle(_aliceId(), 1_000_000);
        _settle(_aliceId(), 2_000_000);
        pool.claim(Claim(0, INDEX, _aliceId(), 2_000_000, proofs[0]));
        uint256 gas_ = _measure("deposit, ERC-20, steady", abi.encodeCall(pool.deposit, (REVENUE, "invoice")));
        assertLe(gas_, 70_000);
        (Ledger[] memory before, StageProposal[] memory stages) = _proposal(_aliceId(), 3_000_000);
        gas_ = _measure("propose, 4 stages, steady", abi.encodeCall(pool.propose, (table, before, stages, "evidence")));
        assertLe(gas_, 150_000);
    }

    /// A wrong transition far right in trees of depth 20.
    function test_challenge_costs_at_most_250k() public {
        _settle(_aliceId(), 1_000_000);
        bytes memory oldProof = proofs[0];
        pool.deposit(REVENUE, "invoice");
        (Ledger[] memory before, StageProposal[] memory stages) = _proposal(_aliceId(), 1_000_001);
        bytes memory weightProof;
        (stages[0].weightRoot, weightProof) = _tree(0, 5_000_000, stages[0].weightTotal, "weights");
        updates[0].weightRoot = stages[0].weightRoot;
        pool.propose(table, before, stages, "evidence");
        bytes memory data = abi.encodeCall(
            pool.challengeTransition,
            (
                updates,
                0,
                INDEX,
                LeafProof(_aliceId(), 1_000_000, oldProof),
                LeafProof(_aliceId(), 1_000_001, proofs[0]),
                WeightProof(5_000_000, weightProof)
            )
        );
        assertLe(_measure("challengeTransition, D 20", data), 250_000);
    }

    function test_range_of_64_costs_at_most_21k_each() public {
        _range(address(token), "claimRange of 64, ERC-20, D 20, each");
    }

    function test_range_of_64_in_ether() public {
        _range(address(0), "claimRange of 64, ETH, D 20, each");
    }

    function _range(address token_, string memory name) private {
        pool = new SettlementPool(_terms(token_));
        token.approve(address(pool), type(uint256).max);
        RangeClaim memory range = RangeClaim(0, new bytes32[](64), new uint128[](64), 192, uint8(DEPTH), "");
        for (uint128 epoch = 1; epoch <= 2; ++epoch) {
            range = _rangeOf(range, epoch);
            (bytes32 root, uint256 total) =
                plain.climbRange(range.contributorIds, range.cumulatives, range.first, DEPTH, range.proof);
            if (token_ == address(0)) pool.deposit{value: REVENUE}(REVENUE, "invoice");
            else pool.deposit(REVENUE, "invoice");
            (Ledger[] memory before, StageProposal[] memory stages) = _proposal(_aliceId(), 1);
            assertEq(total, ledgers[0].total);
            (stages[0].root, ledgers[0].root) = (root, root);
            pool.propose{value: pool.bondHeld() ? 0 : 1 ether}(table, before, stages, "evidence");
            skip(1 days + 1);
            if (epoch == 1) pool.claimRange(range);
        }
        pool.claim(Claim(1, INDEX, _aliceId(), 1, proofs[1]));
        uint256 gas_ = _measure(string.concat(name, " (64 in total)"), abi.encodeCall(pool.claimRange, (range)));
        vm.snapshotValue("contracts", name, gas_ / 64);
        assertLe(gas_ / 64, token_ == address(0) ? 22_500 : 21_000);
    }

    /// 64 aligned leaves: 6 levels without siblings, then the right siblings of index 3 >> ... up to the root.
    function _rangeOf(RangeClaim memory range, uint128 epoch) private view returns (RangeClaim memory) {
        uint128 total = ledgers[0].total + PlainShapley.amounts(table, 4)[0];
        uint128 own = 0;
        for (uint256 i = 0; i < 64; ++i) {
            range.contributorIds[i] = bytes32(uint256(uint160(uint256(keccak256(abi.encode("payee", i))))));
            range.cumulatives[i] = uint128(1_000_000 + 1000 * i) * epoch;
            own += range.cumulatives[i];
        }
        range.proof = "";
        for (uint256 level = 6; level < DEPTH; ++level) {
            range.proof = abi.encodePacked(range.proof, keccak256(abi.encode(level)), level == 6 ? total - own : 0);
        }
        return range;
    }

    receive() external payable {}
}
