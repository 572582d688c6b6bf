// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ContributorRegistry} from "../../../contracts/ContributorRegistry.sol";
import {SettlementPool} from "../../../contracts/SettlementPool.sol";
import {TestToken} from "../../../contracts/test/TestToken.sol";
import {Ledger, StageProposal, StageUpdate, Terms} from "../../../contracts/Records.sol";
import {Proof} from "./Proof.sol";

/// A pool of two stages, which get 30 and 70 of each settlement's 100; this contract proposes. Stage 0 is looked at.
abstract contract PoolProof is Proof {
    uint32 internal constant PERIOD = 1000;
    uint256 internal constant START = 1_767_225_600;
    uint128 internal constant AMOUNT = 30;
    address internal constant ARBITER = address(0xA4B);

    SettlementPool internal pool;
    TestToken internal token;

    function setUp() public {
        vm.warp(START);
        token = new TestToken("Test Dollar", "TUSD", 6);
        pool = new SettlementPool(
            Terms({
                token: address(token),
                stageCount: 2,
                proposer: address(this),
                arbiter: ARBITER,
                registry: address(new ContributorRegistry()),
                challengeSeconds: PERIOD,
                abandonSeconds: 0,
                bondWei: 0, // Halmos knows nothing of gas, which sending ether asks for
                demandBondWei: 0,
                termsHash: ""
            })
        );
        _emptyLedgers();
        token.mint(address(this), 200);
        token.approve(address(pool), 200);
        pool.deposit(200, "");
    }

    /// In a constructor, Halmos does not make new memory zero as the EVM does, so the empty ledgers' words are put right here.
    function _emptyLedgers() private {
        bytes32 word = keccak256(abi.encodePacked(keccak256(new bytes(96)), uint128(0), uint8(1)));
        for (uint8 stage = 0; stage < 2; ++stage) {
            (bytes32 found,) = pool.commitments(stage);
            uint256 slot = 0;
            while (vm.load(address(pool), bytes32(slot)) != found) ++slot;
            vm.store(address(pool), bytes32(slot), word);
        }
    }

    function _table() internal pure returns (int128[] memory table) {
        table = new int128[](4);
        (table[1], table[2], table[3]) = (30, 70, 100);
    }

    function _empty() internal pure returns (Ledger[] memory before) {
        before = new Ledger[](2);
        before[0] = before[1] = Ledger(keccak256(new bytes(96)), 0, 1);
    }

    /// Posts what `stage` says of stage 0; what becomes of stage 1 is of no interest.
    function _post(Ledger[] memory before, StageProposal memory stage) internal returns (StageUpdate[] memory updates) {
        StageProposal[] memory stages = new StageProposal[](2);
        (stages[0], stages[1]) = (stage, StageProposal(bytes32(uint256(1)), 1, 0, 1));
        updates = new StageUpdate[](2);
        uint128[2] memory amounts = [AMOUNT, 100 - AMOUNT];
        for (uint256 i = 0; i < 2; ++i) {
            Ledger memory afterwards = Ledger(stages[i].root, before[i].total + amounts[i], stages[i].depth);
            updates[i] = StageUpdate(before[i], afterwards, stages[i].weightRoot, stages[i].weightTotal);
        }
        pool.propose(_table(), before, stages, "");
    }

    function _leafHash(bytes32 id, uint128 cumulative) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(id, cumulative));
    }

    function _node(bytes32 left, uint128 leftSum, bytes32 right, uint128 rightSum) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(left, leftSum, right, rightSum));
    }
}
