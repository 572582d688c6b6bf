"""A real Safe (npm @safe-global/safe-contracts), deployed and asked to sign and send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eth_account import Account

from ame.encoding import keccak
from ame.execution.chain import Chain

SAFE = Path(__file__).parents[2] / "node_modules/@safe-global/safe-contracts/build/artifacts/contracts"
OWNERS = sorted(
    (Account.from_key(bytes([n]) * 32) for n in (1, 2, 3)), key=lambda owner: int(owner.address, 16)
)
NOBODY = "0x" + "00" * 20


class Safe:
    """A Safe of @safe-global/safe-contracts in which two of three owners decide."""

    def __init__(self, chain: Chain) -> None:
        self.web3 = chain.provider.web3
        singleton, handler = (
            self.deploy("Safe.sol/Safe"),
            self.deploy("handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler"),
        )
        factory = self.deploy("proxies/SafeProxyFactory.sol/SafeProxyFactory")
        owners = [owner.address for owner in OWNERS]
        setup = singleton.encode_abi("setup", [owners, 2, NOBODY, b"", handler.address, NOBODY, 0, NOBODY])
        create = factory.functions.createProxyWithNonce(singleton.address, setup, 7)
        self.address = create.call()
        self.mine(create.transact({"from": self.web3.eth.accounts[0]}))
        self.handler = self.web3.eth.contract(address=self.address, abi=handler.abi)
        self.contract = self.web3.eth.contract(address=self.address, abi=singleton.abi)

    def deploy(self, name: str) -> Any:
        build = json.loads((SAFE / f"{name}.json").read_text())
        contract = self.web3.eth.contract(abi=build["abi"], bytecode=build["bytecode"])
        receipt = self.mine(contract.constructor().transact({"from": self.web3.eth.accounts[0]}))
        return self.web3.eth.contract(address=receipt["contractAddress"], abi=build["abi"])

    def mine(self, transaction: Any) -> Any:
        receipt = self.web3.eth.wait_for_transaction_receipt(transaction)
        assert receipt["status"] == 1
        return receipt

    def sign(self, message: dict[str, Any], owners: list[Any]) -> bytes:
        """ERC-1271: the owners sign the Safe's own message about the digest."""
        from eth_account.messages import encode_typed_data

        signable = encode_typed_data(full_message=message)
        digest = keccak(b"\x19\x01" + signable.header + signable.body)
        of_safe = self.handler.functions.getMessageHash(digest).call()
        return b"".join(bytes(owner.unsafe_sign_hash(of_safe).signature) for owner in owners)

    def send(self, to: str, data: bytes) -> None:
        """Two owners sign a transaction of the Safe; anybody sends it."""
        call = (to, 0, data, 0, 0, 0, 0, NOBODY, NOBODY)
        hashed = self.contract.functions.getTransactionHash(
            *call, self.contract.functions.nonce().call()
        ).call()
        signatures = b"".join(bytes(owner.unsafe_sign_hash(hashed).signature) for owner in OWNERS[:2])
        transaction = self.contract.functions.execTransaction(*call, signatures)
        self.mine(transaction.transact({"from": self.web3.eth.accounts[0]}))
