"""An EVM in this process (revm), and contracts on it as forge built them: 26,000 calls a second."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pyrevm
from eth_abi import decode, encode
from eth_utils import function_abi_to_4byte_selector, to_checksum_address
from eth_utils.abi import collapse_if_tuple

from ame.encoding import keccak
from scripts.foundry import environment, native

ROOT = Path(__file__).resolve().parents[2]
DEPLOYER = to_checksum_address("0x" + "d0" * 20)


class Reverted(Exception):
    """The first four bytes of a custom error, and all of the data."""

    def __init__(self, data: bytes) -> None:
        self.selector, self.data = data[:4], data
        super().__init__(data.hex())


class Machine:
    """One chain; time stands still until `wait`."""

    def __init__(self) -> None:
        self.evm = pyrevm.EVM(spec_id="PRAGUE", gas_limit=2**40)
        self.now = 1_767_225_600
        self.wait(0)
        self.fund(DEPLOYER, 10**30)

    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.evm.set_block_env(pyrevm.BlockEnv(number=1, timestamp=self.now, gas_limit=2**40))

    def fund(self, address: str, amount: int) -> None:
        self.evm.set_balance(address, amount)

    def deploy(self, name: str, *arguments: Any) -> Contract:
        artifact = artifact_of(name)
        inputs = next((entry["inputs"] for entry in artifact["abi"] if entry["type"] == "constructor"), [])
        code = bytes.fromhex(artifact["bytecode"]["object"][2:])
        address = self.evm.deploy(DEPLOYER, code + encode(_types(inputs), arguments))
        return Contract(self, name, to_checksum_address(address))


class Contract:
    """A contract at an address; `call` sends a transaction and gives what the function returned."""

    def __init__(self, machine: Machine, name: str, address: str) -> None:
        self.machine, self.name, self.address = machine, name, address
        self.functions = {
            entry["name"]: entry for entry in artifact_of(name)["abi"] if entry["type"] == "function"
        }

    def call(self, name: str, *arguments: Any, sender: str = DEPLOYER, value: int = 0) -> Any:
        entry = self.functions[name]
        data = function_abi_to_4byte_selector(entry) + encode(_types(entry["inputs"]), arguments)
        evm = self.machine.evm
        evm.reset_transient_storage()
        try:
            output = evm.message_call(sender, self.address, calldata=data, value=value, gas=10**9)
        except RuntimeError as error:
            raise Reverted(revert_data(error)) from error
        found = decode(_types(entry["outputs"]), output)
        return found[0] if len(found) == 1 else found


def revert_data(error: RuntimeError) -> bytes:
    """What the contract said. Anything but a revert (out of gas, a bad jump) is not expected and goes on as it is."""
    found = re.fullmatch(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}", str(error))
    if found is None:
        raise error
    return bytes.fromhex(found[1])


def error_selector(signature: str) -> bytes:
    """First four bytes of a custom error's data, e.g. of `InvalidProof(uint8)`."""
    return keccak(signature.encode())[:4]


@cache
def built() -> Path:
    """Where forge put the contracts and their harnesses, as the sources are at this moment."""
    command = [native("forge"), "build", "contracts", "--quiet"]
    subprocess.run(command, cwd=ROOT, env=environment(), check=True, stdout=subprocess.DEVNULL)
    return ROOT / ".build" / "forge" / "out"


@cache
def artifact_of(name: str) -> dict[str, Any]:
    artifact: dict[str, Any] = json.loads((built() / f"{name}.sol" / f"{name}.json").read_text())
    return artifact


def _types(entries: list[dict[str, Any]]) -> list[str]:
    return [collapse_if_tuple(entry) for entry in entries]
