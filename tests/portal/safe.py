"""A real Safe of @safe-global/safe-contracts in which two of three owners decide."""

from __future__ import annotations

import json
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data

from ame.encoding import ZERO_ADDRESS, keccak
from tests.portal.devnet import OUTSIDER, ROOT, Devnet

BUILD = ROOT / "node_modules/@safe-global/safe-contracts/build/artifacts/contracts"
OWNERS = sorted(
    (Account.from_key(keccak(f"safe owner {n}".encode())) for n in range(3)),
    key=lambda owner: int(owner.address, 16),  # a Safe wants signatures in the order of their signers
)


class Safe:
    """Behaves as an account of TestWallet: has an address, signs typed data, executes transactions."""

    def __init__(self, net: Devnet) -> None:
        self.net = net
        singleton, handler, factory = (
            self._deploy(name)
            for name in (
                "Safe.sol/Safe",
                "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler",
                "proxies/SafeProxyFactory.sol/SafeProxyFactory",
            )
        )
        owners = [owner.address for owner in OWNERS]
        setup = singleton.encode_abi(
            "setup", [owners, 2, ZERO_ADDRESS, b"", handler.address, ZERO_ADDRESS, 0, ZERO_ADDRESS]
        )
        create = factory.functions.createProxyWithNonce(singleton.address, setup, 7)
        self.address = create.call()
        net.send(create)
        self.contract = net.web3.eth.contract(address=self.address, abi=singleton.abi)
        self._handler = net.web3.eth.contract(address=self.address, abi=handler.abi)

    def _deploy(self, name: str) -> Any:
        build = json.loads((BUILD / f"{name}.json").read_text())
        call = self.net.web3.eth.contract(abi=build["abi"], bytecode=build["bytecode"]).constructor()
        return self.net.web3.eth.contract(address=self.net.send(call)["contractAddress"], abi=build["abi"])

    def sign_typed(self, message: dict[str, Any], owners: int = 2) -> bytes:
        """ERC-1271: the owners sign the Safe's own message about the digest."""
        signable = encode_typed_data(full_message=message)
        digest = keccak(b"\x19\x01" + signable.header + signable.body)
        return self._sign(self._handler.functions.getMessageHash(digest).call(), owners)

    def execute(self, to: str, data: str) -> str:
        """The owners sign a transaction of the Safe, one of them sends it; its hash."""
        nobody, safe = ZERO_ADDRESS, self.contract.functions
        call = (self.net.web3.to_checksum_address(to), 0, data, 0, 0, 0, 0, nobody, nobody)
        signatures = self._sign(safe.getTransactionHash(*call, safe.nonce().call()).call(), 2)
        receipt = self.net.send(safe.execTransaction(*call, signatures), OUTSIDER)
        return str(receipt["transactionHash"].to_0x_hex())

    @staticmethod
    def _sign(digest: bytes, owners: int) -> bytes:
        return b"".join(bytes(owner.unsafe_sign_hash(digest).signature) for owner in OWNERS[:owners])
