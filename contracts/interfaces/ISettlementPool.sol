// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    Claim,
    Deposit,
    LeafProof,
    Ledger,
    RangeClaim,
    StageProposal,
    StageUpdate,
    Terms,
    WeightProof
} from "../Records.sol";

/// @title Holds one platform's revenue in one token and pays it out
/// @notice No owner, no upgrade, no pause, no fee. A settlement waits `challengeSeconds` and is then active by time alone.
interface ISettlementPool {
    enum Status {
        None, // no such settlement
        Pending,
        Active, // active, or was
        Cancelled
    }

    enum CancelReason {
        Arbiter,
        WrongTransition,
        WrongTotal,
        DuplicateId,
        UnansweredDemand
    }

    event Deposited(address indexed depositor, bytes32 indexed depositReference, uint256 amount);
    event Proposed(
        uint64 indexed number,
        int128[] table,
        uint128[] amounts,
        StageUpdate[] stages,
        bytes32 evidence,
        uint64 activeAt
    );
    event Cancelled(uint64 indexed number, CancelReason reason, address by, uint256 bondToChallenger);
    /// @notice `amount` is what this claim paid; `cumulative` what the contributor has been paid in the stage ever.
    event Claimed(
        uint8 indexed stage,
        bytes32 indexed contributorId,
        address indexed recipient,
        uint128 amount,
        uint128 cumulative
    );
    event Owed(bytes32 indexed contributorId, uint256 amount);
    event OwedWithdrawn(bytes32 indexed contributorId, address indexed recipient, uint256 amount);
    event Demanded(
        uint64 indexed number, uint8 stage, uint32 index, address indexed by, uint64 activeAt, uint64 answerUntil
    );
    /// @notice Everything that was shown, for everybody: the siblings of these proofs tell where the rest of the trees lies.
    event Answered(
        uint64 indexed number,
        uint8 stage,
        uint32 index,
        address indexed by,
        LeafProof before,
        LeafProof afterwards,
        WeightProof weight
    );
    event DemandBondReturned(uint64 indexed number, uint8 stage, uint32 index, address indexed by);
    /// @notice A bond payment that its receiver refused and can withdraw.
    event CreditKept(address indexed receiver, uint256 amount);
    event CreditWithdrawn(address indexed receiver, address indexed recipient, uint256 amount);
    event BondWithdrawn(address indexed recipient, uint256 amount);
    event Abandoned(uint256 unallocated);
    event Refunded(address indexed depositor, uint256 amount);

    /// @notice Pulls `amount` of the token (or takes the ETH sent, which must equal it) and credits what really arrived.
    function deposit(uint256 amount, bytes32 depositReference) external payable returns (uint256 credited);

    /// @notice Posts the next settlement. The chain computes the stage amounts (Shapley values of the table).
    /// @param table Value of each coalition of stages, in base units; index is the bit mask; table[0] is 0.
    /// @param before The ledgers of the active settlement, as its event shows them.
    /// @param stages What the settlement makes of each stage.
    /// @param evidence SHA-256 of the bundle's manifest.
    function propose(
        int128[] calldata table,
        Ledger[] calldata before,
        StageProposal[] calldata stages,
        bytes32 evidence
    ) external payable returns (uint64 number);

    /// @notice The arbiter cancels the pending settlement; the bond stays with the proposer.
    function cancel() external;
    /// @notice The proposer takes the bond back while nothing is pending.
    function withdrawBond(address recipient) external;
    /// @notice What a bond payment left behind because its receiver, the sender of this call, refused it.
    function withdrawCredit(address recipient) external returns (uint256 paid);

    /// @notice Pays what the leaf shows beyond what was paid; anybody may send it. Reverts while the id is unbound.
    function claim(Claim calldata claim_) external returns (uint256 paid);
    /// @notice Many claims in one call, any stages and ids; an unbound id is passed over, nothing else differs from their sequence.
    function claimBatch(Claim[] calldata claims) external returns (uint256 paid);
    /// @notice Neighbouring leaves with one proof; unbound and empty leaves are passed over.
    function claimRange(RangeClaim calldata range) external returns (uint256 paid);
    /// @notice Claims of one id to another recipient: by its holder, or with the holder's EIP-712 signature
    ///         ClaimTo(bytes32 contributorId,address recipient,uint256 nonce,uint256 deadline)
    function claimTo(Claim[] calldata claims, address recipient, bytes calldata signature, uint256 deadline)
        external
        returns (uint256 paid);
    /// @notice What a recipient refused, to an address that the holder names.
    function withdrawOwed(bytes32 contributorId, address recipient) external returns (uint256 paid);

