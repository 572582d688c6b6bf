// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {Test} from "forge-std/Test.sol";
import {ContributorRegistry} from "../../contracts/ContributorRegistry.sol";
import {Asset, Part} from "../../contracts/interfaces/IRightsRegistry.sol";
import {Claims} from "../../contracts/pool/Claims.sol";
import {Claim, Ledger, StageUpdate, Terms} from "../../contracts/Records.sol";
import {RightsRegistry} from "../../contracts/RightsRegistry.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {MerkleSumHarness} from "../../contracts/test/MerkleSumHarness.sol";

/// @title The contracts against the vectors that Python wrote (scripts/vectors.py)
contract VectorsTest is Test {
    string internal constant MNEMONIC = "test test test test test test test test test test test junk";

    MerkleSumHarness internal harness;
    string internal json;

    function setUp() public {
        harness = new MerkleSumHarness();
    }

    function test_ids() public {
        _read("encodings");
        for (uint256 i = 0; _has(".account_ids", i); ++i) {
            string memory path = _at(".account_ids", i);
            assertEq(
                _word(path, ".id"),
                bytes32(uint256(uint160(vm.parseJsonAddress(json, string.concat(path, ".address")))))
            );
        }
        ContributorRegistry registry = new ContributorRegistry();
        for (uint256 i = 0; _has(".named_ids", i); ++i) {
            string memory path = _at(".named_ids", i);
            address registrar = vm.parseJsonAddress(json, string.concat(path, ".registrar"));
            bytes32 nameHash = keccak256(vm.parseJsonBytes(json, string.concat(path, ".name")));
            assertEq(nameHash, _word(path, ".external_id_hash"));
            assertEq(registry.namedId(registrar, nameHash), _word(path, ".id"));
        }
    }

    function test_leavesNodesAndCommitments() public {
        _read("encodings");
        for (uint256 i = 0; _has(".leaves", i); ++i) {
            string memory path = _at(".leaves", i);
            assertEq(harness.leafHash(_word(path, ".id"), _uint128(path, ".cumulative")), _word(path, ".hash"));
        }
        for (uint256 i = 0; _has(".nodes", i); ++i) {
            string memory path = _at(".nodes", i);
            uint128 left = _uint128(path, ".left_sum");
            uint128 right = _uint128(path, ".right_sum");
            bytes memory sibling = abi.encodePacked(_word(path, ".right_hash"), right);
            (bytes32 root, uint256 total,) = harness.climb(_word(path, ".left_hash"), left, 0, sibling);
            assertEq(root, _word(path, ".hash"));
            assertEq(total, uint256(left) + right);
        }
        for (uint256 i = 0; _has(".commitments", i); ++i) {
            string memory path = _at(".commitments", i);
            bytes32 found =
                harness.commitment(_word(path, ".root"), _uint128(path, ".total"), uint8(_uint128(path, ".depth")));
            assertEq(found, _word(path, ".commitment"));
        }
    }

    function test_proofs() public {
        _read("trees");
        for (uint256 i = 0; _has(".trees", i); ++i) {
            string memory tree = _at(".trees", i);
            bytes32[] memory ids = vm.parseJsonBytes32Array(json, string.concat(tree, ".ids"));
            uint128[] memory amounts = _uint128s(tree, ".cumulatives");
            string memory proofs = string.concat(tree, ".proofs");
            for (uint256 j = 0; _has(proofs, j); ++j) {
                string memory path = _at(proofs, j);
                uint256 index = _uint128(path, ".index");
                _checkProof(tree, path, harness.leafHash(ids[index], amounts[index]), amounts[index]);
            }
        }
    }

    /// By what claims follow a proof, and by what fraud proofs do.
    function _checkProof(string memory tree, string memory path, bytes32 leaf, uint128 amount) private view {
        uint256 index = _uint128(path, ".index");
        bytes memory proof = vm.parseJsonBytes(json, string.concat(path, ".proof"));
        bytes memory ledger = abi.encode(_word(tree, ".root"), _uint128(tree, ".total"), _uint128(tree, ".depth"));
        bytes memory call = abi.encodeCall(harness.climb, (leaf, amount, index, proof));
        (, bytes memory found) = address(harness).staticcall(call);
        assertEq(found, ledger);
        call = abi.encodeCall(harness.climbWithPrefix, (leaf, amount, index, proof));
        (, found) = address(harness).staticcall(call);
        assertEq(found, bytes.concat(ledger, abi.encode(_uint128(path, ".prefix_sum"))));
    }

    function test_rangeProofs() public {
        _read("trees");
        for (uint256 i = 0; _has(".trees", i); ++i) {
            string memory tree = _at(".trees", i);
            string memory ranges = string.concat(tree, ".ranges");
            for (uint256 j = 0; _has(ranges, j); ++j) {
                (bytes32 root, uint256 total) = _climbRange(tree, _at(ranges, j));
                assertEq(root, _word(tree, ".root"));
                assertEq(total, _uint128(tree, ".total"));
            }
        }
    }

    function test_telescoping() public {
        _read("telescoping");
        for (uint256 i = 0; _has(".cases", i); ++i) {
            string memory path = _at(".cases", i);
            uint128[] memory weights = _uint128s(path, ".weights");
            uint128[] memory parts = _uint128s(path, ".parts");
            uint256 total = 0;
            for (uint256 j = 0; j < weights.length; ++j) {
                total += weights[j];
            }
            uint256 prefix = 0;
            for (uint256 j = 0; j < weights.length; ++j) {
                assertEq(harness.part(_uint128(path, ".amount"), prefix, weights[j], total), parts[j]);
                prefix += weights[j];
            }
        }
    }

    function test_shapley() public {
        _read("shapley");
        for (uint256 i = 0; _has(".games", i); ++i) {
            string memory path = _at(".games", i);
            uint256 players = _uint128(path, ".players");
            int256[] memory wide = vm.parseJsonIntArray(json, string.concat(path, ".table"));
            int128[] memory table = new int128[](wide.length);
            for (uint256 j = 0; j < wide.length; ++j) {
                table[j] = int128(wide[j]);
            }
            assertEq(harness.numerators(table, players), vm.parseJsonIntArray(json, string.concat(path, ".numerators")));
            uint128[] memory expected = _uint128s(path, ".amounts");
            uint128[] memory found = harness.amounts(table, players);
            assertEq(found.length, expected.length);
            for (uint256 j = 0; j < found.length; ++j) {
                assertEq(found[j], expected[j]);
            }
        }
    }

    function test_updatesHash() public {
        _read("updates");
        uint256 count = 0;
        while (_has(".updates", count)) ++count;
        assertGt(count, 0);
        StageUpdate[] memory updates = new StageUpdate[](count);
        for (uint256 i = 0; i < count; ++i) {
            string memory path = _at(".updates", i);
            updates[i] = StageUpdate({
                before: _ledger(string.concat(path, ".before")),
                afterwards: _ledger(string.concat(path, ".afterwards")),
                weightRoot: _word(path, ".weight_root"),
                weightTotal: _uint128(path, ".weight_total")
            });
        }
        assertEq(keccak256(abi.encode(updates)), _word("", ".hash"));
    }

    /// The registry accepts signatures of the digests that an independent encoder computed.
    function test_registryMessages() public {
        _read("typed_data");
        ContributorRegistry registry = ContributorRegistry(vm.parseJsonAddress(json, ".registry"));
        deployCodeTo("ContributorRegistry.sol:ContributorRegistry", address(registry));
        vm.chainId(_uint128("", ".chain_id"));
        _checkDomain(address(registry), ".Bind.domain");
        address registrar = vm.parseJsonAddress(json, ".registrar");
        address holder = vm.parseJsonAddress(json, ".Vouch.holder");
        bytes32 id = registry.bind(
            registrar,
            _word(".Vouch", ".externalIdHash"),
            holder,
            vm.parseJsonAddress(json, ".Bind.payout"),
            uint32(_uint128(".Bind", ".recoverySeconds")),
            _uint128(".Vouch", ".deadline"),
            _uint128(".Bind", ".deadline"),
            _sign(0, ".Vouch"),
            _sign(1, ".Bind")
        );
        assertEq(id, _word(".Bind", ".contributorId"));
        assertEq(registry.holderOf(id), holder);
        assertEq(registry.nonces(holder), _uint128(".SetPayout", ".nonce"));
        address payout = vm.parseJsonAddress(json, ".SetPayout.payout");
        registry.setPayoutWithSignature(id, payout, _uint128(".SetPayout", ".deadline"), _sign(1, ".SetPayout"));
        assertEq(registry.payoutOf(id), payout);
    }

    /// With the holder's signature over the right digest the pool goes on to the proof, which is none; over another it stops.
    function test_poolMessages() public {
        _read("typed_data");
        SettlementPool pool = _poolAtItsAddress();
        vm.chainId(_uint128("", ".chain_id"));
        _checkDomain(address(pool), ".ClaimTo.domain");
        Claim[] memory claims = new Claim[](1);
        claims[0] = Claim(0, 0, _word(".ClaimTo", ".contributorId"), 1, new bytes(48));
        address recipient = vm.parseJsonAddress(json, ".ClaimTo.recipient");
        uint256 deadline = _uint128(".ClaimTo", ".deadline");
        bytes memory signature = _sign(1, ".ClaimTo");
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, 0));
        pool.claimTo(claims, recipient, signature, deadline);
        address holder = address(uint160(uint256(claims[0].contributorId)));
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidSignature.selector, holder));
        pool.claimTo(claims, recipient, signature, deadline + 1);
    }

    function test_rightsMessages() public {
        _read("typed_data");
        RightsRegistry rights = RightsRegistry(vm.parseJsonAddress(json, ".rights"));
        deployCodeTo("RightsRegistry.sol:RightsRegistry", abi.encode(new ContributorRegistry()), address(rights));
        vm.chainId(_uint128("", ".chain_id"));
        _checkDomain(address(rights), ".Settle.domain");
        bytes32 contentHash = _word(".Settle", ".contentHash");
        Asset memory asset;
        asset.contentHash = contentHash;
        asset.stageHash = keccak256("data");
        asset.licenseHash = keccak256("MIT");
        asset.split = new Part[](1);
        asset.split[0] = Part(bytes32(uint256(1)), 1_000_000);
        bytes[] memory signatures = new bytes[](2);
        for (uint32 i = 0; i < 2; ++i) {
            vm.prank(vm.addr(vm.deriveKey(MNEMONIC, i)));
            rights.register(asset, "data", "MIT");
            signatures[i] = _sign(i, ".Settle");
        }
        rights.settle(contentHash, _word(".Settle", ".assetId"), _uint128(".Settle", ".deadline"), signatures);
        assertEq(rights.assetOf(contentHash), _word(".Settle", ".assetId"));
    }

    function _poolAtItsAddress() private returns (SettlementPool pool) {
        pool = SettlementPool(vm.parseJsonAddress(json, ".pool"));
        Terms memory terms = Terms({
            token: address(0),
            stageCount: 4,
            proposer: address(this),
            arbiter: address(0),
            registry: address(new ContributorRegistry()),
            challengeSeconds: 1 days,
            abandonSeconds: 0,
            bondWei: 0,
            demandBondWei: 0,
            termsHash: 0
        });
        deployCodeTo("SettlementPool.sol:SettlementPool", abi.encode(terms), address(pool));
    }

    function _checkDomain(address verifier, string memory domain) private view {
        (, string memory name, string memory version, uint256 chainId, address verifyingContract,,) =
            IERC5267(verifier).eip712Domain();
        assertEq(name, vm.parseJsonString(json, domain));
        assertEq(version, "1");
        assertEq(chainId, _uint128("", ".chain_id"));
        assertEq(verifyingContract, verifier);
    }

    function _sign(uint32 account, string memory message) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(vm.deriveKey(MNEMONIC, account), _word(message, ".digest"));
        return abi.encodePacked(r, s, v);
    }

    function _climbRange(string memory tree, string memory path) private view returns (bytes32, uint256) {
        uint256 first = _uint128(path, ".first");
        bytes32[] memory ids = new bytes32[](_uint128(path, ".count"));
        uint128[] memory amounts = new uint128[](ids.length);
        {
            bytes32[] memory all = vm.parseJsonBytes32Array(json, string.concat(tree, ".ids"));
            uint128[] memory allAmounts = _uint128s(tree, ".cumulatives");
            for (uint256 i = 0; i < ids.length; ++i) {
                (ids[i], amounts[i]) = (all[first + i], allAmounts[first + i]);
            }
        }
        bytes memory proof = vm.parseJsonBytes(json, string.concat(path, ".proof"));
        return harness.climbRange(ids, amounts, first, _uint128(tree, ".depth"), proof);
    }

    function _ledger(string memory path) private view returns (Ledger memory) {
        return Ledger(_word(path, ".root"), _uint128(path, ".total"), uint8(_uint128(path, ".depth")));
    }

    function _read(string memory name) private {
        json = vm.readFile(string.concat("tests/vectors/", name, ".json"));
        assertEq(vm.parseJsonString(json, ".format"), "ame-vectors/1");
    }

    function _at(string memory list, uint256 i) private pure returns (string memory) {
        return string.concat(list, "[", vm.toString(i), "]");
    }

    /// Whether the list has an i-th entry; a list without a first one would make a test of nothing.
    function _has(string memory list, uint256 i) private view returns (bool found) {
        found = vm.keyExistsJson(json, _at(list, i));
        assertTrue(found || i > 0, list);
    }

    function _word(string memory path, string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(path, key));
    }

    function _uint128(string memory path, string memory key) private view returns (uint128) {
        return uint128(vm.parseJsonUint(json, string.concat(path, key)));
    }

    function _uint128s(string memory path, string memory key) private view returns (uint128[] memory narrow) {
        uint256[] memory wide = vm.parseJsonUintArray(json, string.concat(path, key));
        narrow = new uint128[](wide.length);
        for (uint256 i = 0; i < wide.length; ++i) {
            narrow[i] = uint128(wide[i]);
        }
    }
}
