// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {MerkleSum} from "../../contracts/libraries/MerkleSum.sol";
import {MerkleSumHarness} from "../../contracts/test/MerkleSumHarness.sol";
import {PlainMerkleSum} from "../../contracts/test/PlainMerkleSum.sol";
import {PlainShapley} from "../../contracts/test/PlainShapley.sol";
import {RangeClaim} from "../../contracts/Records.sol";
import {SumTree, SumTrees} from "./support/SumTree.sol";

/// The shipped libraries against their plain twins, on arbitrary input.
contract LibrariesTest is Test {
    using SumTrees for SumTree;

    MerkleSumHarness private fast = new MerkleSumHarness();
    PlainMerkleSum private plain = new PlainMerkleSum();

    /// Both give the same words, or both revert.
    function _same(bytes memory ours, bytes memory theirs) private view {
        (bool ok, bytes memory found) = address(fast).staticcall(ours);
        (bool expectedOk, bytes memory expected) = address(plain).staticcall(theirs);
        assertEq(ok, expectedOk, "one reverts, the other does not");
        if (ok) assertEq(found, expected);
        else assertEq(bytes4(found), MerkleSum.MalformedProof.selector);
    }

    function testFuzz_leaf_and_commitment_equal_the_plain_ones(bytes32 id, uint128 amount, uint8 depth) public view {
        assertEq(fast.leafHash(id, amount), plain.leafHash(id, amount));
        assertEq(fast.commitment(id, amount, depth), plain.commitment(id, amount, depth));
        assertEq(fast.leafHash(0, 0), 0);
    }

    function testFuzz_climb_equals_the_plain_one(bytes32 leaf, uint64 sum, uint32 index, bytes calldata proof)
        public
        view
    {
        bytes memory whole = proof[:proof.length - proof.length % 48];
        uint256 depth = whole.length / 48;
        vm.assume(depth != 0); // no commitment has depth 0: climb refuses it, the plain twin does not care
        uint256 inside = depth < 32 ? index % (1 << depth) : index;
        _same(
            abi.encodeCall(fast.climb, (leaf, sum, inside, whole)),
            abi.encodeCall(plain.climb, (leaf, sum, inside, whole))
        );
        _same(
            abi.encodeCall(fast.climb, (leaf, sum, index, proof)),
            abi.encodeCall(plain.climb, (leaf, sum, index, proof))
        );
        _sameBothWays(leaf, sum, inside, whole);
        _sameBothWays(leaf, sum, index, proof);
    }

    /// What claims follow a proof by, and what fraud proofs do.
    function _sameBothWays(bytes32 leaf, uint128 sum, uint256 index, bytes memory proof) private view {
        try fast.climbWithPrefix(leaf, sum, index, proof) returns (
            bytes32 root, uint256 total, uint256 depth, uint256 prefix
        ) {
            (bytes32 root_, uint256 total_, uint256 depth_) = fast.climb(leaf, sum, index, proof);
            assertEq(abi.encode(root, total, depth), abi.encode(root_, total_, depth_));
            assertLe(prefix, total - sum);
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), MerkleSum.MalformedProof.selector);
            (bool ok,) = address(fast).staticcall(abi.encodeCall(fast.climb, (leaf, sum, index, proof)));
            assertFalse(ok);
        }
    }

    function testFuzz_climb_with_small_sums_equals_the_plain_one(bytes32 seed, uint32 index, uint8 depth) public view {
        depth = uint8(bound(depth, 1, 32));
        index = uint32(index % (1 << depth));
        bytes memory proof;
        uint256 prefix = 0;
        for (uint256 level = 0; level < depth; ++level) {
            uint128 sum = uint64(uint256(keccak256(abi.encode(seed, level, "sum"))));
            proof = abi.encodePacked(proof, keccak256(abi.encode(seed, level)), sum);
            if ((index >> level) & 1 == 1) prefix += sum;
        }
        _same(abi.encodeCall(fast.climb, (seed, 7, index, proof)), abi.encodeCall(plain.climb, (seed, 7, index, proof)));
        _sameBothWays(seed, 7, index, proof);
        (,,, uint256 found) = fast.climbWithPrefix(seed, 7, index, proof);
        assertEq(found, prefix);
    }

    /// docs/protocol.md, section 3.
    function test_the_example_of_the_protocol_page() public view {
        int128[] memory table = new int128[](4);
        (table[1], table[2], table[3]) = (40, 20, 100);
        int256[] memory values = fast.numerators(table, 2);
        assertEq(values[0], 120);
        assertEq(values[1], 80);
        uint128[] memory amounts = fast.amounts(table, 2);
        assertEq(amounts[0], 60);
        assertEq(amounts[1], 40);
        uint128 first = 40 + uint128(fast.part(40, 0, 3, 4));
        uint128 second = 20 + uint128(fast.part(40, 3, 1, 4));
        assertEq(first, 70);
        assertEq(second, 30);
        bytes32 left = fast.leafHash(bytes32(uint256(0x11)), first);
        bytes32 right = fast.leafHash(bytes32(uint256(0x22)), second);
        assertEq(left, 0xa9775e0a12e44edb7249e1401559648f310b4d1bb1ebd023e950f303107c28a0);
        assertEq(right, 0xe29d65c4686d478a464ffaccbac51e71bf5a374bb093b9c2c7305985d0bd3543);
        (bytes32 root, uint256 total, uint256 depth) = fast.climb(left, first, 0, abi.encodePacked(right, second));
        assertEq(root, 0x473dfc4681ab0ede1dd12a01a03981b9d289f7a1cf48318c1187dc394421e3a3);
        assertEq(total, 100);
        assertEq(depth, 1);
        bytes32 word = fast.commitment(root, 100, 1);
        assertEq(word, 0x4b19d8bd6222fc408f9b80c9a6dbfe0cde67e11fe420eec576e7dc60836673a8);
        assertEq(keccak256(new bytes(96)), 0x46700b4d40ac5c35af2c22dda2787a91eb567b06c924a8fb8ae9a05b20c08c21);
    }

    function test_climb_refuses_depth_0_and_33_and_an_index_out_of_range() public {
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climb(0, 0, 0, "");
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climbWithPrefix(0, 0, 0, "");
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climb(0, 0, 0, new bytes(33 * 48));
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climbWithPrefix(0, 0, 0, new bytes(33 * 48));
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climb(0, 0, 4, new bytes(2 * 48));
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climbWithPrefix(0, 0, 4, new bytes(2 * 48));
        (,, uint256 deepest) = fast.climb(0, 0, 0, new bytes(32 * 48));
        assertEq(deepest, 32);
        (,, deepest,) = fast.climbWithPrefix(0, 0, 0, new bytes(32 * 48));
        assertEq(deepest, 32);
        fast.climbRange(new bytes32[](1), new uint128[](1), 0, 32, new bytes(32 * 48));
    }

    function test_a_sum_may_be_the_greatest_of_128_bits_and_no_more() public {
        bytes memory sibling = abi.encodePacked(bytes32(0), type(uint128).max - 5);
        (, uint256 total,) = fast.climb(0, 5, 0, sibling);
        assertEq(total, type(uint128).max);
        (, total,,) = fast.climbWithPrefix(0, 5, 0, sibling);
        assertEq(total, type(uint128).max);
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climb(0, 6, 0, sibling);
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climbWithPrefix(0, 6, 0, sibling);
    }

    /// Each with as many nodes as its shape asks for.
    function test_range_refuses_no_leaves_other_amounts_depth_33_and_indices_out_of_range() public {
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climbRange(new bytes32[](0), new uint128[](0), 1, 1, new bytes(2 * 48));
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climbRange(new bytes32[](1), new uint128[](2), 0, 1, new bytes(48));
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climbRange(new bytes32[](2), new uint128[](1), 0, 1, "");
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climbRange(new bytes32[](1), new uint128[](1), 0, 33, new bytes(33 * 48));
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        fast.climbRange(new bytes32[](1), new uint128[](1), 2, 1, new bytes(48));
    }

    function testFuzz_range_equals_the_plain_one(
        bytes32 seed,
        uint8 depth,
        uint8 first,
        uint8 count,
        bytes calldata noise
    ) public view {
        depth = uint8(bound(depth, 1, 6));
        first = uint8(first % (1 << depth));
        SumTree memory tree = _randomTree(seed, depth);
        RangeClaim memory range = _randomRange(seed, depth, first, bound(count, 1, (1 << depth) - first));
        range.proof = tree.rangeProof(first, range.contributorIds.length);
        (, bytes memory found) = address(fast).staticcall(_call(fast.climbRange.selector, range));
        assertEq(found, abi.encode(tree.root(), tree.total()));
        range.proof = bytes.concat(range.proof, new bytes(48));
        _sameRange(range);
        range.proof = noise;
        _sameRange(range);
    }

    function _randomRange(bytes32 seed, uint8 depth, uint32 first, uint256 count)
        private
        pure
        returns (RangeClaim memory range)
    {
        range = RangeClaim(0, new bytes32[](count), new uint128[](count), first, depth, "");
        for (uint256 i = 0; i < count; ++i) {
            (range.contributorIds[i], range.cumulatives[i]) = _randomLeaf(seed, first + i);
        }
    }

    function _call(bytes4 selector, RangeClaim memory range) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            selector, range.contributorIds, range.cumulatives, uint256(range.first), uint256(range.depth), range.proof
        );
    }

    function _sameRange(RangeClaim memory range) private view {
        _same(_call(fast.climbRange.selector, range), _call(plain.climbRange.selector, range));
    }

    function _randomTree(bytes32 seed, uint256 depth) private view returns (SumTree memory) {
        bytes32[] memory hashes = new bytes32[](1 << depth);
        uint128[] memory amounts = new uint128[](1 << depth);
        for (uint256 i = 0; i < hashes.length; ++i) {
            bytes32 id;
            (id, amounts[i]) = _randomLeaf(seed, i);
            hashes[i] = plain.leafHash(id, amounts[i]);
        }
        return SumTrees.build(hashes, amounts, depth);
    }

    /// Every fourth leaf is empty.
    function _randomLeaf(bytes32 seed, uint256 i) private pure returns (bytes32, uint128) {
        uint256 word = uint256(keccak256(abi.encode(seed, i)));
        return word % 4 == 0 ? (bytes32(0), uint128(0)) : (bytes32(word), uint128(uint64(word >> 64)));
    }

    function testFuzz_range_finds_every_overflow(uint128 a, uint128 b, uint128 c, bytes32 id) public view {
        RangeClaim memory range = RangeClaim(0, new bytes32[](2), new uint128[](2), 2, 2, abi.encodePacked(id, c));
        (range.contributorIds[0], range.contributorIds[1]) = (id, ~id);
        (range.cumulatives[0], range.cumulatives[1]) = (a, b);
        _sameRange(range);
    }

    function testFuzz_shapley_equals_the_textbook(int64[32] memory values, uint8 players) public view {
        players = uint8(bound(players, 2, 5));
        int128[] memory table = new int128[](1 << players);
        for (uint256 i = 1; i < table.length; ++i) {
            table[i] = values[i];
        }
        int256[] memory expected = PlainShapley.numerators(table, players);
        assertEq(fast.numerators(table, players), expected);
        int256 sum = 0;
        int256 factorial = int256(PlainShapley.factorial(players));
        for (uint256 i = 0; i < players; ++i) {
            sum += expected[i];
        }
        assertEq(sum, factorial * table[table.length - 1]); // efficiency
    }

    function testFuzz_amounts_sum_to_the_revenue(int128[32] memory values, uint8 players) public view {
        players = uint8(bound(players, 2, 5));
        int128[] memory table = new int128[](1 << players);
        for (uint256 i = 1; i < table.length; ++i) {
            table[i] = values[i];
        }
        int128 last = table[table.length - 1];
        table[table.length - 1] =
            last > 0 ? last : last == 0 ? int128(1) : last == type(int128).min ? type(int128).max : -last;
        uint128[] memory parts = fast.amounts(table, players); // never overflows, and something is positive
        uint256 sum = 0;
        for (uint256 i = 0; i < players; ++i) {
            sum += parts[i];
        }
        assertEq(sum, uint128(table[table.length - 1]));
    }

    function testFuzz_amounts_equal_the_plain_ones(int64[32] memory values) public view {
        int128[] memory table = new int128[](16);
        for (uint256 i = 1; i < 16; ++i) {
            table[i] = values[i];
        }
        table[15] = int128(uint128(uint64(values[15]))) + 1;
        uint128[] memory expected = PlainShapley.amounts(table, 4);
        uint128[] memory found = fast.amounts(table, 4);
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(found[i], expected[i]);
        }
    }

    function testFuzz_parts_sum_and_are_within_one(uint128 amount, uint64[5] memory weights) public view {
        uint256 total = 0;
        for (uint256 i = 0; i < 5; ++i) {
            total += weights[i];
        }
        vm.assume(total != 0);
        uint256 sum = 0;
        uint256 prefix = 0;
        for (uint256 i = 0; i < 5; ++i) {
            uint256 part = fast.part(amount, prefix, weights[i], total);
            uint256 exact = uint256(amount) * weights[i] / total; // rounded down
            assertTrue(part + 1 >= exact && part <= exact + 1);
            prefix += weights[i];
            sum += part;
        }
        assertEq(sum, amount);
        assertEq(fast.part(amount, 0, 0, 0), 0);
    }
}