    /// @notice Proves that at one index the pending settlement is not the old ledger plus the telescoping part.
    function challengeTransition(
        StageUpdate[] calldata stages,
        uint8 stage,
        uint32 index,
        LeafProof calldata before,
        LeafProof calldata afterwards,
        WeightProof calldata weight
    ) external;
    /// @notice Proves that a pending ledger or weight root does not add up to its declared total.
    function challengeTotal(StageUpdate[] calldata stages, uint8 stage, bool ofWeights, bytes calldata topNode) external;
    /// @notice Proves that one id stands at two indices of a pending ledger.
    function challengeDuplicate(
        StageUpdate[] calldata stages,
        uint8 stage,
        bytes32 contributorId,
        uint32 firstIndex,
        uint128 firstCumulative,
        bytes calldata firstProof,
        uint32 secondIndex,
        uint128 secondCumulative,
        bytes calldata secondProof
    ) external;
    /// @notice Demands that a leaf of the pending settlement be shown; carries `demandBondWei`.
    function demand(StageUpdate[] calldata stages, uint8 stage, uint32 index) external payable;
    /// @notice Shows a demanded leaf, whose transition must be right; the demand's bond goes to the sender.
    function answer(
        StageUpdate[] calldata stages,
        uint8 stage,
        uint32 index,
        LeafProof calldata before,
        LeafProof calldata afterwards,
        WeightProof calldata weight
    ) external;
    /// @notice Cancels a settlement with a demand that was not answered in time.
    function cancelUnanswered(uint8 stage, uint32 index) external;
    /// @notice Gives a demand's bond back after its settlement was cancelled on other grounds.
    function reclaimDemandBond(uint64 number, uint8 stage, uint32 index) external;

    /// @notice After `abandonSeconds` in which nothing became active and no deposit more than doubled what waited: what is
    ///         unallocated goes back to the latest deposits, as earlier ones are what was spent. Anybody may send it, in parts,
    ///         the latest first. The first such call closes the pool for deposits and settlements.
    /// @param hashBefore `depositsHash` as it was before these deposits: keccak256(abi.encode(hash before, depositor, amount)) of
    ///        each in turn, from 0.
    /// @param latest The latest deposits that have not gone back, in the order of their events.
    function refund(bytes32 hashBefore, Deposit[] calldata latest) external returns (uint256 amount);

    function terms() external view returns (Terms memory);
    /// @notice Latest settlement number and its status as of this block.
    function status() external view returns (uint64 number, Status current, uint64 activeAt, uint64 activeNumber);
    /// @notice Status of any settlement as of this block. Numbers of cancelled settlements are not used again.
    function statusOf(uint64 number) external view returns (Status);
    /// @notice keccak256(abi.encode(StageUpdate[])) of the latest proposal; challenges must repeat those updates.
    function updatesHash() external view returns (bytes32);
    function unallocated() external view returns (uint256);
    /// @notice Revenue of the pending settlement: neither unallocated nor unclaimed.
    function pendingRevenue() external view returns (uint256);
    /// @notice Hash over the deposits that have not gone back. Kept only in pools that can be abandoned.
    function depositsHash() external view returns (bytes32);
    function credits(address receiver) external view returns (uint256);
    /// @notice Who demanded the leaf (0 is nobody), whether the demand is still unanswered, and until when it can be answered.
    function demandOf(uint64 number, uint8 stage, uint32 index)
        external
        view
        returns (address by, bool open, uint64 answerUntil);
    function bondHeld() external view returns (bool);
    /// @notice Whether the pool was abandoned: no deposits and proposals any more; claims go on.
    function closed() external view returns (bool);
    /// @notice Money of the token that claims must not reach: unallocated, pending revenue and owed; in an ETH pool also all bonds and credits.
    function reserved() external view returns (uint256);
    /// @notice What claims are paid from: the balance beyond what is reserved. It is what active settlements have allocated and
    ///         nobody was paid yet, and whatever was sent to the pool without `deposit`.
    function unclaimed() external view returns (uint256);
    function owed(bytes32 contributorId) external view returns (uint256);
    function claimed(uint8 stage, bytes32 contributorId) external view returns (uint128);
    /// @notice What a claim of a leaf with this cumulative amount would pay (the proof is not checked).
    function claimable(uint8 stage, bytes32 contributorId, uint128 cumulative) external view returns (uint128);
    /// @notice keccak256(root ‖ uint128 total ‖ uint8 depth) of the active and, where still valid, the previous settlement.
    function commitments(uint8 stage) external view returns (bytes32 active, bytes32 previous);
    function nonces(address holder) external view returns (uint256);
}
