"""What the wheel ships is what the sources compile to, and what Ape compiles."""

from __future__ import annotations

import json

import freeze_artifacts
import pytest


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    freeze_artifacts.build()


@pytest.mark.parametrize("name", freeze_artifacts.shipped())
def test_the_frozen_contract_equals_a_fresh_compile(name: str) -> None:
    frozen = (freeze_artifacts.FROZEN / f"{name}.json").read_text()
    assert frozen == freeze_artifacts.text(name), "run `make artifacts`"


def test_nothing_else_is_frozen() -> None:
    frozen = sorted(path.stem for path in freeze_artifacts.FROZEN.glob("*.json"))
    assert frozen == freeze_artifacts.shipped()


@pytest.mark.chain
@pytest.mark.parametrize("name", freeze_artifacts.shipped())
def test_ape_compiles_the_frozen_interface(name: str) -> None:
    import ape

    compiled = ape.Project(freeze_artifacts.ROOT).load_contracts()[name].model_dump(mode="json")["abi"]
    frozen = freeze_artifacts.artifact(name)["contractType"]["abi"]
    assert sorted(map(_signature, compiled)) == sorted(map(_signature, frozen))


def _signature(entry: dict) -> str:
    """What a caller depends on: kind, name, types and mutability."""
    return json.dumps(
        [entry["type"], entry.get("name"), entry.get("stateMutability"), _types(entry.get("inputs"))]
    )


def _types(inputs: list[dict] | None) -> list:
    return [[one["type"], _types(one.get("components"))] for one in inputs or []]
