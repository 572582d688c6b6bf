// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ContributorRegistry} from "../../contracts/ContributorRegistry.sol";
import {RightsRegistry} from "../../contracts/RightsRegistry.sol";
import {ISettlementPool} from "../../contracts/interfaces/ISettlementPool.sol";
import {Asset, Part} from "../../contracts/interfaces/IRightsRegistry.sol";
import {Challenges} from "../../contracts/pool/Challenges.sol";
import {Claims} from "../../contracts/pool/Claims.sol";
import {PoolBase} from "../../contracts/pool/PoolBase.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {
    Claim,
    Deposit,
    LeafProof,
    Ledger,
    RangeClaim,
    StageProposal,
    Terms,
    WeightProof
} from "../../contracts/Records.sol";
import {PoolTest} from "./support/PoolTest.sol";

/// A stranger sees each transaction before it is mined and sends the same first. One test for every function that writes;
/// docs/protocol.md lists them. The stranger never gains what is not a reward for work done, and never stops anybody for good.
contract FrontRunTest is PoolTest {
    uint256 private constant ARTIST = 0xa11;
    uint256 private constant REGISTRAR = 0x4e6;
    bytes32 private constant NAME = keccak256("hf:artist");
    bytes32 private constant CONTENT = keccak256("an image set");

    /// The stranger's transaction, which must fail with the reason, or succeed if that is empty.
    function _stranger(address target, bytes memory data, bytes memory reason) private {
        vm.prank(outsider);
        (bool ok, bytes memory found) = target.call(data);
        assertEq(ok, reason.length == 0);
        if (!ok) assertEq(found, reason);
    }

    function _stranger(bytes memory data, bytes memory reason) private {
        _stranger(address(pool), data, reason);
    }

    // Pool: money in

    function test_frontrun_deposit() public {
        _depositAs(outsider, 5);
        assertEq(_deposit(10), 10);
        assertEq(pool.unallocated(), 15);
    }

    function test_frontrun_refund() public {
        _deposit(10);
        skip(ABANDON);
        (bytes32 hashBefore, Deposit[] memory newest) = _latestDeposits(1);
        _stranger(abi.encodeCall(pool.refund, (hashBefore, newest)), ""); // closes the pool and pays the depositor
        assertEq(token.balanceOf(customer), 10);
        assertEq(token.balanceOf(outsider), 0);
    }

    // Pool: settlements

    function test_frontrun_propose() public {
        _deposit(REVENUE);
        _prepare(4);
        (Ledger[] memory before, StageProposal[] memory stages) = (_before(), _proposals());
        _stranger(
            abi.encodeCall(pool.propose, (table, before, stages, "evidence")),
            abi.encodeWithSelector(SettlementPool.NotProposer.selector, outsider)
        );
        _depositAs(outsider, 1); // nor does a deposit in between change what is proposed
        _post(before, stages);
        assertEq(pool.pendingRevenue(), REVENUE);
    }

    function test_frontrun_cancel() public {
        _propose(4);
        _stranger(abi.encodeCall(pool.cancel, ()), abi.encodeWithSelector(SettlementPool.NotArbiter.selector, outsider));
        vm.prank(arbiter);
        pool.cancel();
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Cancelled));
    }

    function test_frontrun_withdrawBond() public {
        _settle(4);
        _stranger(
            abi.encodeCall(pool.withdrawBond, (outsider)),
            abi.encodeWithSelector(SettlementPool.NotProposer.selector, outsider)
        );
        vm.prank(operator);
        pool.withdrawBond(operator);
        assertEq(operator.balance, 100 ether);
    }

    // Pool: claims

    function test_frontrun_claim() public {
        _settle(4);
        _stranger(abi.encodeCall(pool.claim, (_claim(0, 2))), "");
        assertEq(token.balanceOf(_account(_id(0, 2))), books[1][0].cumulatives[2]);
        assertEq(pool.claim(_claim(0, 2)), 0); // and nothing reverts
    }

    function test_frontrun_claimBatch() public {
        _settle(4);
        Claim[] memory items = new Claim[](2);
        (items[0], items[1]) = (_claim(0, 2), _claim(1, 3));
        _stranger(abi.encodeCall(pool.claim, (items[0])), "");
        assertEq(pool.claimBatch(items), items[1].cumulative);
        _stranger(abi.encodeCall(pool.claimBatch, (items)), "");
        assertEq(token.balanceOf(outsider), 0);
    }

    function test_frontrun_claimRange() public {
        _settle(4);
        RangeClaim memory range = _range(0, 0, 4);
        _stranger(abi.encodeCall(pool.claim, (_claim(0, 2))), "");
        assertEq(pool.claimRange(range), updates[0].afterwards.total - books[1][0].cumulatives[2]);
        _stranger(abi.encodeCall(pool.claimRange, (range)), "");
        assertEq(token.balanceOf(outsider), 0);
    }

    function test_frontrun_claimTo() public {
        _deposit(REVENUE);
        _prepare(4);
        bytes32 id = bytes32(uint256(uint160(vm.addr(ARTIST))));
        books[1][0].ids[2] = id;
        _post();
        skip(PERIOD);
        Claim[] memory items = new Claim[](1);
        items[0] = _claim(0, 2);
        bytes memory signature = _sign(
            ARTIST,
            "AME SettlementPool",
            address(pool),
            keccak256(
                abi.encode(
                    keccak256("ClaimTo(bytes32 contributorId,address recipient,uint256 nonce,uint256 deadline)"),
                    id,
                    auditor,
                    0,
                    block.timestamp
                )
            )
        );
        uint256 snapshot = vm.snapshotState();
        // The same call: the money goes where the holder wanted it, and the signature is used up.
        _stranger(abi.encodeCall(pool.claimTo, (items, auditor, signature, block.timestamp)), "");
        assertEq(token.balanceOf(auditor), items[0].cumulative);
        vm.revertToState(snapshot);
        // Another recipient: no.
        _stranger(
            abi.encodeCall(pool.claimTo, (items, outsider, signature, block.timestamp)),
            abi.encodeWithSelector(Claims.InvalidSignature.selector, vm.addr(ARTIST))
        );
        // A plain claim: pays the payout address; the signed one then reverts and stays good for the next settlement.
        _stranger(abi.encodeCall(pool.claim, (items[0])), "");
        vm.expectRevert(abi.encodeWithSelector(Claims.NothingToClaim.selector, id));
        pool.claimTo(items, auditor, signature, block.timestamp);
        assertEq(token.balanceOf(vm.addr(ARTIST)), items[0].cumulative);
        assertEq(pool.nonces(vm.addr(ARTIST)), 0);
    }

    function test_frontrun_withdrawOwed() public {
        _settle(4);
        address payee = _account(_id(0, 2));
        vm.mockCallRevert(address(token), abi.encodeWithSelector(token.transfer.selector, payee), "");
        pool.claim(_claim(0, 2));
        _stranger(
            abi.encodeCall(pool.withdrawOwed, (_id(0, 2), outsider)),
            abi.encodeWithSelector(Claims.NotHolder.selector, _id(0, 2), outsider)
        );
        vm.prank(payee);
        assertGt(pool.withdrawOwed(_id(0, 2), auditor), 0);
    }

    // Pool: challenges. Whoever shows a fraud first gets the reward; the fraud is stopped all the same.

    function _lie() private {
        _deposit(REVENUE);
        _prepare(4);
        books[1][0].cumulatives[2] += 1;
        books[1][0].cumulatives[3] -= 1;
        _post();
    }

    function _assertStopped(uint256 before) private {
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Cancelled));
        assertEq(outsider.balance, before + BOND / 2);
        assertEq(pool.unallocated(), REVENUE);
    }

    function test_frontrun_challengeTransition() public {
        _lie();
        uint256 before = outsider.balance;
        bytes memory data =
            abi.encodeCall(pool.challengeTransition, (updates, 0, 2, _leaf(0, 0, 2), _leaf(1, 0, 2), _weight(0, 2)));
        _stranger(data, "");
        _assertStopped(before);
        vm.prank(auditor);
        (bool ok, bytes memory reason) = address(pool).call(data);
        assertFalse(ok);
        assertEq(bytes4(reason), PoolBase.NotPending.selector);
    }

    function test_frontrun_challengeTotal() public {
        _deposit(REVENUE);
        _prepare(4);
        StageProposal[] memory stages = _proposals();
        bytes memory top = abi.encodePacked(bytes32("left"), uint128(1), bytes32("right"), uint128(1));
        stages[0].root = keccak256(top);
        _post(_before(), stages);
        uint256 before = outsider.balance;
        _stranger(abi.encodeCall(pool.challengeTotal, (updates, 0, false, top)), "");
        _assertStopped(before);
    }

    function test_frontrun_challengeDuplicate() public {
        _deposit(REVENUE);
        _prepare(4);
        books[1][0].ids[3] = books[1][0].ids[0];
        _post();
        uint256 before = outsider.balance;
        (LeafProof memory first, LeafProof memory second) = (_leaf(1, 0, 0), _leaf(1, 0, 3));
        _stranger(
            abi.encodeCall(
                pool.challengeDuplicate,
                (updates, 0, first.contributorId, 0, first.cumulative, first.proof, 3, second.cumulative, second.proof)
            ),
            ""
        );
        _assertStopped(before);
    }

    function test_frontrun_demand() public {
        _propose(4);
        vm.prank(outsider);
        pool.demand{value: DEMAND_BOND}(updates, 0, 2);
        vm.expectRevert(abi.encodeWithSelector(Challenges.AlreadyDemanded.selector, 0, 2));
        vm.prank(auditor);
        pool.demand{value: DEMAND_BOND}(updates, 0, 2); // which must be answered anyway
        _answer(0, 2);
        assertEq(outsider.balance, 100 ether - DEMAND_BOND);
    }

    function test_frontrun_answer() public {
        _propose(4);
        _demand(0, 2);
        LeafProof memory afterwards = _leaf(1, 0, 2);
        WeightProof memory weight = _weight(0, 2);
        bytes memory data = abi.encodeCall(pool.answer, (updates, 0, 2, _leaf(0, 0, 2), afterwards, weight));
        _stranger(data, ""); // earns the demand's bond for the work of answering; the settlement goes on
        assertEq(outsider.balance, 100 ether + DEMAND_BOND);
        skip(2 * PERIOD);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Active));
    }

    function test_frontrun_cancelUnanswered() public {
        _propose(4);
        _demand(0, 2);
        skip(PERIOD / 4);
        _stranger(abi.encodeCall(pool.cancelUnanswered, (0, 2)), "");
        assertEq(outsider.balance, 100 ether); // reward and bond are the demander's, whoever sends it
        assertEq(auditor.balance, 100 ether + BOND / 2);
    }

    function test_frontrun_reclaimDemandBond() public {
        _propose(4);
        _demand(0, 2);
        vm.prank(arbiter);
        pool.cancel();
        _stranger(abi.encodeCall(pool.reclaimDemandBond, (1, 0, 2)), "");
        assertEq(auditor.balance, 100 ether);
        assertEq(outsider.balance, 100 ether);
    }

    function test_frontrun_withdrawCredit() public {
        _propose(4);
        _demand(0, 2);
        vm.prank(arbiter);
        pool.cancel();
        vm.etch(auditor, hex"fe");
        pool.reclaimDemandBond(1, 0, 2);
        assertEq(pool.credits(auditor), DEMAND_BOND);
        _stranger(
            abi.encodeCall(pool.withdrawCredit, (outsider)),
            abi.encodeWithSelector(Challenges.NoCredit.selector, outsider)
        );
        vm.prank(auditor);
        assertEq(pool.withdrawCredit(customer), DEMAND_BOND);
    }

    // Factory

    function test_frontrun_createPool() public {
        Terms memory terms = _terms(address(token));
        bytes memory data = abi.encodeCall(factory.createPool, (terms, "mine"));
        _stranger(address(factory), data, "");
        SettlementPool made = SettlementPool(factory.poolAddress(terms, "mine"));
        assertTrue(factory.isPool(address(made)));
        assertEq(made.terms().proposer, operator); // the pool that was wanted, where it was wanted
        vm.expectRevert();
        factory.createPool(terms, "mine");
    }

    // ContributorRegistry

    function _sign(uint256 key, string memory name, address target, bytes32 message)
        private
        view
        returns (bytes memory)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                target
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, message)));
        return abi.encodePacked(r, s, v);
    }

    function _bindCall(address payout, address signedPayout) private view returns (bytes memory, bytes32 id) {
        address artist = vm.addr(ARTIST);
        id = registry.namedId(vm.addr(REGISTRAR), NAME);
        uint256 time = block.timestamp;
        bytes32 vouch = keccak256(
            abi.encode(
                keccak256("Vouch(bytes32 externalIdHash,address holder,uint32 recoverySeconds,uint256 deadline)"),
                NAME,
                artist,
                7 days,
                time
            )
        );
        bytes32 consent = keccak256(
            abi.encode(
                keccak256(
                    "Bind(bytes32 contributorId,address holder,address payout,uint32 recoverySeconds,uint256 nonce,uint256 deadline)"
                ),
                id,
                artist,
                signedPayout,
                7 days,
                0,
                time
            )
        );
        return (
            abi.encodeCall(
                registry.bind,
                (
                    vm.addr(REGISTRAR),
                    NAME,
                    artist,
                    payout,
                    7 days,
                    time,
                    time,
                    _sign(REGISTRAR, "AME ContributorRegistry", address(registry), vouch),
                    _sign(ARTIST, "AME ContributorRegistry", address(registry), consent)
                )
            ),
            id
        );
    }

    function _bound() private returns (bytes32 id) {
        bytes memory data;
        (data, id) = _bindCall(customer, customer);
        _stranger(address(registry), data, "");
    }

    function test_frontrun_bind() public {
        (bytes memory stolen,) = _bindCall(outsider, customer);
        _stranger(
            address(registry),
            stolen,
            abi.encodeWithSelector(ContributorRegistry.InvalidSignature.selector, vm.addr(ARTIST))
        );
        bytes32 id = _bound(); // the same call binds what both have signed
        assertEq(registry.holderOf(id), vm.addr(ARTIST));
        assertEq(registry.payoutOf(id), customer);
    }

    function test_frontrun_setPayout() public {
        bytes32 id = _bound();
        _strangerIsNotAllowed(id, abi.encodeCall(registry.setPayout, (id, outsider)));
        vm.prank(vm.addr(ARTIST));
        registry.setPayout(id, auditor);
        assertEq(registry.payoutOf(id), auditor);
    }

    function _strangerIsNotAllowed(bytes32 id, bytes memory data) private {
        _stranger(
            address(registry), data, abi.encodeWithSelector(ContributorRegistry.NotAllowed.selector, id, outsider)
        );
    }

    function test_frontrun_setPayoutWithSignature() public {
        bytes32 id = _bound();
        bytes32 kind = keccak256("SetPayout(bytes32 contributorId,address payout,uint256 nonce,uint256 deadline)");
        bytes32 message = keccak256(abi.encode(kind, id, auditor, 1, block.timestamp));
        bytes memory signature = _sign(ARTIST, "AME ContributorRegistry", address(registry), message);
        bytes memory refused = abi.encodeWithSelector(ContributorRegistry.InvalidSignature.selector, vm.addr(ARTIST));
        bytes memory stolen =
            abi.encodeCall(registry.setPayoutWithSignature, (id, outsider, block.timestamp, signature));
        bytes memory same = abi.encodeCall(registry.setPayoutWithSignature, (id, auditor, block.timestamp, signature));
        _stranger(address(registry), stolen, refused);
        _stranger(address(registry), same, "");
        assertEq(registry.payoutOf(id), auditor);
        _stranger(address(registry), same, refused); // once
    }

    function test_frontrun_startHolderTransfer_and_acceptHolderTransfer() public {
        bytes32 id = _bound();
        _strangerIsNotAllowed(id, abi.encodeCall(registry.startHolderTransfer, (id, outsider)));
        vm.prank(vm.addr(ARTIST));
        registry.startHolderTransfer(id, auditor);
        _strangerIsNotAllowed(id, abi.encodeCall(registry.acceptHolderTransfer, (id, outsider)));
        vm.prank(auditor);
        registry.acceptHolderTransfer(id, auditor);
        assertEq(registry.holderOf(id), auditor);
    }

    function test_frontrun_startRecovery_vetoRecovery_and_finishRecovery() public {
        bytes32 id = _bound();
        _strangerIsNotAllowed(id, abi.encodeCall(registry.startRecovery, (id, outsider)));
        vm.prank(vm.addr(REGISTRAR));
        registry.startRecovery(id, auditor);
        _strangerIsNotAllowed(id, abi.encodeCall(registry.vetoRecovery, (id)));
        skip(7 days);
        _strangerIsNotAllowed(id, abi.encodeCall(registry.finishRecovery, (id, outsider)));
        vm.prank(auditor);
        registry.finishRecovery(id, auditor);
        assertEq(registry.holderOf(id), auditor);
    }

    // RightsRegistry

    function _asset(address holder) private pure returns (Asset memory asset) {
        asset = Asset(CONTENT, keccak256("prompt"), keccak256("CC-BY-4.0"), new bytes32[](0), new Part[](1));
        asset.split[0] = Part(bytes32(uint256(uint160(holder))), 1_000_000);
    }

    function test_frontrun_register_transferPart_and_settle() public {
        RightsRegistry rights = new RightsRegistry(registry);
        address artist = vm.addr(ARTIST);
        _stranger(address(rights), abi.encodeCall(rights.register, (_asset(outsider), "prompt", "CC-BY-4.0")), "");
        vm.prank(artist); // an asset's id has its registrant in it: the artist's is free, and the content is contested
        bytes32 id = rights.register(_asset(artist), "prompt", "CC-BY-4.0");
        assertTrue(rights.isContested(CONTENT));
        assertEq(rights.assetOf(CONTENT), 0);
        bytes32 own = bytes32(uint256(uint160(artist)));
        bytes32 thief = bytes32(uint256(uint160(outsider)));
        _stranger(
            address(rights),
            abi.encodeCall(rights.transferPart, (id, _asset(artist), own, thief, 1)),
            abi.encodeWithSelector(RightsRegistry.NotHolder.selector, own, outsider)
        );
        // The stranger cannot settle alone, whatever stands in the signatures.
        _stranger(
            address(rights),
            abi.encodeCall(
                rights.settle, (CONTENT, rights.assetIdOf(outsider, CONTENT), block.timestamp, new bytes[](2))
            ),
            abi.encodeWithSelector(RightsRegistry.InvalidSignature.selector, artist)
        );
    }
}
