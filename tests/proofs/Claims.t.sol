// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISettlementPool} from "../../contracts/interfaces/ISettlementPool.sol";
import {Claim, Ledger, StageProposal} from "../../contracts/Records.sol";
import {PoolProof} from "./support/PoolProof.sol";

/// A settlement of two accounts that get 10 and 20; claims of any content.
contract ClaimsProof is PoolProof {
    bytes32 private constant FIRST = bytes32(uint256(0xF1));
    bytes32 private constant SECOND = bytes32(uint256(0x5EC));

    function _settle() private {
        bytes32 root = _node(_leafHash(FIRST, 10), 10, _leafHash(SECOND, 20), 20);
        _post(_empty(), StageProposal(root, 1, 0, 1));
    }

    function _anyClaim(uint32 index) private view returns (Claim memory) {
        bytes memory proof = any.createBytes(48, "proof");
        return Claim(0, index, any.createBytes32("id"), uint128(any.createUint(128, "cumulative")), proof);
    }

    function _try(Claim memory item) private returns (bool ok, uint256 paid) {
        bytes memory answer;
        (ok, answer) = address(pool).call(abi.encodeCall(pool.claim, (item)));
        if (ok) paid = abi.decode(answer, (uint256));
    }

    function _refused(Claim memory item) private {
        (bool ok,) = _try(item);
        assert(!ok);
    }

    function check_pending_settlements_pay_nothing(uint32 seconds_) external {
        vm.assume(seconds_ < PERIOD);
        _settle();
        vm.warp(START + seconds_);
        _refused(_anyClaim(0));
        _refused(_anyClaim(1));
    }

    /// Not even where the pool holds more than it must, so that the look at its reserves stops nobody.
    function check_cancelled_settlements_pay_nothing() external {
        _settle();
        token.mint(address(pool), 100);
        vm.prank(ARBITER);
        pool.cancel();
        vm.warp(START + 2 * PERIOD);
        _refused(_anyClaim(0));
        _refused(_anyClaim(1));
    }

    /// Whatever is shown for the first leaf, twice: at most its 10, and to its account.
    function check_a_leaf_is_paid_once() external {
        _settle();
        vm.warp(START + PERIOD);
        (bool ok, uint256 first) = _try(_anyClaim(0));
        if (!ok) return;
        assert(first == 10);
        (, uint256 again) = _try(_anyClaim(0));
        assert(again == 0);
        assert(token.balanceOf(address(uint160(uint256(FIRST)))) == 10);
        assert(pool.claimed(0, FIRST) == 10);
    }

    function check_a_batch_pays_a_leaf_once() external {
        _settle();
        vm.warp(START + PERIOD);
        Claim[] memory items = new Claim[](2);
        (items[0], items[1]) = (_anyClaim(1), _anyClaim(1));
        (bool ok, bytes memory answer) = address(pool).call(abi.encodeCall(pool.claimBatch, (items)));
        if (!ok) return;
        uint256 paid = abi.decode(answer, (uint256));
        assert(paid == 20 || paid == 0); // an empty leaf of the empty ledger before, which is valid still, pays nothing
        assert(token.balanceOf(address(pool)) == 200 - paid);
    }

    function check_a_batch_pays_each_leaf_to_its_account() external {
        _settle();
        vm.warp(START + PERIOD);
        Claim[] memory items = new Claim[](2);
        items[0] = Claim(0, 0, FIRST, 10, abi.encodePacked(_leafHash(SECOND, 20), uint128(20)));
        items[1] = Claim(0, 1, SECOND, 20, abi.encodePacked(_leafHash(FIRST, 10), uint128(10)));
        assert(pool.claimBatch(items) == 30);
        assert(token.balanceOf(address(uint160(uint256(FIRST)))) == 10);
        assert(token.balanceOf(address(uint160(uint256(SECOND)))) == 20);
    }

    /// While a second settlement is pending, nothing but what the first one gave is paid.
    function check_the_next_settlement_pays_nothing_before_its_time(uint128 more) external {
        vm.assume(more > 0 && more <= AMOUNT);
        _settle();
        vm.warp(START + PERIOD);
        Ledger[] memory before = new Ledger[](2);
        bytes32 root = _node(_leafHash(FIRST, 10), 10, _leafHash(SECOND, 20), 20);
        before[0] = Ledger(root, AMOUNT, 1);
        before[1] = Ledger(bytes32(uint256(1)), 100 - AMOUNT, 1);
        _post(before, StageProposal(_node(_leafHash(FIRST, 10 + more), 10 + more, 0, 50 - more), 1, 0, 1));
        (bool ok, uint256 paid) = _try(_anyClaim(0));
        assert(!ok || paid == 10);
    }

    /// A claim by somebody else to somewhere else uses up the holder's nonce.
    function check_signatures_are_used_up(address recipient) external {
        _settle();
        vm.warp(START + PERIOD);
        Claim[] memory items = new Claim[](1);
        items[0] = Claim(0, 0, FIRST, 10, abi.encodePacked(_leafHash(SECOND, 20), uint128(20)));
        bytes memory signature = any.createBytes(65, "signature");
        bytes memory call = abi.encodeCall(pool.claimTo, (items, recipient, signature, type(uint256).max));
        (bool ok,) = address(pool).call(call);
        assert(pool.nonces(address(uint160(uint256(FIRST)))) == (ok ? 1 : 0));
    }

    function check_a_true_claim_succeeds() external {
        _settle();
        vm.warp(START + PERIOD);
        bytes memory proof = abi.encodePacked(_leafHash(SECOND, 20), uint128(20));
        (bool ok, uint256 paid) = _try(Claim(0, 0, FIRST, 10, proof));
        assert(ok && paid == 10);
    }

    /// Whatever of the pool's money is gone, by a token that shrinks or by false ledgers before: claims take none of the deposits.
    function check_claims_reach_no_deposit(uint128 gone) external {
        vm.assume(gone <= 100);
        _settle();
        vm.warp(START + PERIOD);
        vm.prank(address(pool));
        token.transfer(address(this), gone);
        _try(_anyClaim(0));
        _try(_anyClaim(1));
        assert(token.balanceOf(address(pool)) >= 100);
        assert(pool.reserved() == 100);
    }

    function check_late_signatures_are_refused(uint256 deadline, address sender, address recipient) external {
        _settle();
        vm.warp(START + PERIOD);
        vm.assume(deadline < START + PERIOD);
        vm.assume(sender != address(uint160(uint256(FIRST))) && sender != address(0));
        Claim[] memory items = new Claim[](1);
        items[0] = Claim(0, 0, FIRST, 10, abi.encodePacked(_leafHash(SECOND, 20), uint128(20)));
        bytes memory signature = any.createBytes(65, "signature");
        vm.prank(sender);
        (bool ok,) = address(pool).call(abi.encodeCall(pool.claimTo, (items, recipient, signature, deadline)));
        assert(!ok);
    }

    function check_settlements_are_active_by_time_alone(uint32 seconds_) external {
        vm.assume(seconds_ < 1 << 30);
        _settle();
        vm.warp(START + seconds_);
        (, ISettlementPool.Status now_,,) = pool.status();
        assert(now_ == (seconds_ < PERIOD ? ISettlementPool.Status.Pending : ISettlementPool.Status.Active));
    }

    function check_only_the_arbiter_cancels(address sender) external {
        vm.assume(sender != ARBITER);
        _settle();
        vm.prank(sender);
        (bool ok,) = address(pool).call(abi.encodeCall(pool.cancel, ()));
        assert(!ok);
    }

    function check_only_the_proposer_takes_the_bond(address sender) external {
        vm.assume(sender != address(this));
        _settle();
        vm.warp(START + PERIOD);
        vm.prank(sender);
        (bool ok,) = address(pool).call(abi.encodeCall(pool.withdrawBond, (sender)));
        assert(!ok);
    }
}
