// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {ISettlementPool} from "../../contracts/interfaces/ISettlementPool.sol";
import {Challenges} from "../../contracts/pool/Challenges.sol";
import {PoolBase} from "../../contracts/pool/PoolBase.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {LeafProof, Ledger, StageProposal, WeightProof} from "../../contracts/Records.sol";
import {SumTree, SumTrees} from "./support/SumTree.sol";
import {PoolTest} from "./support/PoolTest.sol";

/// Every lie that a proposer can tell about a settlement, and the proof that ends it.
contract ChallengesTest is PoolTest {
    using SumTrees for SumTree;

    function setUp() public override {
        super.setUp();
        _settle(5);
        _deposit(REVENUE);
        _prepare(2);
    }

    function _expectSlashed(ISettlementPool.CancelReason reason) private {
        vm.expectEmit(address(pool));
        emit ISettlementPool.Cancelled(2, reason, auditor, BOND / 2);
    }

    /// Half of the bond is the auditor's, half is burned, the revenue is unallocated again.
    function _assertSlashed(uint256 before) private view {
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Cancelled));
        assertEq(auditor.balance, before + BOND / 2);
        assertEq(address(0).balance, BOND - BOND / 2);
        assertEq(address(pool).balance, 0);
        assertEq(pool.unallocated(), REVENUE);
        assertEq(pool.pendingRevenue(), 0);
        assertFalse(pool.bondHeld());
    }

    function _catch(uint8 stage, uint32 index) private {
        _post();
        uint256 before = auditor.balance;
        _expectSlashed(ISettlementPool.CancelReason.WrongTransition);
        _challengeTransition(stage, index);
        _assertSlashed(before);
    }

    function test_lie_one_unit_moved() public {
        books[2][0].cumulatives[2] -= 1;
        books[2][0].cumulatives[3] += 1;
        _catch(0, 3);
    }

    function test_lie_one_unit_taken_from_an_earlier_settlement() public {
        books[2][1].cumulatives[0] -= books[2][1].cumulatives[0];
        books[2][1].cumulatives[6] += books[1][1].cumulatives[0];
        _post();
        SumTree memory tree = _ledgerTree(2, 1);
        // Whatever else does not add up, the leaf itself is wrong.
        if (tree.total() != updates[1].afterwards.total) {
            vm.prank(auditor);
            pool.challengeTotal(updates, 1, false, tree.topNode());
        } else {
            _challengeTransition(1, 0);
        }
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Cancelled));
    }

    function test_lie_two_leaves_swapped() public {
        (books[2][0].ids[2], books[2][0].ids[3]) = (books[2][0].ids[3], books[2][0].ids[2]);
        _catch(0, 2);
    }

    function test_lie_leaf_dropped() public {
        books[2][0].cumulatives[6] += books[2][0].cumulatives[2];
        books[2][0].cumulatives[2] = 0;
        books[2][0].ids[2] = 0;
        _catch(0, 2);
    }

    function test_lie_newcomer_left_out() public {
        books[2][2].cumulatives[0] += books[2][2].cumulatives[5];
        books[2][2].cumulatives[5] = 0;
        books[2][2].ids[5] = 0;
        _catch(2, 5);
    }

    function test_lie_money_for_nobody() public {
        books[2][2].ids[6] = 0;
        _catch(2, 6);
    }

    function test_lie_in_the_last_index_of_a_deeper_ledger() public {
        _discard();
        _prepare(11); // 16 leaves: depth 4 after depth 3
        assertEq(books[2][0].depth, 4);
        books[2][0].cumulatives[15] -= 1;
        books[2][0].cumulatives[0] += 1;
        _catch(0, 15);
    }

    /// Forgets the prepared books.
    function _discard() private {
        for (uint256 s = 0; s < STAGES; ++s) {
            delete books[2][s];
        }
        (latest, previous) = (1, 0);
    }

    function test_lie_duplicate_far_apart() public {
        books[2][1].ids[6] = books[2][1].ids[0];
        _post();
        uint256 before = auditor.balance;
        LeafProof memory first = _leaf(2, 1, 0);
        LeafProof memory second = _leaf(2, 1, 6);
        _expectSlashed(ISettlementPool.CancelReason.DuplicateId);
        vm.prank(auditor);
        pool.challengeDuplicate(
            updates, 1, first.contributorId, 0, first.cumulative, first.proof, 6, second.cumulative, second.proof
        );
        _assertSlashed(before);
    }

    function test_lie_ledger_that_does_not_add_up() public {
        books[2][0].cumulatives[2] += 1;
        _post();
        uint256 before = auditor.balance;
        bytes memory top = _ledgerTree(2, 0).topNode();
        _expectSlashed(ISettlementPool.CancelReason.WrongTotal);
        vm.prank(auditor);
        pool.challengeTotal(updates, 0, false, top);
        _assertSlashed(before);
    }

    function test_lie_ledger_whose_sums_overflow() public {
        books[2][0].cumulatives[2] = type(uint128).max;
        books[2][0].cumulatives[7 - 1] = type(uint128).max;
        _post();
        bytes memory top = _ledgerTree(2, 0).topNode();
        vm.prank(auditor);
        pool.challengeTotal(updates, 0, false, top);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Cancelled));
    }

    function test_lie_weights_whose_total_is_another() public {
        StageProposal[] memory stages = _proposals();
        stages[1].weightTotal += 1;
        _post(_before(), stages);
        uint256 before = auditor.balance;
        bytes memory top = _weightTree(1).topNode();
        _expectSlashed(ISettlementPool.CancelReason.WrongTotal);
        vm.prank(auditor);
        pool.challengeTotal(updates, 1, true, top);
        _assertSlashed(before);
    }

    function test_lie_weights_shifted() public {
        // The ledger was split over other weights than those that are committed.
        books[2][0].weights[2] += 5;
        books[2][0].weights[6] -= 5;
        _catch(0, 2);
    }

    function test_lie_subtree_that_nobody_can_open() public {
        StageProposal[] memory stages = _proposals();
        SumTree memory tree = _ledgerTree(2, 0);
        tree.hashes[1][3] = "no preimage is known"; // above leaves 6 and 7
        tree.join(2, 1);
        tree.join(3, 0);
        stages[0].root = tree.root();
        _post(_before(), stages);
        uint256 before = auditor.balance;
        _demand(0, 6);
        skip(PERIOD / 4 - 1);
        vm.expectRevert(abi.encodeWithSelector(Challenges.StillAnswerable.selector, block.timestamp + 1));
        pool.cancelUnanswered(0, 6);
        skip(1);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Pending));
        _expectSlashed(ISettlementPool.CancelReason.UnansweredDemand);
        vm.prank(outsider); // anybody
        pool.cancelUnanswered(0, 6);
        _assertSlashed(before);
    }

    function test_unanswered_demand_never_activates_however_late() public {
        _post();
        _demand(0, 6);
        skip(100 * PERIOD);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Pending));
        pool.cancelUnanswered(0, 6);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Cancelled));
    }

    function test_honest_answer_takes_the_demand_bond_and_delays_by_one_period() public {
        _post();
        uint256 start = vm.getBlockTimestamp(); // via IR, block.timestamp would be read again after the warp
        uint256 before = operator.balance;
        _demand(0, 6);
        skip(PERIOD / 4 - 1);
        _answer(0, 6);
        vm.warp(start + PERIOD - 1);
        _demand(1, 7); // an empty leaf
        skip(PERIOD / 4 - 1);
        _answer(1, 7);
        assertEq(operator.balance, before + 2 * DEMAND_BOND);
        assertEq(address(pool).balance, BOND);
        vm.warp(start + 2 * PERIOD - 1);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Pending));
        skip(1);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Active));
        vm.prank(operator);
        pool.withdrawBond(operator);
        assertEq(address(pool).balance, 0);
    }

    function test_answer_with_a_wrong_transition_is_no_answer() public {
        books[2][0].cumulatives[2] -= 1;
        books[2][0].cumulatives[3] += 1;
        _post();
        _demand(0, 2);
        vm.expectRevert(abi.encodeWithSelector(Challenges.TransitionIsWrong.selector, 0, 2));
        this.answer(0, 2);
    }

    function test_answer_from_sums_other_than_the_declared_is_no_answer() public {
        books[2][0].cumulatives[2] += 1;
        StageProposal[] memory stages = _proposals();
        stages[1].weightTotal += 1;
        _post(_before(), stages);
        for (uint8 stage = 0; stage < 2; ++stage) {
            _demand(stage, 6); // a leaf that is right
            vm.expectRevert(abi.encodeWithSelector(Challenges.InvalidLeaf.selector, stage, 6));
            this.answer(stage, 6);
        }
    }

    function answer(uint8 stage, uint32 index) external {
        _answer(stage, index);
    }

    function test_demands_once_per_leaf_in_time_with_the_bond_and_in_the_tree() public {
        _post();
        vm.startPrank(auditor);
        vm.expectRevert(abi.encodeWithSelector(Challenges.WrongBond.selector, 1, DEMAND_BOND));
        pool.demand{value: 1}(updates, 0, 6);
        vm.expectRevert(abi.encodeWithSelector(Challenges.InvalidLeaf.selector, 0, 8));
        pool.demand{value: DEMAND_BOND}(updates, 0, 8);
        pool.demand{value: DEMAND_BOND}(updates, 0, 6);
        vm.expectRevert(abi.encodeWithSelector(Challenges.AlreadyDemanded.selector, 0, 6));
        pool.demand{value: DEMAND_BOND}(updates, 0, 6);
        vm.stopPrank();
        _answer(0, 6);
        vm.expectRevert(abi.encodeWithSelector(Challenges.AlreadyDemanded.selector, 0, 6));
        vm.prank(auditor);
        pool.demand{value: DEMAND_BOND}(updates, 0, 6);
        skip(PERIOD);
        vm.expectRevert(abi.encodeWithSelector(Challenges.DemandPeriodOver.selector, block.timestamp));
        vm.prank(auditor);
        pool.demand{value: DEMAND_BOND}(updates, 0, 5);
        vm.expectRevert(abi.encodeWithSelector(Challenges.NoSuchDemand.selector, 2, 0, 6));
        this.answer(0, 6);
    }

    function test_each_demand_has_a_quarter_of_a_period_for_its_answer() public {
        _post();
        _demand(0, 6);
        skip(PERIOD / 4 - 1);
        _demand(0, 5);
        skip(1);
        vm.expectRevert(abi.encodeWithSelector(Challenges.TooLateToAnswer.selector, block.timestamp));
        this.answer(0, 6);
        _answer(0, 5);
        uint256 before = auditor.balance + DEMAND_BOND; // of leaf 6; that of leaf 5 is the operator's
        vm.prank(outsider);
        pool.cancelUnanswered(0, 6);
        _assertSlashed(before);
    }

    function test_an_answer_is_shown_in_the_log() public {
        _post();
        _demand(0, 6);
        vm.recordLogs();
        _answer(0, 6);
        Vm.Log memory log = vm.getRecordedLogs()[0];
        assertEq(log.topics[0], ISettlementPool.Answered.selector);
        (uint8 stage, uint32 index,, LeafProof memory afterwards, WeightProof memory weight) =
            abi.decode(log.data, (uint8, uint32, LeafProof, LeafProof, WeightProof));
        assertEq(stage, 0);
        assertEq(index, 6);
        assertEq(abi.encode(afterwards), abi.encode(_leaf(latest, 0, 6)));
        assertEq(weight.weight, books[2][0].weights[6]);
    }

    function test_demand_bonds_go_back_after_another_cancellation() public {
        _post();
        _demand(0, 6);
        vm.expectRevert(abi.encodeWithSelector(Challenges.NotCancelled.selector, 2));
        pool.reclaimDemandBond(2, 0, 6);
        vm.prank(arbiter);
        pool.cancel();
        uint256 before = auditor.balance;
        pool.reclaimDemandBond(2, 0, 6);
        assertEq(auditor.balance, before + DEMAND_BOND);
        vm.expectRevert(abi.encodeWithSelector(Challenges.NoSuchDemand.selector, 2, 0, 6));
        pool.reclaimDemandBond(2, 0, 6);
        assertTrue(pool.bondHeld()); // the arbiter's word costs no bond
        assertEq(address(pool).balance, BOND);
    }

    function test_challenger_who_refuses_ether_withdraws_it_later() public {
        books[2][0].cumulatives[2] -= 1;
        books[2][0].cumulatives[3] += 1;
        _post();
        vm.etch(auditor, hex"fe");
        _challengeTransition(0, 3);
        assertEq(pool.credits(auditor), BOND / 2);
        vm.startPrank(auditor);
        pool.withdrawCredit(outsider);
        assertEq(address(pool).balance, 0);
        vm.expectRevert(abi.encodeWithSelector(Challenges.NoCredit.selector, auditor)); // paid once
        pool.withdrawCredit(outsider);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(Challenges.NoCredit.selector, outsider));
        vm.prank(outsider);
        pool.withdrawCredit(outsider);
    }

    function test_attack_the_bonds_of_a_demand_are_paid_once() public {
        _post();
        _demand(0, 6);
        _demand(1, 6);
        skip(PERIOD / 4);
        pool.cancelUnanswered(0, 6);
        vm.expectRevert(abi.encodeWithSelector(Challenges.NoSuchDemand.selector, 2, 0, 6));
        pool.reclaimDemandBond(2, 0, 6);
        assertEq(address(pool).balance, DEMAND_BOND); // of the other demand
    }

    /// A leaf worth one unit less and its sibling one more: the sum is right, the root is not.
    function _moveOneUnit(bytes memory proof) private pure {
        bytes32 sibling;
        assembly ("memory-safe") { sibling := mload(add(proof, 64)) } // 32 bytes of hash, then 16 of sum
        sibling = bytes32(uint256(sibling) + (1 << 128));
        assembly ("memory-safe") { mstore(add(proof, 64), sibling) }
    }

    function test_attack_forged_proofs_of_an_honest_settlement_prove_nothing() public {
        _post();
        uint32 index = 3;
        LeafProof memory before = _leaf(1, 0, index);
        LeafProof memory afterwards = _leaf(2, 0, index);
        WeightProof memory weight = _weight(0, index);
        bytes memory refusal = abi.encodeWithSelector(Challenges.InvalidLeaf.selector, 0, index);

        LeafProof memory forged = _leaf(1, 0, index);
        forged.cumulative -= 1;
        _moveOneUnit(forged.proof);
        vm.expectRevert(refusal);
        _challengeTransition(0, index, forged, afterwards, weight);

        forged = _leaf(2, 0, index);
        forged.cumulative -= 1;
        _moveOneUnit(forged.proof);
        vm.expectRevert(refusal);
        _challengeTransition(0, index, before, forged, weight);

        weight.weight -= 1;
        _moveOneUnit(weight.proof);
        vm.expectRevert(refusal);
        _challengeTransition(0, index, before, afterwards, weight);
    }

    function test_attack_forged_duplicates_of_an_honest_settlement_prove_nothing() public {
        _post();
        LeafProof memory leaf = _leaf(2, 0, 3);
        LeafProof memory other = _leaf(2, 0, 2);
        vm.startPrank(auditor);
        vm.expectRevert(abi.encodeWithSelector(Challenges.InvalidLeaf.selector, 0, 2));
        pool.challengeDuplicate(
            updates, 0, leaf.contributorId, 2, other.cumulative, other.proof, 3, leaf.cumulative, leaf.proof
        );
        vm.expectRevert(abi.encodeWithSelector(Challenges.InvalidLeaf.selector, 0, 2));
        pool.challengeDuplicate(
            updates, 0, leaf.contributorId, 3, leaf.cumulative, leaf.proof, 2, other.cumulative, other.proof
        );
    }

    function test_challenges_end_with_activation() public {
        books[2][0].cumulatives[2] -= 1;
        books[2][0].cumulatives[3] += 1;
        _post();
        skip(PERIOD);
        vm.expectRevert(PoolBase.NotPending.selector);
        this.challenge(0, 3);
    }

    function challenge(uint8 stage, uint32 index) external {
        _challengeTransition(stage, index);
    }

    function test_honest_settlement_cannot_be_challenged_at_any_leaf() public {
        _post();
        for (uint8 stage = 0; stage < STAGES; ++stage) {
            for (uint32 index = 0; index < 8; ++index) {
                vm.expectRevert(Challenges.NothingWrong.selector);
                this.challenge(stage, index);
            }
            bytes memory top = _ledgerTree(2, stage).topNode();
            vm.expectRevert(Challenges.NothingWrong.selector);
            pool.challengeTotal(updates, stage, false, top);
            top = _weightTree(stage).topNode();
            vm.expectRevert(Challenges.NothingWrong.selector);
            pool.challengeTotal(updates, stage, true, top);
        }
        LeafProof memory leaf = _leaf(2, 0, 3);
        vm.expectRevert(Challenges.NothingWrong.selector); // one leaf is no duplicate of itself
        pool.challengeDuplicate(
            updates, 0, leaf.contributorId, 3, leaf.cumulative, leaf.proof, 3, leaf.cumulative, leaf.proof
        );
        leaf = _leaf(2, 0, 7);
        vm.expectRevert(Challenges.NothingWrong.selector); // nor are empty leaves
        pool.challengeDuplicate(updates, 0, 0, 7, 0, leaf.proof, 6, 0, leaf.proof);
        updates[0].weightTotal += 1;
        vm.expectRevert(Challenges.WrongUpdates.selector);
        this.challenge(0, 3);
    }

    /// Soundness: whatever is sent, an honest settlement stands.
    function testFuzz_honest_settlement_is_never_slashed(
        uint8 stage,
        uint32 index,
        uint32 other,
        uint128 amount,
        uint8 kind,
        bytes32 noise
    ) public {
        _post();
        stage = uint8(bound(stage, 0, STAGES - 1));
        index = uint32(bound(index, 0, 9));
        other = uint32(bound(other, 0, 7));
        LeafProof memory before = index < 8 ? _leaf(1, stage, index) : _leaf(1, stage, other);
        LeafProof memory afterwards = _leaf(2, stage, other);
        WeightProof memory weight = _weight(stage, other);
        if (kind & 1 == 1) before.cumulative = amount;
        if (kind & 2 == 2) afterwards.cumulative = amount;
        if (kind & 4 == 4) weight.weight = amount;
        if (kind & 8 == 8) afterwards.contributorId = noise;
        if (kind & 16 == 16) weight.proof[uint256(noise) % weight.proof.length] = bytes1(noise);
        if (kind & 32 == 32) afterwards.proof[uint256(noise) % afterwards.proof.length] = bytes1(noise);
        if (kind & 64 == 64) before = afterwards;
        (bool ok,) = address(pool)
            .call(abi.encodeCall(pool.challengeTransition, (updates, stage, index, before, afterwards, weight)));
        assertFalse(ok);
        bytes memory top = abi.encodePacked(noise, amount, noise, amount);
        (ok,) = address(pool).call(abi.encodeCall(pool.challengeTotal, (updates, stage, kind & 1 == 1, top)));
        assertFalse(ok);
        assertFalse(_duplicate(stage, afterwards, other, before, index));
        (ok,) = address(pool).call(abi.encodeCall(pool.cancelUnanswered, (stage, index)));
        assertFalse(ok);
        skip(PERIOD);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Active));
    }

    function _duplicate(
        uint8 stage,
        LeafProof memory first,
        uint32 firstIndex,
        LeafProof memory second,
        uint32 secondIndex
    ) private returns (bool ok) {
        bytes memory data = abi.encodeCall(
            pool.challengeDuplicate,
            (
                updates,
                stage,
                first.contributorId,
                firstIndex,
                first.cumulative,
                first.proof,
                secondIndex,
                second.cumulative,
                second.proof
            )
        );
        (ok,) = address(pool).call(data);
    }

    /// Completeness: any single wrong leaf that keeps the total is caught at that leaf.
    function testFuzz_any_wrong_leaf_is_caught(uint8 stage, uint32 from, uint32 to, uint128 amount) public {
        stage = uint8(bound(stage, 0, STAGES - 1));
        from = uint32(bound(from, 0, 6));
        to = uint32(bound(to, 0, 6));
        vm.assume(from != to && books[2][stage].cumulatives[from] != 0);
        amount = uint128(bound(amount, 1, books[2][stage].cumulatives[from]));
        books[2][stage].cumulatives[from] -= amount;
        books[2][stage].cumulatives[to] += amount;
        _post();
        _challengeTransition(stage, from);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Cancelled));
    }
}
