"""PROV-JSON: its structure by the W3C Submission, its content by the bundle, and by the library `prov`."""

import json
import random
from pathlib import Path
from typing import Any

import prov.model
import pytest
from click.testing import CliRunner

from ame.bundle import Bundle, evidence_of, read_bundle, write_bundle
from ame.mapping.allocate import allocate
from ame.mapping.commands import rights as rights_command
from ame.mapping.prov import Payments, to_prov
from ame.mapping.rights import load_rights
from ame.pipeline import settle
from tests.audit.synthetic import random_epoch
from tests.mapping import JUNE, shares_of

FULL = Path(__file__).parent / "full.yaml"
# What each relation must name, and of which kind that is (PROV-JSON, section 3).
RELATIONS = {
    "wasDerivedFrom": {"prov:generatedEntity": "entity", "prov:usedEntity": "entity"},
    "wasAttributedTo": {"prov:entity": "entity", "prov:agent": "agent"},
    "wasGeneratedBy": {"prov:entity": "entity", "prov:activity": "activity"},
    "used": {"prov:activity": "activity", "prov:entity": "entity"},
}


def check_structure(document: dict[str, Any]) -> None:
    """Every relation names what is there, every name has a declared prefix, every value has a form of PROV-JSON."""
    assert set(document) == {"prefix", "entity", "agent", "activity", *RELATIONS}
    for relation, ends in RELATIONS.items():
        for identifier, record in document[relation].items():
            assert identifier.startswith("_:")
            for end, kind in ends.items():
                assert record[end] in document[kind], (relation, identifier)
    for section in ("entity", "agent", "activity", *RELATIONS):
        for identifier, record in document[section].items():
            assert identifier.partition(":")[0] in {*document["prefix"], "_"}
            for name, value in record.items():
                assert name.partition(":")[0] in {*document["prefix"], "prov"}
                for one in value if isinstance(value, list) else [value]:
                    assert isinstance(one, str | int) or set(one) == {"$", "type"}


@pytest.fixture
def document() -> dict[str, Any]:
    rights = load_rights(FULL)
    shares = shares_of({"cypress/haiku-lora": 1000, "aurora/terra-7b": 10}, rights)
    allocation = allocate(shares, rights, JUNE)
    amounts = [[line.weight * 2 for line in lines] for lines in allocation.lines]
    return to_prov(rights, Payments(allocation, measured={"aurora/terra-7b": 10}, amounts=amounts), JUNE)


def test_prov_names_every_derivation_and_every_payment(document: dict[str, Any]) -> None:
    check_structure(document)
    assert len(document["wasDerivedFrom"]) == 3
    paid = [int(entity["ame:amount"]) for entity in document["entity"].values() if "ame:amount" in entity]
    assert sum(paid) == 2020


def test_the_library_prov_reads_it_and_writes_the_same(document: dict[str, Any]) -> None:
    read = prov.model.ProvDocument.deserialize(content=json.dumps(document), format="json")
    for kind, count in (
        ("ProvEntity", len(document["entity"])),
        ("ProvAgent", len(document["agent"])),
        ("ProvDerivation", 3),
    ):
        assert len(list(read.get_records(getattr(prov.model, kind)))) == count
    again = prov.model.ProvDocument.deserialize(content=read.serialize(format="json"), format="json")
    assert again == read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", settle(random_epoch(random.Random(4), 1, 10**9)))
    return tmp_path / "bundle"


def test_the_command_exports_a_bundle(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "prov.json"
    done = CliRunner().invoke(
        rights_command, ["prov", str(folder), "-o", str(output)], catch_exceptions=False
    )
    assert done.exit_code == 0
    document = json.loads(output.read_text())
    check_structure(document)
    bundle: Bundle = read_bundle(folder)
    paid = [int(entity["ame:amount"]) for entity in document["entity"].values() if "ame:amount" in entity]
    assert sum(paid) == sum(bundle.settlement.amounts) == bundle.settlement.table[-1]
    [activity] = document["activity"].values()
    assert activity["ame:manifest_sha256"] == evidence_of(folder).hex()
    used = {record["prov:entity"] for record in document["used"].values()}
    assert used == {f"ame:asset/{asset}" for weights in bundle.shares.asset_weights for asset in weights}
