// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ContributorRegistry} from "../../contracts/ContributorRegistry.sol";
import {RightsRegistry} from "../../contracts/RightsRegistry.sol";
import {SettlementPool} from "../../contracts/SettlementPool.sol";
import {Terms} from "../../contracts/Records.sol";
import {Proof} from "./support/Proof.sol";

/// A token of which any part of what is sent arrives.
contract LeakyToken {
    mapping(address => uint256) public balanceOf;
    uint256 private immutable ARRIVES;

    constructor(uint256 arrives) {
        ARRIVES = arrives;
    }

    function transferFrom(address, address to, uint256) external returns (bool) {
        balanceOf[to] += ARRIVES;
        return true;
    }
}

/// Deposits, payout addresses and escrow.
contract MoneyProof is Proof {
    ContributorRegistry private registry;

    function setUp() public {
        registry = new ContributorRegistry();
    }

    function check_deposits_are_credited_by_what_arrives(uint128 sent, uint120 arrives) external {
        vm.assume(arrives != 0);
        LeakyToken token = new LeakyToken(arrives);
        SettlementPool pool = new SettlementPool(
            Terms(address(token), 2, address(this), address(0), address(registry), 1, 0, 0, 0, "")
        );
        assert(pool.deposit(sent, "") == arrives);
        assert(pool.unallocated() == arrives);
        assert(pool.reserved() == arrives);
    }

    function check_only_the_holder_moves_a_payout(bytes32 id, address sender, address payout) external {
        vm.assume(registry.holderOf(id) != sender && sender != address(0));
        address before = registry.payoutOf(id);
        vm.prank(sender);
        (bool ok,) = address(registry).call(abi.encodeCall(registry.setPayout, (id, payout)));
        assert(!ok);
        assert(registry.payoutOf(id) == before);
    }

    function check_nobody_binds_without_a_registrar(address registrar, bytes32 name, address holder) external {
        vm.assume(registrar.code.length == 0 && holder != address(0));
        bytes memory none = "";
        (bool ok,) = address(registry)
            .call(
                abi.encodeCall(
                    registry.bind,
                    (registrar, name, holder, holder, 0, type(uint256).max, type(uint256).max, none, none)
                )
            );
        assert(!ok);
    }

    function check_escrow_is_vouched_for_nobody_before_all_agree(bytes32 hash, bytes32 contentHash, uint256 deadline)
        external
    {
        RightsRegistry rights = new RightsRegistry(registry);
        assert(rights.isValidSignature(hash, abi.encode(contentHash, deadline)) == bytes4(0xffffffff));
    }
}
