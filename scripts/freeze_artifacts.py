"""Freezes what the wheel ships of each contract: ABI and code as Ape compiles them, and with which settings."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from foundry import ROOT

FROZEN = ROOT / "ame" / "execution" / "artifacts"


def shipped() -> list[str]:
    """Every contract at the top of contracts/, and the token of demos and tests."""
    names = [path.stem for path in (ROOT / "contracts").glob("*.sol") if path.stem != "Records"]
    return sorted([*names, "TestToken"])


@cache
def ape_build() -> dict[str, Any]:
    """Ape's contract types by name, compiled anew: its cache overlooks changes of imports, which move metadata."""
    import ape

    return {
        name: one.model_dump(mode="json")
        for name, one in ape.Project(ROOT).load_contracts(use_cache=False).items()
    }


def artifact(name: str) -> dict[str, Any]:
    """The frozen form of a contract, from fresh builds."""
    built = ape_build()[name]
    return {
        "format": "ame-artifact/1",
        "contractType": {
            "contractName": name,
            "abi": built["abi"],
            "deploymentBytecode": {"bytecode": built["deploymentBytecode"]["bytecode"]},
            "runtimeBytecode": {"bytecode": built["runtimeBytecode"]["bytecode"]},
        },
        "compiler": compiler(),
    }


def compiler() -> dict[str, Any]:
    """Version and settings, as foundry.toml and ape-config.yaml fix them."""
    from tomllib import loads

    from setup import SOLC_VERSION

    profile = loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    return {
        "version": SOLC_VERSION,
        "evmVersion": profile["evm_version"],
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "viaIR": profile["via_ir"],
    }


def text(name: str) -> str:
    """The file's content: one form for one meaning."""
    return json.dumps(artifact(name), indent=1, sort_keys=True) + "\n"


def main() -> None:
    texts = {name: text(name) for name in shipped()}
    FROZEN.mkdir(exist_ok=True)
    for name, content in texts.items():
        Path(FROZEN / f"{name}.json").write_text(content)
        print(f"froze {name}")


if __name__ == "__main__":
    main()
