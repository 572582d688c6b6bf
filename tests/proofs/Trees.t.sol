// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleSum} from "../../contracts/libraries/MerkleSum.sol";
import {Proof} from "./support/Proof.sol";

/// Merkle-sum trees of depth 1 and 2, for any leaves and any proofs; keccak256 has no collisions, as Halmos takes it.
contract TreesProof is Proof {
    function climb(bytes32 leaf, uint128 sum, uint256 index, bytes calldata proof)
        external
        pure
        returns (bytes32, uint256, uint256)
    {
        return MerkleSum.climb(leaf, sum, index, proof);
    }

    function climbRange(
        bytes32[] calldata ids,
        uint128[] calldata cumulatives,
        uint256 first,
        uint256 depth,
        bytes calldata proof
    ) external pure returns (bytes32, uint256) {
        return MerkleSum.climbRange(ids, cumulatives, first, depth, proof);
    }

    function climbWithPrefix(bytes32 leaf, uint128 sum, uint256 index, bytes calldata proof)
        external
        pure
        returns (bytes32, uint256, uint256, uint256)
    {
        return MerkleSum.climbWithPrefix(leaf, sum, index, proof);
    }

    /// Whatever opens at index leads to the given root and total, or this path is of no interest.
    function _open(bytes32 leaf, uint128 sum, uint256 index, uint256 depth, bytes32 root, uint256 total) private view {
        (bytes32 found, uint256 shown, uint256 levels) = this.climb(leaf, sum, index, any.createBytes(48 * depth, "proof"));
        assert(levels == depth);
        vm.assume(found == root);
        vm.assume(shown == total);
    }

    function check_two_proofs_never_exceed_the_total(bytes32[2] calldata leaf, uint128[2] calldata sum) external view {
        (bytes32 root, uint256 total) = (any.createBytes32("root"), any.createUint(256, "total"));
        unchecked {
            uint256 shown = 0;
            for (uint256 i = 0; i < 2; ++i) {
                _open(leaf[i], sum[i], i, 1, root, total);
                shown += sum[i];
            }
            assert(shown == total); // all leaves of the tree
        }
    }

    /// Two levels, sums of proofs below 2^32; sums that overflow are the matter of check_sums_are_exact.
    function _openSmall(bytes32 leaf, uint32 sum, uint256 index, bytes32 root, uint256 total) private view {
        bytes memory proof = abi.encodePacked(
            any.createBytes32("hash"),
            uint128(any.createUint(32, "sum")),
            any.createBytes32("hash"),
            uint128(any.createUint(32, "sum"))
        );
        (bytes32 found, uint256 shown,) = this.climb(leaf, sum, index, proof);
        vm.assume(found == root);
        vm.assume(shown == total);
    }

    function check_four_proofs_never_exceed_the_total(bytes32[4] calldata leaf, uint32[4] calldata sum) external view {
        (bytes32 root, uint256 total) = (any.createBytes32("root"), any.createUint(256, "total"));
        unchecked {
            uint256 shown = 0;
            for (uint256 i = 0; i < 4; ++i) {
                _openSmall(leaf[i], sum[i], i, root, total);
                shown += sum[i];
            }
            assert(shown == total);
        }
    }

    function check_neighbours_never_exceed_the_total(bytes32[2] calldata leaf, uint32[2] calldata sum) external view {
        _pair(leaf, sum, 1);
    }

    function check_distant_leaves_never_exceed_the_total(bytes32[2] calldata leaf, uint32[2] calldata sum)
        external
        view
    {
        _pair(leaf, sum, 3);
    }

    function _pair(bytes32[2] calldata leaf, uint32[2] calldata sum, uint256 second) private view {
        (bytes32 root, uint256 total) = (any.createBytes32("root"), any.createUint(256, "total"));
        _openSmall(leaf[0], sum[0], 0, root, total);
        _openSmall(leaf[1], sum[1], second, root, total);
        unchecked {
            assert(uint256(sum[0]) + sum[1] <= total);
        }
    }

    /// At one index one root has one leaf.
    function check_openings_are_unique(bytes32[2] calldata leaf, uint128[2] calldata sum) external view {
        for (uint256 depth = 1; depth < 3; ++depth) {
            for (uint256 index = 0; index < 1 << depth; ++index) {
                bytes32 root = any.createBytes32("root");
                uint256 total = any.createUint(256, "total");
                _open(leaf[0], sum[0], index, depth, root, total);
                _open(leaf[1], sum[1], index, depth, root, total);
                assert(leaf[0] == leaf[1]);
                assert(sum[0] == sum[1]);
            }
        }
    }

    function check_sums_are_exact(bytes32 leaf, uint128 own, bytes32[2] calldata hashes, uint128[2] calldata sums)
        external
        view
    {
        bytes memory proof = abi.encodePacked(hashes[0], sums[0], hashes[1], sums[1]);
        unchecked {
            uint256 exact = uint256(own) + sums[0] + sums[1];
            try this.climb(leaf, own, 2, proof) returns (bytes32, uint256 total, uint256) {
                assert(total == exact);
                assert(total <= type(uint128).max);
            } catch {
                assert(exact > type(uint128).max);
            }
        }
    }

    function check_leaves_are_no_nodes(bytes32 id, uint128 amount, bytes32[2] calldata hashes, uint128[2] calldata sums)
        external
        pure
    {
        vm.assume(id != 0);
        bytes32 leaf = MerkleSum.leafHash(id, amount);
        assert(leaf != keccak256(abi.encodePacked(hashes[0], sums[0], hashes[1], sums[1])));
        assert(leaf != 0);
    }

    function check_leaf_hashes_fix_their_leaves(bytes32[2] calldata id, uint128[2] calldata amount) external pure {
        vm.assume(id[0] != 0 && id[1] != 0);
        vm.assume(MerkleSum.leafHash(id[0], amount[0]) == MerkleSum.leafHash(id[1], amount[1]));
        assert(id[0] == id[1]);
        assert(amount[0] == amount[1]);
    }

    /// No leaf's opening in one level leads where an opening in two levels leads.
    function check_an_inner_node_is_no_leaf(bytes32 id, uint128 amount, bytes32 leaf, uint128 sum) external view {
        vm.assume(id != 0);
        (bytes32 one,,) = this.climb(MerkleSum.leafHash(id, amount), amount, 0, any.createBytes(48, "short"));
        (bytes32 two,,) = this.climb(leaf, sum, 0, any.createBytes(96, "long"));
        assert(one != two);
    }

    function check_commitments_fix_root_total_and_depth(
        bytes32[2] calldata root,
        uint128[2] calldata total,
        uint8[2] calldata depth
    ) external pure {
        vm.assume(
            MerkleSum.commitment(root[0], total[0], depth[0]) == MerkleSum.commitment(root[1], total[1], depth[1])
        );
        assert(root[0] == root[1]);
        assert(total[0] == total[1]);
        assert(depth[0] == depth[1]);
    }

    /// A tree of four leaves with ids, and any of its ranges.
    function check_ranges_lead_where_leaves_lead(bytes32[4] calldata id, uint96[4] calldata amount) external view {
        bytes memory nodes;
        for (uint256 i = 0; i < 4; ++i) {
            vm.assume(id[i] != 0);
            nodes = abi.encodePacked(nodes, MerkleSum.leafHash(id[i], amount[i]), uint128(amount[i]));
        }
        bytes memory top = abi.encodePacked(
            keccak256(_slice(nodes, 0, 96)), uint128(amount[0]) + amount[1], keccak256(_slice(nodes, 96, 96)), uint128(amount[2]) + amount[3]
        );
        (bytes32 root, uint256 total,) = this.climb(
            MerkleSum.leafHash(id[0], amount[0]), amount[0], 0, abi.encodePacked(_slice(nodes, 48, 48), _slice(top, 48, 48))
        );
        for (uint256 first = 0; first < 4; ++first) {
            for (uint256 last = first; last < 4; ++last) {
                bytes memory proof;
                if (first & 1 == 1) proof = _slice(nodes, 48 * (first - 1), 48);
                if (last & 1 == 0) proof = abi.encodePacked(proof, _slice(nodes, 48 * (last + 1), 48));
                if (first > 1) proof = abi.encodePacked(proof, _slice(top, 0, 48));
                if (last < 2) proof = abi.encodePacked(proof, _slice(top, 48, 48));
                (bytes32 found, uint256 shown) = _range(id, amount, first, last, proof);
                assert(found == root);
                assert(shown == total);
            }
        }
    }

    function _range(bytes32[4] calldata id, uint96[4] calldata amount, uint256 first, uint256 last, bytes memory proof)
        private
        view
        returns (bytes32, uint256)
    {
        bytes32[] memory ids = new bytes32[](last + 1 - first);
        uint128[] memory amounts = new uint128[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            (ids[i], amounts[i]) = (id[first + i], amount[first + i]);
        }
        // A revert of the check itself would show nothing: Halmos looks only at paths that come to their end.
        try this.climbRange(ids, amounts, first, 2, proof) returns (bytes32 root, uint256 total) {
            return (root, total);
        } catch {
            assert(false);
        }
    }

    function _slice(bytes memory all, uint256 from, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            part[i] = all[from + i];
        }
    }

    /// What lies left of an index in a tree of four.
    function check_prefix_sums_are_what_lies_left(uint96[4] calldata amount, bytes32[4] calldata hashes) external view {
        unchecked {
            uint128 left = uint128(amount[0]) + amount[1];
            uint128 right = uint128(amount[2]) + amount[3];
            for (uint256 i = 0; i < 4; ++i) {
                uint256 sum = 0;
                for (uint256 j = 0; j < i; ++j) {
                    sum += amount[j];
                }
                bytes memory proof =
                    abi.encodePacked(hashes[i ^ 1], uint128(amount[i ^ 1]), hashes[0], i < 2 ? right : left);
                (,,, uint256 prefix) = this.climbWithPrefix(0, amount[i], i, proof);
                assert(prefix == sum);
            }
        }
    }

    /// Claims and fraud proofs follow a proof by two pieces of code: to the same end, or both refuse.
    function check_both_ways_up_are_one(bytes32 leaf, uint128 sum) external view {
        for (uint256 depth = 0; depth < 3; ++depth) {
            for (uint256 index = 0; index <= 1 << depth; ++index) {
                _bothWays(leaf, sum, index, any.createBytes(48 * depth, "proof"));
            }
        }
    }

    function _bothWays(bytes32 leaf, uint128 sum, uint256 index, bytes memory proof) private view {
        try this.climb(leaf, sum, index, proof) returns (bytes32 root, uint256 total, uint256 levels) {
            try this.climbWithPrefix(leaf, sum, index, proof) returns (
                bytes32 root_, uint256 total_, uint256 levels_, uint256 prefix
            ) {
                assert(root == root_);
                assert(total == total_);
                assert(levels == levels_);
                assert(prefix <= total);
            } catch {
                assert(false);
            }
        } catch {
            try this.climbWithPrefix(leaf, sum, index, proof) returns (bytes32, uint256, uint256, uint256) {
                assert(false);
            } catch {}
        }
    }
}
