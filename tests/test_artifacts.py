"""What the wheel ships is what Ape compiles, and Forge compiles the same."""

from __future__ import annotations

import json
import subprocess

import freeze_artifacts
import pytest
from foundry import ROOT, environment, native

pytestmark = pytest.mark.chain  # Ape compiles, which takes half a minute after a change


@pytest.mark.parametrize("name", freeze_artifacts.shipped())
def test_the_frozen_contract_equals_a_fresh_compile_through_ape(name: str) -> None:
    frozen = (freeze_artifacts.FROZEN / f"{name}.json").read_text()
    assert frozen == freeze_artifacts.text(name), "run `make artifacts`"


@pytest.mark.parametrize("name", sorted(set(freeze_artifacts.shipped()) - {"PoolFactory"}))
def test_ape_and_forge_compile_the_same_code_up_to_metadata(name: str) -> None:
    # PoolFactory carries the pool's creation code, and in it the pool's metadata in the middle.
    ape = freeze_artifacts.ape_build()[name]["runtimeBytecode"]["bytecode"]
    subprocess.run(
        [native("forge"), "build", "--quiet", "contracts"], cwd=ROOT, env=environment(), check=True
    )
    built = json.loads((ROOT / ".build" / "forge" / "out" / f"{name}.sol" / f"{name}.json").read_text())
    metadata = 2 * (int(ape[-4:], 16) + 2)
    assert ape[:-metadata].removesuffix("fe") == built["deployedBytecode"]["object"].removesuffix("fe")


def test_nothing_else_is_frozen() -> None:
    frozen = sorted(path.stem for path in freeze_artifacts.FROZEN.glob("*.json"))
    assert frozen == freeze_artifacts.shipped()


@pytest.mark.parametrize("name", freeze_artifacts.shipped())
def test_the_code_fits_into_an_account(name: str) -> None:
    """EIP-170; PoolFactory carries the pool's code besides its own, and is the largest."""
    frozen = json.loads((freeze_artifacts.FROZEN / f"{name}.json").read_text())
    code = frozen["contractType"]["runtimeBytecode"]["bytecode"]
    assert len(bytes.fromhex(code.removeprefix("0x"))) <= 24_576
