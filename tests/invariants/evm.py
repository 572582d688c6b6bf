"""A few lines between Python and contracts that run in pyrevm, an EVM inside this process."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyrevm
from eth_abi import decode, encode
from eth_utils.abi import event_signature_to_log_topic, function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address

ARTIFACTS = Path(__file__).resolve().parents[2] / "ame" / "execution" / "artifacts"
GAS = 30_000_000
PANIC = bytes.fromhex("4e487b71")
ERROR = bytes.fromhex("08c379a0")
OUTPUT = re.compile(r"output: 0x([0-9a-f]*)")


class Reverted(Exception):
    """A call failed; the message is the name of the contract's error."""


@dataclass(frozen=True)
class Event:
    """A log with its name and its values by name."""

    name: str
    values: dict[str, Any]


def _type(item: dict[str, Any]) -> str:
    if not item["type"].startswith("tuple"):
        return item["type"]
    return "(" + ",".join(map(_type, item["components"])) + ")" + item["type"][5:]


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(_type(item) for item in entry['inputs'])})"


@dataclass(frozen=True)
class Code:
    """ABI and creation code of one contract."""

    abi: list[dict[str, Any]]
    bytecode: bytes

    @classmethod
    @cache
    def frozen(cls, name: str) -> Code:
        """What the wheel ships; tests/test_artifacts.py holds it against the sources."""
        contract = json.loads((ARTIFACTS / f"{name}.json").read_text())["contractType"]
        code = contract["deploymentBytecode"]["bytecode"]
        return cls(contract["abi"], bytes.fromhex(code.removeprefix("0x")))


class Chain:
    """One EVM. Gas is free, so balances move only where a contract moves them."""

    def __init__(
        self, timestamp: int, *, prevrandao: bytes = bytes(32), unlimited_code: bool = False
    ) -> None:
        environment = pyrevm.Env(
            cfg=pyrevm.CfgEnv(chain_id=1, limit_contract_code_size=1 << 20 if unlimited_code else None)
        )
        self.evm = pyrevm.EVM(env=environment, spec_id="PRAGUE")
        self.now = timestamp
        self.prevrandao = prevrandao
        self.sleep(0)

    def sleep(self, seconds: int) -> None:
        """Moves the clock."""
        self.now += seconds
        self.evm.set_block_env(
            pyrevm.BlockEnv(timestamp=self.now, number=1, prevrandao=self.prevrandao, gas_limit=GAS)
        )

    def deploy(self, code: Code, *arguments: Any) -> Contract:
        """A new contract of a sender that nobody else uses."""
        constructor = next((entry for entry in code.abi if entry["type"] == "constructor"), {"inputs": []})
        data = encode([_type(item) for item in constructor["inputs"]], arguments)
        address = self.evm.deploy("0x" + "de" * 20, code.bytecode + data)
        return Contract(self, to_checksum_address(address), code.abi)

    def put_code(self, address: str, code: bytes) -> None:
        """Writes code to an address as it is."""
        self.evm.insert_account_info(address, pyrevm.AccountInfo(code=code))


class Contract:
    """A deployed contract: `call(sender, name, *arguments)` and `read(name, *arguments)`."""

    def __init__(self, chain: Chain, address: str, abi: list[dict[str, Any]]) -> None:
        self.chain, self.address = chain, address
        self._functions: dict[str, tuple[bytes, list[str], list[str]]] = {}
        self._errors = {PANIC: "Panic", ERROR: "Error"}
        self._events: dict[bytes, dict[str, Any]] = {}
        self._known: dict[tuple[Any, ...], bytes] = {}
        for entry in abi:
            if entry["type"] == "function":
                selector = function_signature_to_4byte_selector(_signature(entry))
                types = [_type(item) for item in entry["inputs"]]
                self._functions[entry["name"]] = selector, types, [_type(item) for item in entry["outputs"]]
            elif entry["type"] == "error":
                self._errors[function_signature_to_4byte_selector(_signature(entry))] = entry["name"]
            elif entry["type"] == "event":
                self._events[event_signature_to_log_topic(_signature(entry))] = entry

    def call(
        self, sender: str, name: str, *arguments: Any, value: int = 0, through: str | None = None
    ) -> Any:
        """Runs one transaction. Returns the function's value; raises Reverted.

        `through` is a contract that sends the call on: it takes target ‖ value ‖ data and pays the value itself.
        """
        selector, types, outputs = self._functions[name]
        data = selector + encode(types, arguments)
        if through:
            target = bytes(12) + bytes.fromhex(self.address[2:])
            return self._run(sender, target + value.to_bytes(32) + data, outputs, 0, to=through)
        return self._run(sender, data, outputs, value)

    def read(self, name: str, *arguments: Any) -> Any:
        """A call that changes nothing; its data is encoded once."""
        key = (name, *arguments)
        selector, types, outputs = self._functions[name]
        if key not in self._known:
            self._known[key] = selector + encode(types, arguments)
        return self._run("0x" + "de" * 20, self._known[key], outputs, 0)

    def events(self) -> list[Event]:
        """What this contract logged in the last call."""
        found = []
        for log in self.chain.evm.result.logs:
            if log.address.lower() != self.address.lower():
                continue
            topics = [bytes.fromhex(topic.removeprefix("0x")) for topic in log.topics]
            entry = self._events[topics[0]]
            indexed = [item for item in entry["inputs"] if item["indexed"]]
            others = [item for item in entry["inputs"] if not item["indexed"]]
            values = {
                item["name"]: decode([_type(item)], topic)[0]
                for item, topic in zip(indexed, topics[1:], strict=True)
            }
            data = decode([_type(item) for item in others], bytes(log.data[1]))
            values |= {item["name"]: value for item, value in zip(others, data, strict=True)}
            found.append(Event(entry["name"], values))
        return found

    def _run(self, sender: str, data: bytes, outputs: list[str], value: int, to: str | None = None) -> Any:
        evm = self.chain.evm
        evm.reset_transient_storage()
        try:
            answer = evm.message_call(sender, to or self.address, calldata=data, value=value, gas=GAS)
        except RuntimeError as error:
            found = OUTPUT.search(str(error))  # pyrevm hands the returned data over in its message only
            output = bytes.fromhex(found[1]) if found else b""
            raise Reverted(self._errors.get(output[:4], str(error))) from None
        if outputs in (["uint256"], ["uint128"]):  # most reads: decode takes three times as long as the call
            return int.from_bytes(answer)
        values = decode(outputs, bytes(answer))
        return values[0] if len(values) == 1 else values
