// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {Claims} from "../../contracts/pool/Claims.sol";
import {ISettlementPool} from "../../contracts/interfaces/ISettlementPool.sol";
import {Claim} from "../../contracts/Records.sol";
import {FeeToken, HookToken} from "./support/OddTokens.sol";
import {PoolTest} from "./support/PoolTest.sol";

/// Makes one call into the pool whenever a token tells it that money came, and counts those that get in.
contract Visitor {
    SettlementPool private immutable POOL;
    bytes private _call;
    uint256 public told;
    uint256 public entered;

    constructor(SettlementPool pool) {
        POOL = pool;
    }

    function set(bytes calldata data) external {
        _call = data;
    }

    function tokensReceived() external {
        told += 1;
        (bool ok,) = address(POOL).call(_call);
        if (ok) entered += 1;
    }
}

/// What holds for every amount, leaf and time; each of these is seen to fail by tests/seeded.
contract PropertiesTest is PoolTest {
    function testFuzz_a_leaf_is_paid_once_however_it_is_claimed(uint8 stage, uint8 index, uint8 way) public {
        _settle(5);
        stage = uint8(bound(stage, 0, STAGES - 1));
        Claim[] memory items = new Claim[](2);
        items[0] = items[1] = _claim(stage, bound(index, 0, 4));
        address payee = _account(items[0].contributorId);
        way % 3 == 0
            ? pool.claim(items[0])
            : way % 3 == 1 ? pool.claimBatch(items) : pool.claimRange(_range(stage, 0, 5));
        assertEq(pool.claimBatch(items), 0);
        assertEq(token.balanceOf(payee), items[0].cumulative);
        assertEq(pool.claimed(stage, items[0].contributorId), items[0].cumulative);
    }

    function testFuzz_a_batch_pays_each_leaf_to_its_account(uint8 first, uint8 second, uint8 stage) public {
        _settle(5);
        Claim[] memory items = new Claim[](2);
        items[0] = _claim(uint8(bound(stage, 0, STAGES - 1)), bound(first, 0, 4));
        items[1] = _claim(uint8((items[0].stage + 1) % STAGES), bound(second, 0, 4));
        assertEq(pool.claimBatch(items), items[0].cumulative + items[1].cumulative);
        for (uint256 i = 0; i < 2; ++i) {
            assertEq(token.balanceOf(_account(items[i].contributorId)), items[i].cumulative);
        }
    }

    function testFuzz_a_settlement_pays_from_its_second_on(uint32 wait) public {
        _propose(5);
        wait = uint32(bound(wait, 0, 3 * PERIOD));
        skip(wait);
        (bool ok,) = address(pool).call(abi.encodeCall(pool.claim, (_claim(0, 2))));
        assertEq(ok, wait >= PERIOD);
    }

    function testFuzz_a_cancelled_settlement_pays_nothing(uint8 stage, uint8 index, uint32 wait) public {
        _propose(5);
        vm.prank(arbiter);
        pool.cancel();
        skip(wait);
        Claim memory item = _claim(uint8(bound(stage, 0, STAGES - 1)), bound(index, 0, 4));
        (bool ok,) = address(pool).call(abi.encodeCall(pool.claim, (item)));
        assertFalse(ok);
    }

    function testFuzz_one_unit_is_enough_to_be_caught(uint8 stage, uint8 from, uint8 to) public {
        _settle(5);
        _deposit(REVENUE);
        _prepare(2);
        stage = uint8(bound(stage, 0, STAGES - 1));
        (from, to) = (uint8(bound(from, 0, 6)), uint8(bound(to, 0, 6)));
        vm.assume(from != to && books[2][stage].cumulatives[from] != 0);
        books[2][stage].cumulatives[from] -= 1;
        books[2][stage].cumulatives[to] += 1;
        _post();
        _challengeTransition(stage, from % 2 == 0 ? from : to);
        assertEq(uint8(_status()), uint8(ISettlementPool.Status.Cancelled));
    }

    function testFuzz_signed_claims_are_good_once_and_in_time(uint32 late, address recipient) public {
        vm.assume(recipient != address(0) && recipient.code.length == 0 && recipient != address(pool));
        (address artist, uint256 key) = makeAddrAndKey("artist");
        _deposit(REVENUE);
        _prepare(4);
        books[latest][0].ids[2] = bytes32(uint256(uint160(artist)));
        _post();
        skip(PERIOD);
        Claim[] memory items = new Claim[](1);
        items[0] = _claim(0, 2);
        uint256 deadline = vm.getBlockTimestamp();
        bytes memory signature = _sign(key, items[0].contributorId, recipient, deadline);
        skip(late);
        if (late != 0) {
            vm.expectRevert(abi.encodeWithSelector(Claims.SignatureExpired.selector, deadline));
            pool.claimTo(items, recipient, signature, deadline);
            return;
        }
        pool.claimTo(items, recipient, signature, deadline);
        assertEq(pool.nonces(artist), 1);
        assertEq(token.balanceOf(recipient), items[0].cumulative);
    }

    function _sign(uint256 key, bytes32 id, address recipient, uint256 deadline) private view returns (bytes memory) {
        bytes32 kind = keccak256("ClaimTo(bytes32 contributorId,address recipient,uint256 nonce,uint256 deadline)");
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("AME SettlementPool"),
                keccak256("1"),
                block.chainid,
                address(pool)
            )
        );
        bytes32 message = keccak256(abi.encode(kind, id, recipient, 0, deadline));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, message)));
        return abi.encodePacked(r, s, v);
    }

    function testFuzz_only_the_holder_moves_a_payout(address stranger, address account, address payout) public {
        vm.assume(stranger != account);
        vm.prank(stranger);
        (bool ok,) =
            address(registry).call(abi.encodeCall(registry.setPayout, (bytes32(uint256(uint160(account))), payout)));
        assertFalse(ok);
    }

    function testFuzz_only_the_arbiter_cancels_and_only_the_proposer_takes_the_bond(address stranger) public {
        vm.assume(stranger != arbiter && stranger != operator);
        _propose(3);
        vm.startPrank(stranger);
        (bool ok,) = address(pool).call(abi.encodeCall(pool.cancel, ()));
        assertFalse(ok);
        skip(PERIOD);
        (ok,) = address(pool).call(abi.encodeCall(pool.withdrawBond, (stranger)));
        assertFalse(ok);
    }

    function testFuzz_a_deposit_is_credited_by_what_arrives(uint96 amount) public {
        token = new FeeToken();
        pool = SettlementPool(factory.createPool(_terms(address(token)), 0));
        uint256 credited = _deposit(uint256(amount) + 1);
        assertEq(credited, token.balanceOf(address(pool)));
        assertEq(pool.unallocated(), credited);
    }

    /// A stage's whole amount, and what others were promised, in one leaf of a ledger that nobody challenged.
    /// Everybody was paid; then a ledger of the right total gives all to one. It takes what the others were paid a second time.
    function testFuzz_a_false_ledger_reaches_no_deposit(uint96 deposit, uint8 thief) public {
        _settle(4);
        for (uint8 s = 0; s < STAGES; ++s) {
            pool.claimRange(_range(s, 0, 4));
        }
        _deposit(REVENUE + uint256(deposit) + 1);
        _prepare(0);
        thief %= 4;
        uint128 total = 0;
        for (uint256 i = 0; i < 4; ++i) {
            total += books[2][0].cumulatives[i];
            books[2][0].cumulatives[i] = 0;
        }
        books[2][0].cumulatives[thief] = total;
        _post();
        skip(PERIOD);
        pool.claimRange(_range(1, 0, 4));
        pool.claimRange(_range(2, 0, 4));
        (bool ok,) = address(pool).call(abi.encodeCall(pool.claim, (_claim(0, thief))));
        assertFalse(ok);
        assertGe(token.balanceOf(address(pool)), pool.reserved());
    }

    function testFuzz_nobody_enters_while_money_is_paid(uint8 stage, uint8 way) public {
        token = new HookToken();
        pool = SettlementPool(factory.createPool(_terms(address(token)), 0));
        Visitor visitor = new Visitor(pool);
        stage = uint8(bound(stage, 0, 1));
        _deposit(REVENUE);
        _prepare(4);
        for (uint256 s = 0; s < STAGES; ++s) {
            books[1][s].ids[2] = bytes32(uint256(uint160(address(visitor))));
        }
        _post();
        skip(PERIOD);
        Claim[] memory items = new Claim[](1);
        items[0] = _claim(stage + 1, 2);
        visitor.set(way % 2 == 0 ? abi.encodeCall(pool.claim, (items[0])) : abi.encodeCall(pool.claimBatch, (items)));
        pool.claim(_claim(stage, 2));
        assertEq(visitor.told(), 1);
        assertEq(visitor.entered(), 0);
        assertEq(token.balanceOf(address(visitor)), books[1][stage].cumulatives[2]);
    }
}
