"""A wallet whose keys stay in Python: the page sees an EIP-1193 provider announced by EIP-6963."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from eth_account.messages import encode_typed_data

from tests.portal.devnet import Devnet
from tests.portal.safe import Safe

ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='28' height='28'%3E"
    "%3Crect width='28' height='28' rx='6' fill='%231f4fd8'/%3E%3Ccircle cx='14' cy='14' r='7' fill='white'/%3E%3C/svg%3E"
)

SCRIPT = """
(({ key, name, icon, announce }) => {
  const listeners = {};
  const provider = {
    async request({ method, params }) {
      const answer = JSON.parse(await window[key](JSON.stringify({ method, params: params ?? [] })));
      if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
      const moved = /^wallet_(switch|add)EthereumChain$/.test(method);
      if (moved) setTimeout(() => window[key + '_emit']('chainChanged', params[0].chainId));
      return answer.result;
    },
    on(event, listen) { (listeners[event] ??= []).push(listen); },
    removeListener(event, listen) { listeners[event] = (listeners[event] ?? []).filter((one) => one !== listen); },
  };
  window[key + '_emit'] = (event, value) => (listeners[event] ?? []).forEach((listen) => listen(value));
  if (!announce) { window.ethereum = provider; return; }
  const detail = Object.freeze({ info: Object.freeze({ uuid: key, name, icon, rdns: 'org.example.wallet' }), provider });
  const tell = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail }));
  window.addEventListener('eip6963:requestProvider', tell);
  tell();
})"""


class Refusal(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class TestWallet:
    """Accounts, a chain, and what the person at the wallet does: confirm or decline."""

    __test__ = False
    net: Devnet
    accounts: list[Any]
    name: str = "Pocket"
    chain_id: int = 31337
    declines: bool = False
    knows_chain: bool = True
    announce: bool = True
    calls: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    signed: list[dict[str, Any]] = field(default_factory=list)
    page: Any = None

    @property
    def key(self) -> str:
        return (
            "wallet_" + "".join(letter for letter in self.name if letter.isascii() and letter.isalnum())[:20]
        )

    def install(self, page: Any) -> None:
        self.page = page
        page.expose_function(self.key, self.answer)
        icon = ICON if self.announce else ""
        argument = json.dumps({"key": self.key, "name": self.name, "icon": icon, "announce": self.announce})
        page.add_init_script(f"{SCRIPT}({argument})")

    def emit(self, event: str, value: Any) -> None:
        self.page.evaluate(
            "([key, event, value]) => window[key + '_emit'](event, value)", [self.key, event, value]
        )

    def answer(self, text: str) -> str:
        call = json.loads(text)
        self.calls.append(call["method"])
        try:
            return json.dumps({"result": self.handle(call["method"], call["params"])})
        except Refusal as refusal:
            return json.dumps({"error": {"code": refusal.code, "message": str(refusal)}})
        except Exception as error:
            return json.dumps({"error": {"code": -32603, "message": str(error)}})

    def handle(self, method: str, params: list[Any]) -> Any:
        if method in ("eth_requestAccounts", "eth_accounts"):
            if method == "eth_requestAccounts" and self.declines:
                raise Refusal(4001, "User rejected the request.")
            return [account.address for account in self.accounts]
        if method == "eth_chainId":
            return hex(self.chain_id)
        if method in ("wallet_switchEthereumChain", "wallet_addEthereumChain"):
            if method == "wallet_switchEthereumChain" and not self.knows_chain:
                raise Refusal(4902, "Unrecognized chain ID.")
            if self.declines:
                raise Refusal(4001, "User rejected the request.")
            self.knows_chain = True
            self.chain_id = int(params[0]["chainId"], 16)
            return None
        if method in ("eth_sendTransaction", "eth_signTypedData_v4") and self.declines:
            raise Refusal(4001, "User rejected the request.")
        if method == "eth_sendTransaction":
            return self.send(params[0])
        if method == "eth_signTypedData_v4":
            message = json.loads(params[1])
            self.signed.append(message)
            account = self._account(params[0])
            if isinstance(account, Safe):
                return "0x" + account.sign_typed(message).hex()
            return "0x" + account.sign_message(encode_typed_data(full_message=message)).signature.hex()
        return self.net.rpc(method, *params)

    def send(self, transaction: dict[str, str]) -> str:
        account, web3 = self._account(transaction["from"]), self.net.web3
        if isinstance(account, Safe):
            self.sent.append(account.execute(transaction["to"], transaction["data"]))
            return self.sent[-1]
        signed = account.sign_transaction(
            {
                "to": web3.to_checksum_address(transaction["to"]),
                "data": transaction["data"],
                "gas": int(transaction["gas"], 16),
                "value": int(transaction.get("value", "0x0"), 16),
                "nonce": web3.eth.get_transaction_count(account.address),
                "chainId": 31337,
                "gasPrice": 2 * 10**9,
            }
        )
        self.sent.append(web3.eth.send_raw_transaction(signed.raw_transaction).to_0x_hex())
        return self.sent[-1]

    def _account(self, address: str) -> Any:
        for account in self.accounts:
            if account.address.lower() == address.lower():
                return account
        raise Refusal(4100, "Unauthorized")
