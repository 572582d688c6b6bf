from pathlib import Path

from ame.mapping.allocate import allocate
from ame.mapping.prov import to_prov
from ame.mapping.rights import load_rights
from tests.mapping import JUNE, shares_of

FULL = Path(__file__).parent / "full.yaml"


def test_prov_names_every_derivation_and_every_payment() -> None:
    rights = load_rights(FULL)
    allocation = allocate(
        shares_of({"cypress/haiku-lora": 1000, "aurora/terra-7b": 10}, rights), rights, JUNE
    )
    amounts = [[line.weight * 2 for line in lines] for lines in allocation.lines]
    document = to_prov(rights, allocation, JUNE, amounts)
    assert len(document["wasDerivedFrom"]) == 3
    payments = [entity for entity in document["entity"].values() if entity["prov:type"] == "ame:payment"]
    assert sum(int(payment["ame:amount"]) for payment in payments) == 2020
    for relation in document["wasAttributedTo"].values():
        assert relation["prov:agent"] in document["agent"]
        assert relation["prov:entity"] in document["entity"]
    for relation in document["wasGeneratedBy"].values():
        assert relation["prov:activity"] in document["activity"]
