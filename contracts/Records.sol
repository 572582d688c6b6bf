// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a pool is, fixed for good. Its CREATE2 address follows from this and nothing else.
struct Terms {
    address token; // 0 is ETH
    uint8 stageCount; // 2 to 5
    address proposer; // who posts settlements: an EOA or a contract such as a Safe
    address arbiter; // may cancel a pending settlement and nothing else; 0 is nobody
    address registry; // ContributorRegistry
    uint32 challengeSeconds; // how long a settlement waits before it is active
    uint32 abandonSeconds; // without an active settlement for so long, deposits can go back; 0 is never
    uint96 bondWei; // locked behind each pending settlement
    uint96 demandBondWei; // paid by whoever demands that a leaf be shown
    bytes32 termsHash; // hash of the written terms
}

/// @notice One stage's append-only ledger: the commitment to a Merkle-sum tree.
struct Ledger {
    bytes32 root;
    uint128 total; // sum of all cumulative amounts
    uint8 depth; // 1 to 32
}

/// @notice What one settlement does to one stage. `afterwards.total - before.total` is the stage's amount.
struct StageUpdate {
    Ledger before;
    Ledger afterwards;
    bytes32 weightRoot; // of the weight tree, whose depth is that of `afterwards`
    uint128 weightTotal;
}

/// @notice What the proposer says of one stage; amounts and totals are computed by the chain.
struct StageProposal {
    bytes32 root; // ledger root after the settlement
    uint8 depth;
    bytes32 weightRoot;
    uint128 weightTotal;
}

/// @notice What somebody brought into a pool that can be abandoned.
struct Deposit {
    address depositor;
    uint256 amount; // as credited
}

/// @notice One leaf of a ledger, opened. `proof` is packed 48-byte siblings (hash ‖ uint128 sum), leaf to root.
struct Claim {
    uint8 stage;
    uint32 index;
    bytes32 contributorId;
    uint128 cumulative;
    bytes proof;
}

/// @notice Neighbouring leaves `first .. first + ids.length - 1` of one stage with one proof:
///         packed 48-byte nodes, per level from leaves to root the left boundary's sibling, then the right's, where needed.
struct RangeClaim {
    uint8 stage;
    bytes32[] contributorIds;
    uint128[] cumulatives;
    uint32 first;
    uint8 depth;
    bytes proof;
}

/// @notice One leaf of a ledger for a fraud proof. An empty leaf has id 0 and cumulative 0.
struct LeafProof {
    bytes32 contributorId;
    uint128 cumulative;
    bytes proof;
}

/// @notice One leaf of a weight tree for a fraud proof.
struct WeightProof {
    uint128 weight;
    bytes proof;
}
