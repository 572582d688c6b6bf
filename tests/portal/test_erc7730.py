"""The clear-signing descriptors say exactly what the contracts' messages hold."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ame.bundle import write_bundle
from ame.cli import cli
from ame.encoding import MESSAGE_TYPES
from ame.portal.clear_signing import descriptors
from tests.portal.devnet import ROOT
from tests.portal.test_export import EMPTY, POOL, published

FOLDER = ROOT / "docs/erc7730"
# What docs/erc7730 shows: a studio on the local chain, with made-up addresses.
EXAMPLE = {
    "AME SettlementPool": [(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")],
    "AME ContributorRegistry": [(31337, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512")],
    "AME RightsRegistry": [(31337, "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0")],
}
MESSAGES = [(domain, name) for domain, types in MESSAGE_TYPES.items() for name in types]


def example() -> dict[str, dict[str, Any]]:
    return descriptors("Portrait studio", "https://studio.example", EXAMPLE)


def test_documented_descriptors_are_what_the_command_writes() -> None:
    """To write them again: python -m tests.portal.test_erc7730"""
    assert {path.name: json.loads(path.read_text()) for path in FOLDER.glob("*.json")} == example()


@pytest.mark.parametrize(("domain", "primary"), MESSAGES)
def test_descriptor_shows_every_field_in_words_or_excludes_it(domain: str, primary: str) -> None:
    (document,) = (
        one
        for one in example().values()
        if one["context"]["eip712"]["domain"] == {"name": domain, "version": "1"}
        and primary in one["display"]["formats"]
    )
    (schema,) = document["context"]["eip712"]["schemas"]
    fields = [f"{one['type']} {one['name']}" for one in schema["types"][primary]]
    display = document["display"]["formats"][primary]

    assert ",".join(fields) == MESSAGE_TYPES[domain][primary]
    shown = [one["path"] for one in display["fields"]]
    assert sorted(shown + display.get("excluded", [])) == sorted(field.split()[1] for field in fields)
    assert display["required"] == shown
    assert all(0 < len(one["label"]) <= 20 for one in display["fields"])
    assert len(display["intent"]) <= 30
    assert display.get("excluded", []) in ([], ["nonce"])


def test_command_names_owner_and_contracts_of_a_bundle(tmp_path: Path) -> None:
    (one,) = published((1, EMPTY))
    write_bundle(tmp_path / "bundle", one.bundle)

    shell = ["portal", "descriptors", str(tmp_path / "out"), "--bundle", str(tmp_path / "bundle")]
    done = CliRunner().invoke(cli, [*shell, "--owner", "Studio", "--url", "https://studio.example"])

    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out/eip712-ame-claim-to.json").read_text())
    assert found["metadata"]["owner"] == "Studio"
    assert found["context"]["eip712"]["deployments"] == [{"chainId": 31337, "address": POOL}]
    assert not (tmp_path / "out/eip712-ame-settle.json").exists()


@pytest.mark.deep
def test_public_linter_takes_the_descriptors() -> None:
    """PyPI's `erc7730`, of the people who keep wallets' registry; it wants Python 3.12."""
    linter = shutil.which("erc7730")
    if linter is None:
        warnings.warn(
            "NO erc7730 ON THE PATH: the descriptors were NOT held against the official schema", stacklevel=1
        )
        pytest.skip("pip install erc7730 under Python 3.12, and put it on the PATH")

    files = sorted(map(str, FOLDER.glob("*.json")))
    done = subprocess.run([linter, "lint", *files], capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stdout
    assert f"checked {len(files)} descriptor files" in done.stdout
    assert "error:" not in done.stdout


if __name__ == "__main__":
    for name, document in example().items():
        (FOLDER / name).write_text(json.dumps(document, indent=2) + "\n")
