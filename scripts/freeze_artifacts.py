"""Freezes what the wheel ships of each contract: ABI, code, where its immutables are, and how it was compiled.

Takes Forge's build, whose code carries no metadata and so follows from the sources' meaning alone; Ape compiles the same
code but always appends metadata, and drops the places of immutables. tests/test_artifacts.py holds all three together.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from foundry import ROOT, environment, native

FROZEN = ROOT / "ame" / "execution" / "artifacts"
BUILT = ROOT / ".build" / "forge" / "out"


def shipped() -> list[str]:
    """Every contract at the top of contracts/, and the token of demos and tests."""
    names = [path.stem for path in (ROOT / "contracts").glob("*.sol") if path.stem != "Records"]
    return sorted([*names, "TestToken"])


def build() -> None:
    """Compiles what has changed; CalledProcessError if it does not compile."""
    subprocess.run(
        [native("forge"), "build", "--quiet", "contracts"], cwd=ROOT, env=environment(), check=True
    )


def artifact(name: str) -> dict[str, Any]:
    """The frozen form of a contract that has been built."""
    built = json.loads((BUILT / f"{name}.sol" / f"{name}.json").read_text())
    creation, runtime = built["bytecode"]["object"], built["deployedBytecode"]["object"]
    references = built["deployedBytecode"].get("immutableReferences", {})
    return {
        "format": "ame-artifact/1",
        "contractType": {
            "contractName": name,
            "abi": built["abi"],
            "deploymentBytecode": {"bytecode": creation},
            "runtimeBytecode": {"bytecode": runtime},
        },
        "runtime": runtime,
        "immutableReferences": places(references),
        "compiler": compiler(),
    }


def places(references: dict[str, list[dict[str, int]]]) -> dict[str, list[dict[str, int]]]:
    """solc names immutables by syntax-tree ids, which change from build to build: here by order in the code."""
    ordered = sorted(references.values(), key=lambda found: [place["start"] for place in found])
    return {str(number): found for number, found in enumerate(ordered)}


def compiler() -> dict[str, Any]:
    """Version and settings, as foundry.toml fixes them."""
    from tomllib import loads

    from setup import SOLC_VERSION

    profile = loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    return {
        "version": SOLC_VERSION,
        "evmVersion": profile["evm_version"],
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "viaIR": profile["via_ir"],
        "metadata": {"bytecodeHash": profile["bytecode_hash"], "appendCBOR": profile["cbor_metadata"]},
    }


def text(name: str) -> str:
    """The file's content: one form for one meaning."""
    return json.dumps(artifact(name), indent=1, sort_keys=True) + "\n"


def main() -> None:
    try:
        build()
    except subprocess.CalledProcessError as error:
        sys.exit(f"forge build failed ({error.returncode})")
    FROZEN.mkdir(exist_ok=True)
    for name in shipped():
        Path(FROZEN / f"{name}.json").write_text(text(name))
        print(f"froze {name}")


if __name__ == "__main__":
    main()
