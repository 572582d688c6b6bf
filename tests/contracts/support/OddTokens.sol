// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestToken} from "../../../contracts/test/TestToken.sol";

/// Keeps a hundredth of everything that is sent.
contract FeeToken is TestToken {
    constructor() TestToken("Fee", "FEE", 6) {}

    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : value / 100;
        if (fee != 0) super._update(from, address(0), fee);
        super._update(from, to, value - fee);
    }
}

/// Takes a hundredth more from the sender than was sent.
contract FeeOnTopToken is TestToken {
    constructor() TestToken("Fee on top", "FOT", 6) {}

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0) && from.code.length != 0) {
            super._update(from, address(0), value / 100);
        }
    }
}

/// Answers nothing, as some old tokens do.
contract NoReturnToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// Answers false instead of reverting, to or from whom it does not like.
contract FalseToken is TestToken {
    mapping(address => bool) public refused;

    constructor() TestToken("False", "FLS", 6) {}

    function refuse(address one, bool value) external {
        refused[one] = value;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        return !refused[to] && !refused[msg.sender] && super.transfer(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return !refused[from] && !refused[to] && super.transferFrom(from, to, value);
    }
}

/// Tells sender and receiver of every transfer, before and after it, if they are contracts: as ERC-777 does.
contract HookToken is TestToken {
    constructor() TestToken("Hook", "HOOK", 18) {}

    function _update(address from, address to, uint256 value) internal override {
        if (from.code.length != 0) _tell(from, "tokensToSend()");
        super._update(from, to, value);
        if (to.code.length != 0) _tell(to, "tokensReceived()");
    }

    function _tell(address one, string memory what) private {
        (bool ok,) = one.call(abi.encodeWithSignature(what));
        ok; // contracts without the function are told in vain
    }
}

/// Takes a part of everybody's balance away at once.
contract ShrinkingToken is TestToken {
    constructor() TestToken("Shrinking", "SHR", 6) {}

    function shrink(address one, uint256 amount) external {
        _burn(one, amount);
    }
}
