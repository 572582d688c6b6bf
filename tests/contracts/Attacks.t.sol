// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleSum} from "../../contracts/libraries/MerkleSum.sol";
import {Claims} from "../../contracts/pool/Claims.sol";
import {PoolBase} from "../../contracts/pool/PoolBase.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {TestToken} from "../../contracts/test/TestToken.sol";
import {Claim, RangeClaim, StageProposal} from "../../contracts/Records.sol";
import {Multicall3} from "./support/Multicall3.sol";
import {PoolTest} from "./support/PoolTest.sol";
import {Wallet1271} from "./support/Wallet1271.sol";

/// Signatures, many pools at once, and what a lying proposer or a malformed call could try.
contract AttacksTest is PoolTest {
    address private artist;
    uint256 private artistKey;

    function setUp() public override {
        super.setUp();
        (artist, artistKey) = makeAddrAndKey("artist");
    }

    /// A settlement whose stage 0 has `payee` at index 2.
    function _settleFor(address payee) private returns (Claim[] memory items) {
        _deposit(REVENUE);
        _prepare(4);
        books[latest][0].ids[2] = bytes32(uint256(uint160(payee)));
        _post();
        skip(PERIOD);
        items = new Claim[](1);
        items[0] = _claim(0, 2);
    }

    /// Written out by hand, for any chain and contract, so that a wrong type string or domain would show.
    function _sign(uint256 chain, address target, bytes32 id, address recipient, uint256 nonce, uint256 deadline)
        private
        view
        returns (bytes memory)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("AME SettlementPool"),
                keccak256("1"),
                chain,
                target
            )
        );
        bytes32 kind = keccak256("ClaimTo(bytes32 contributorId,address recipient,uint256 nonce,uint256 deadline)");
        bytes32 message = keccak256(abi.encode(kind, id, recipient, nonce, deadline));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(artistKey, keccak256(abi.encodePacked("\x19\x01", domain, message)));
        return abi.encodePacked(r, s, v);
    }

    function _refused(Claim[] memory items, uint256 deadline, bytes memory signature, bytes memory reason) private {
        vm.expectRevert(reason);
        pool.claimTo(items, outsider, signature, deadline);
    }

    function test_attack_replay_on_another_chain_or_another_pool() public {
        Claim[] memory items = _settleFor(artist);
        bytes32 id = items[0].contributorId;
        bytes memory reason = abi.encodeWithSelector(Claims.InvalidSignature.selector, artist);
        uint256 time = block.timestamp;
        _refused(items, time, _sign(block.chainid + 1, address(pool), id, outsider, 0, time), reason);
        _refused(items, time, _sign(block.chainid, address(registry), id, outsider, 0, time), reason);
        bytes memory good = _sign(block.chainid, address(pool), id, outsider, 0, time);
        vm.chainId(block.chainid + 1); // a fork of the chain on which the pool stands as well
        _refused(items, time, good, reason);
        vm.chainId(block.chainid - 1);
        pool.claimTo(items, outsider, good, time);
    }

    function test_attack_malleable_signature_of_a_claim() public {
        Claim[] memory items = _settleFor(artist);
        bytes memory good = _sign(block.chainid, address(pool), items[0].contributorId, outsider, 0, block.timestamp);
        (bytes32 r, bytes32 s) = abi.decode(good, (bytes32, bytes32));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes memory twin = abi.encodePacked(r, order - uint256(s), uint8(good[64]) == 27 ? uint8(28) : uint8(27));
        bytes memory reason = abi.encodeWithSelector(Claims.InvalidSignature.selector, artist);
        _refused(items, block.timestamp, twin, reason);
        _refused(items, block.timestamp, abi.encodePacked(r, s), reason);
        _refused(items, block.timestamp, "", reason);
        assertGt(pool.claimTo(items, outsider, good, block.timestamp), 0);
        _refused(items, block.timestamp, twin, reason); // nor a second time
    }

    function test_attack_expired_signature_of_a_claim() public {
        Claim[] memory items = _settleFor(artist);
        uint256 deadline = vm.getBlockTimestamp(); // via IR, block.timestamp would be read again after the skip
        bytes memory good = _sign(block.chainid, address(pool), items[0].contributorId, outsider, 0, deadline);
        skip(1);
        _refused(items, deadline, good, abi.encodeWithSelector(Claims.SignatureExpired.selector, deadline));
        _refused(items, deadline + 1, good, abi.encodeWithSelector(Claims.InvalidSignature.selector, artist));
    }

    function test_a_contract_wallet_signs_its_claims_by_erc_1271() public {
        Wallet1271 wallet = new Wallet1271(artist);
        Claim[] memory items = _settleFor(address(wallet));
        bytes32 id = items[0].contributorId;
        bytes memory signature = _sign(block.chainid, address(pool), id, outsider, 0, block.timestamp);
        wallet.setOwner(auditor); // the wallet decides what is valid at the time of the claim
        _refused(
            items, block.timestamp, signature, abi.encodeWithSelector(Claims.InvalidSignature.selector, address(wallet))
        );
        wallet.setOwner(artist);
        assertEq(pool.claimTo(items, outsider, signature, block.timestamp), items[0].cumulative);
        assertEq(token.balanceOf(outsider), items[0].cumulative);
        assertEq(pool.nonces(address(wallet)), 1);
    }

    /// Two pools of tokens and one of ETH: everybody's money in one transaction of somebody else, and one call twice.
    function test_many_pools_are_claimed_from_in_one_transaction() public {
        SettlementPool[3] memory pools;
        pools[0] = pool;
        pools[1] = SettlementPool(factory.createPool(_terms(address(new TestToken("Euro", "TEUR", 18))), "other token"));
        pools[2] = SettlementPool(factory.createPool(_terms(address(0)), "ether"));
        _prepare(4);
        for (uint256 i = 0; i < 3; ++i) {
            pool = pools[i];
            token = TestToken(pool.terms().token);
            vm.deal(customer, REVENUE);
            if (i < 2) _deposit(REVENUE);
            vm.prank(customer);
            if (i == 2) pool.deposit{value: REVENUE}(REVENUE, "invoice");
            _post();
        }
        skip(PERIOD);
        Multicall3.Call3[] memory calls = new Multicall3.Call3[](6);
        for (uint256 i = 0; i < 3; ++i) {
            calls[2 * i] = Multicall3.Call3(address(pools[i]), false, abi.encodeCall(pool.claim, (_claim(0, 2))));
            calls[2 * i + 1] =
                Multicall3.Call3(address(pools[i]), false, abi.encodeCall(pool.claimRange, (_range(0, 0, 4))));
        }
        Multicall3 multicall = new Multicall3();
        vm.prank(outsider);
        Multicall3.Result[] memory results = multicall.aggregate3(calls);
        uint256 stage = updates[0].afterwards.total;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 first = abi.decode(results[2 * i].returnData, (uint256));
            assertEq(first, books[1][0].cumulatives[2]);
            assertEq(abi.decode(results[2 * i + 1].returnData, (uint256)), stage - first);
            assertEq(pools[i].unclaimed(), REVENUE - stage);
        }
        assertEq(_account(_id(0, 2)).balance, books[1][0].cumulatives[2]);
        assertEq(TestToken(pools[1].terms().token).balanceOf(_account(_id(0, 2))), books[1][0].cumulatives[2]);
    }

    function test_attack_one_leaf_three_times_in_a_batch_pays_once() public {
        Claim[] memory one = _settleFor(artist);
        Claim[] memory items = new Claim[](3);
        (items[0], items[1], items[2]) = (one[0], one[0], one[0]);
        uint256 snapshot = vm.snapshotState();
        assertEq(pool.claimBatch(items), one[0].cumulative);
        vm.revertToState(snapshot);
        vm.prank(artist);
        assertEq(pool.claimTo(items, artist, "", 0), one[0].cumulative);
        assertEq(pool.unclaimed(), REVENUE - one[0].cumulative);
    }

    /// A root of zero, or of a lone hash, is a ledger that nobody can open: it pays nobody.
    function test_attack_a_zero_root_opens_nothing() public {
        _deposit(REVENUE);
        _prepare(4);
        StageProposal[] memory stages = _proposals();
        stages[0].root = 0;
        _post(_before(), stages);
        skip(PERIOD);
        Claim memory item = Claim(0, 0, bytes32(uint256(1)), 1, new bytes(48 * uint256(stages[0].depth)));
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, 0));
        pool.claim(item);
        (item.contributorId, item.cumulative) = (0, 0);
        vm.expectRevert(abi.encodeWithSelector(Claims.InvalidProof.selector, 0));
        pool.claim(item);
        item.proof = "";
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        pool.claim(item);
        assertEq(pool.unclaimed(), REVENUE);
    }

    /// An amount of more than 128 bits in the call's data is not cut to a smaller one.
    function test_attack_an_amount_beyond_128_bits_is_refused() public {
        _settle(4);
        RangeClaim memory range = _range(0, 0, 2);
        bytes memory data = abi.encodeCall(pool.claimRange, (range));
        // selector, offset; stage, first, depth, three offsets; ids: length and 2; amounts: length, then the first.
        uint256 place = 4 + 32 * (1 + 6 + 3 + 1);
        data[place] = 0x01;
        vm.expectRevert(MerkleSum.MalformedProof.selector);
        this.send(data);
        data[place] = 0x00;
        this.send(data);
        assertEq(pool.claimed(0, range.contributorIds[0]), range.cumulatives[0]);
    }

    function send(bytes calldata data) external {
        (bool ok, bytes memory reason) = address(pool).call(data);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }

    /// Bonds of an ETH pool are ETH as the revenue is: a false ledger reaches neither those held nor those kept for a refuser.
    function test_attack_a_false_ledger_of_an_ether_pool_reaches_no_bonds() public {
        pool = SettlementPool(factory.createPool(_terms(address(0)), "ether"));
        vm.deal(customer, 2 * REVENUE);
        vm.startPrank(customer);
        pool.deposit{value: 2 * REVENUE}(2 * REVENUE, "invoice");
        vm.stopPrank();
        _prepare(4);
        _post();
        _demand(0, 0);
        vm.prank(arbiter);
        pool.cancel();
        assertEq(pool.reserved(), 2 * REVENUE + BOND + DEMAND_BOND);
        _prepareAgain();
        for (uint8 s = 0; s < STAGES; ++s) {
            pool.claimRange(_range(s, 0, 4));
        }
        assertEq(pool.unclaimed(), 0);
        (previous, latest) = (latest, latest + 1);
        _copyAsLie();
        _post();
        skip(PERIOD);
        pool.claimRange(_range(1, 0, 4));
        pool.claimRange(_range(2, 0, 4));
        Claim memory lie = _claim(0, 2);
        uint256 amount = lie.cumulative - pool.claimed(0, lie.contributorId);
        assertGt(amount, pool.unclaimed());
        uint256 held = BOND + DEMAND_BOND;
        assertEq(pool.reserved(), held);
        vm.expectRevert(
            abi.encodeWithSelector(PoolBase.ReachesReserves.selector, held + pool.unclaimed() - amount, held)
        );
        pool.claim(lie);
        pool.reclaimDemandBond(1, 0, 0);
        vm.prank(operator);
        pool.withdrawBond(operator);
        assertEq(pool.reserved(), 0);
    }

    /// The cancelled books, posted again and active.
    function _prepareAgain() private {
        previous = 0;
        _post();
        skip(PERIOD);
    }

    /// Books of the next settlement in which one leaf of stage 0 gets the whole stage, of all settlements.
    function _copyAsLie() private {
        uint256 kept = latest;
        latest = previous;
        _prepare(0);
        assertEq(latest, kept);
        uint128 total = 0;
        for (uint256 i = 0; i < 4; ++i) {
            total += books[latest][0].cumulatives[i];
            books[latest][0].cumulatives[i] = 0;
        }
        books[latest][0].cumulatives[2] = total;
    }
}
