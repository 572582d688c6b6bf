// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Telescoping} from "../../contracts/libraries/Telescoping.sol";
import {LeafProof, Ledger, StageProposal, StageUpdate, WeightProof} from "../../contracts/Records.sol";
import {PoolProof} from "./support/PoolProof.sol";

/// A ledger of two leaves grows to four. Any ids, any old amounts, any weights; proofs of any content.
contract TransitionProof is PoolProof {
    /// Four leaves and the two nodes above them.
    struct Tree {
        bytes32[4] hashes;
        uint128[4] sums;
        bytes32[2] nodes;
        uint128[2] nodeSums;
        bytes32 root;
    }

    bytes32[4] private ids;
    uint128[2] private old;
    uint128[4] private weights;
    uint128[4] private right; // what follows from old and weights

    function _build(bytes32[4] memory hashes, uint128[4] memory sums) private pure returns (Tree memory tree) {
        (tree.hashes, tree.sums) = (hashes, sums);
        unchecked {
            for (uint256 i = 0; i < 2; ++i) {
                tree.nodes[i] = _node(hashes[2 * i], sums[2 * i], hashes[2 * i + 1], sums[2 * i + 1]);
                tree.nodeSums[i] = sums[2 * i] + sums[2 * i + 1];
            }
        }
        tree.root = _node(tree.nodes[0], tree.nodeSums[0], tree.nodes[1], tree.nodeSums[1]);
    }

    function _proof(Tree memory tree, uint256 index) private pure returns (bytes memory) {
        (uint256 near, uint256 far) = (index ^ 1, 1 - index / 2);
        return abi.encodePacked(tree.hashes[near], tree.sums[near], tree.nodes[far], tree.nodeSums[far]);
    }

    function _ledger(uint128[4] memory amounts) private view returns (Tree memory) {
        bytes32[4] memory hashes;
        for (uint256 i = 0; i < 4; ++i) {
            hashes[i] = _leafHash(ids[i], amounts[i]);
        }
        return _build(hashes, amounts);
    }

    function _weightTree() private view returns (Tree memory) {
        bytes32[4] memory none;
        return _build(none, weights);
    }

    /// A first settlement with two leaves, active.
    function _settleFirst() private returns (Ledger[] memory before) {
        bytes32 root = _node(_leafHash(ids[0], old[0]), old[0], _leafHash(ids[1], old[1]), old[1]);
        StageUpdate[] memory updates = _post(_empty(), StageProposal(root, 1, 0, 1));
        vm.warp(START + PERIOD);
        before = new Ledger[](2);
        (before[0], before[1]) = (updates[0].afterwards, updates[1].afterwards);
    }

    /// A first settlement with any two leaves; then any ids and weights of a second with four, and what follows from them.
    function _begin() private returns (Ledger[] memory before) {
        ids = [any.createBytes32("id0"), any.createBytes32("id1"), any.createBytes32("id2"), any.createBytes32("id3")];
        for (uint256 i = 0; i < 4; ++i) {
            vm.assume(ids[i] != 0);
            weights[i] = uint128(any.createUint(6, "weight"));
        }
        unchecked {
            old[0] = uint128(any.createUint(5, "old"));
            vm.assume(old[0] <= AMOUNT);
            old[1] = AMOUNT - old[0];
            uint256 total = uint256(weights[0]) + weights[1] + weights[2] + weights[3];
            vm.assume(total != 0);
            uint256 prefix = 0;
            for (uint256 i = 0; i < 4; ++i) {
                right[i] = (i < 2 ? old[i] : 0) + uint128(Telescoping.part(AMOUNT, prefix, weights[i], total));
                prefix += weights[i];
            }
        }
        return _settleFirst();
    }

    function _postTree(Ledger[] memory before, Tree memory tree) private returns (StageUpdate[] memory) {
        Tree memory weighed = _weightTree();
        unchecked {
            return _post(before, StageProposal(tree.root, 2, weighed.root, weighed.nodeSums[0] + weighed.nodeSums[1]));
        }
    }

    function _trueProofs(Tree memory tree, uint32 index)
        private
        view
        returns (LeafProof memory before, LeafProof memory afterwards, WeightProof memory weight)
    {
        if (index < 2) {
            uint128 other = old[index ^ 1];
            before = LeafProof(ids[index], old[index], abi.encodePacked(_leafHash(ids[index ^ 1], other), other));
        }
        afterwards = LeafProof(ids[index], tree.sums[index], _proof(tree, index));
        weight = WeightProof(weights[index], _proof(_weightTree(), index));
    }

    function _challenge(
        StageUpdate[] memory updates,
        uint32 index,
        LeafProof memory before,
        LeafProof memory afterwards,
        WeightProof memory weight
    ) private returns (bool ok) {
        (ok,) =
            address(pool).call(abi.encodeCall(pool.challengeTransition, (updates, 0, index, before, afterwards, weight)));
    }

    /// Soundness in two steps. Any honest settlement stands when its true leaves are shown, and others do not open
    /// (TreesProof, check_openings_are_unique).
    function _stands(uint32 index) private {
        Ledger[] memory ledgers = _begin();
        Tree memory tree = _ledger(right);
        StageUpdate[] memory updates = _postTree(ledgers, tree);
        (LeafProof memory before, LeafProof memory afterwards, WeightProof memory weight) = _trueProofs(tree, index);
        assert(!_challenge(updates, index, before, afterwards, weight));
    }

    /// And a given honest settlement stands whatever is shown of it.
    function _withstands(uint32 index) private {
        for (uint256 i = 0; i < 4; ++i) {
            ids[i] = bytes32(0xA + i);
        }
        old = [uint128(11), 19];
        weights = [uint128(5), 0, 3, 2];
        right = [uint128(26), 19, 9, 6];
        StageUpdate[] memory updates = _postTree(_settleFirst(), _ledger(right));
        LeafProof memory before = _anyLeaf(1);
        LeafProof memory afterwards = _anyLeaf(2);
        WeightProof memory weight = WeightProof(uint128(any.createUint(128, "weight")), any.createBytes(96, "proof"));
        assert(!_challenge(updates, index, before, afterwards, weight));
    }

    function _anyLeaf(uint256 depth) private view returns (LeafProof memory) {
        bytes memory proof = any.createBytes(48 * depth, "proof");
        return LeafProof(any.createBytes32("shown id"), uint128(any.createUint(128, "shown")), proof);
    }

    function check_honest_leaf_0_stands() external {
        _stands(0);
    }

    function check_honest_leaf_1_stands() external {
        _stands(1);
    }

    function check_honest_leaf_2_stands() external {
        _stands(2);
    }

    function check_honest_leaf_3_stands() external {
        _stands(3);
    }

    function check_honest_leaf_0_withstands_any_proof() external {
        _withstands(0);
    }

    function check_honest_leaf_1_withstands_any_proof() external {
        _withstands(1);
    }

    function check_honest_leaf_2_withstands_any_proof() external {
        _withstands(2);
    }

    function check_honest_leaf_3_withstands_any_proof() external {
        _withstands(3);
    }

    /// Completeness: a leaf with any other amount is proved wrong by its true openings. The others make the total right.
    function _isCaught(uint32 index) private {
        Ledger[] memory ledgers = _begin();
        uint128[4] memory wrong;
        uint128 sum = 0;
        unchecked {
            for (uint256 i = 0; i < 4; ++i) {
                wrong[i] = uint128(any.createUint(7, "wrong"));
                sum += wrong[i];
            }
            vm.assume(sum == 2 * AMOUNT);
        }
        vm.assume(wrong[index] != right[index]);
        Tree memory tree = _ledger(wrong);
        StageUpdate[] memory updates = _postTree(ledgers, tree);
        (LeafProof memory before, LeafProof memory afterwards, WeightProof memory weight) = _trueProofs(tree, index);
        assert(_challenge(updates, index, before, afterwards, weight));
    }

    function check_wrong_leaf_0_is_caught() external {
        _isCaught(0);
    }

    function check_wrong_leaf_1_is_caught() external {
        _isCaught(1);
    }

    function check_wrong_leaf_2_is_caught() external {
        _isCaught(2);
    }

    function check_wrong_leaf_3_is_caught() external {
        _isCaught(3);
    }

    /// An id that changed is proved wrong too.
    function check_another_id_is_caught() external {
        Ledger[] memory ledgers = _begin();
        bytes32 first = ids[0];
        ids[0] = any.createBytes32("other id");
        vm.assume(ids[0] != first && ids[0] != 0);
        Tree memory tree = _ledger(right);
        StageUpdate[] memory updates = _postTree(ledgers, tree);
        LeafProof memory before = LeafProof(first, old[0], abi.encodePacked(_leafHash(ids[1], old[1]), old[1]));
        LeafProof memory afterwards = LeafProof(ids[0], right[0], _proof(tree, 0));
        WeightProof memory weight = WeightProof(weights[0], _proof(_weightTree(), 0));
        assert(_challenge(updates, 0, before, afterwards, weight));
    }

    function _isNoDuplicate(uint32 first, uint32 second) private {
        StageUpdate[] memory updates = _postTree(_begin(), _ledger(right));
        if (first != second && second < 4) vm.assume(ids[first] != ids[second]);
        LeafProof memory one = _anyLeaf(2);
        LeafProof memory two = _anyLeaf(2);
        (bool ok,) = address(pool)
            .call(
                abi.encodeCall(
                    pool.challengeDuplicate,
                    (updates, 0, one.contributorId, first, one.cumulative, one.proof, second, two.cumulative, two.proof)
                )
            );
        assert(!ok);
    }

    function check_neighbours_are_no_duplicates() external {
        _isNoDuplicate(0, 1);
    }

    function check_distant_leaves_are_no_duplicates() external {
        _isNoDuplicate(1, 2);
    }

    function check_a_leaf_is_no_duplicate_of_itself() external {
        _isNoDuplicate(3, 3);
    }

    /// At index 4 of four leaves the first one would stand again, and be a duplicate of itself.
    function check_there_is_no_leaf_beyond_the_last() external {
        _isNoDuplicate(0, 4);
    }

    function check_honest_totals_stand(bool ofWeights) external {
        StageUpdate[] memory updates = _postTree(_begin(), _ledger(right));
        bytes memory top = any.createBytes(96, "top node");
        (bool ok,) = address(pool).call(abi.encodeCall(pool.challengeTotal, (updates, 0, ofWeights, top)));
        assert(!ok);
    }

    function check_nothing_is_unanswered_without_a_demand(uint8 stage, uint32 index) external {
        _postTree(_begin(), _ledger(right));
        (bool ok,) = address(pool).call(abi.encodeCall(pool.cancelUnanswered, (stage, index)));
        assert(!ok);
    }
}
