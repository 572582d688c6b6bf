"""Realistic cards, as Hugging Face and Croissant write them, become a rights file that loses nothing silently."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ame.errors import FileError, InputError
from ame.mapping.allocate import allocate
from ame.mapping.cards import CardGap, read_cards
from ame.mapping.checking import check_rights
from ame.mapping.hashing import hash_listing
from ame.mapping.importing import Import, import_cards, to_text
from ame.mapping.rights import Rights, parse_rights
from tests.mapping import JUNE, REGISTRAR, shares_of

CARDS = Path(__file__).parent / "cards"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def imported() -> Import:
    paths = [*sorted(CARDS.rglob("README.md")), CARDS / "croissant.json", CARDS / "hub.jsonl"]
    return import_cards([card for path in paths for card in read_cards(path)], {"*": REGISTRAR}, SINCE)


@pytest.fixture(scope="module")
def rights(imported: Import) -> Rights:
    return parse_rights(to_text(imported.document))


def parents(rights: Rights, name: str) -> dict[str, str]:
    return {parent.asset: parent.relation for parent in rights.assets[name].parents}


def test_a_fine_tune_names_its_base_and_its_data(rights: Rights) -> None:
    assert parents(rights, "bramble/terra-7b-poetry") == {
        "aurora/terra-7b": "finetune",
        "datasets/folklore/river-songs": "trained_on",
        "datasets/inkwell/haiku-en": "trained_on",
    }
    assert rights.assets["bramble/terra-7b-poetry"].stage == "fine_tuning"
    assert rights.assets["aurora/terra-7b"].stage == "base_model"


def test_adapter_merge_and_quantization_are_told_apart(rights: Rights) -> None:
    assert parents(rights, "cypress/terra-poetry-haiku-lora")["bramble/terra-7b-poetry"] == "adapter"
    assert set(parents(rights, "delta/terra-blend").values()) == {"merge"}
    assert parents(rights, "echo/terra-7b-gguf") == {"aurora/terra-7b": "quantized"}


def test_a_data_set_names_its_sources(rights: Rights) -> None:
    assert parents(rights, "datasets/inkwell/haiku-en") == {"datasets/folklore/river-songs": "derived"}
    assert not rights.assets["datasets/folklore/river-songs"].parents


def test_licences_become_spdx(rights: Rights) -> None:
    assert rights.assets["datasets/folklore/river-songs"].license == "CC-BY-SA-4.0"
    assert rights.assets["bramble/terra-7b-poetry"].license == "LicenseRef-bigscience-openrail-m"
    assert rights.assets["datasets/grove/voices"].license == "CC-BY-4.0 AND ODC-By-1.0"
    assert rights.assets["echo/terra-7b-gguf"].license is None


def test_whatever_is_left_out_becomes_a_named_reserve(imported: Import, rights: Rights) -> None:
    gaps = {(gap.asset, gap.kind, gap.reserve) for gap in imported.gaps}
    assert gaps == {
        (
            "cypress/terra-poetry-haiku-lora",
            "undeclared-data",
            "undeclared-data/cypress/terra-poetry-haiku-lora",
        ),
        ("echo/terra-7b-gguf", "undeclared-license", "unknown-license"),
        ("fern/voice-lora", "unknown-base", "unknown-base/fern/voice-lora"),
        ("zephyr/terra-7b-code", "no-card", "no-card/zephyr/terra-7b-code"),
        (
            "datasets/quay/harbour-photographs",
            "unknown-holder",
            "unknown-holder/datasets/quay/harbour-photographs",
        ),
    }
    for reserve in {gap.reserve for gap in imported.gaps}:
        assert rights.reserves[reserve] == f"reserve:{reserve}"
    unclaimed = rights.assets["zephyr/terra-7b-code"].holdings
    assert [holding.contributor for holding in unclaimed] == ["reserve:no-card/zephyr/terra-7b-code"]


def test_a_croissant_gives_creators_licence_hash_and_source(rights: Rights) -> None:
    found = rights.assets["datasets/quay/harbour-photographs"]
    assert found.license == "CC-BY-4.0"
    assert found.title == "Harbour Photographs"
    assert [(holding.contributor, holding.ppm) for holding in found.holdings] == [
        ("hf:quay", 333_333),
        ("github:bob-marsh", 333_333),
        ("reserve:unknown-holder/datasets/quay/harbour-photographs", 333_334),
    ]
    assert found.sha256 == hash_listing(
        [
            ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "images.tar"),
            ("60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752", "captions.jsonl"),
        ]
    )


def test_a_hub_listing_gives_many_cards(rights: Rights) -> None:
    assert parents(rights, "grove/tiny-speech") == {"datasets/grove/voices": "trained_on"}


LISTED = [
    {"id": "acme/one", "cardData": {"license": "acme-licence-2.0", "datasets": ["acme/d"]}},
    {
        "id": "acme/two",
        "cardData": {"license": "other", "license_name": "Acme Terms", "datasets": ["acme/d"]},
    },
    {"id": "acme/three", "cardData": {"license": ["mit", False], "datasets": ["acme/d"]}},
    {"id": "acme/four", "cardData": {"license": "mit", "datasets": ["acme/d"]}},
    {"id": "datasets/acme/d", "cardData": {"license": "ame-consent"}},
]


def test_an_unknown_licence_is_taken_over_reported_and_held(tmp_path: Path) -> None:
    path = tmp_path / "hub.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in LISTED))
    imported = import_cards(read_cards(path), {"*": REGISTRAR}, SINCE)
    assert list(map(str, imported.gaps)) == [
        f"{path}:{line}: {asset} declares a licence that nobody knows: {words} -> reserve unknown-license"
        for line, asset, words in [
            (1, "acme/one", "acme-licence-2.0"),
            (2, "acme/two", "Acme Terms"),
            (3, "acme/three", "False"),
            (5, "datasets/acme/d", "ame-consent"),
        ]
    ]
    rights = parse_rights(to_text(imported.document))
    assert {name: asset.license for name, asset in rights.assets.items()} == {
        "acme/one": "LicenseRef-unknown-acme-licence-2.0",
        "acme/two": "LicenseRef-unknown-Acme-Terms",
        "acme/three": "LicenseRef-unknown-False AND MIT",
        "acme/four": "MIT",
        "datasets/acme/d": "LicenseRef-unknown-ame-consent",
    }
    held = [finding.asset for finding in check_rights(rights) if finding.level == "held"]
    assert sorted(held) == ["acme/one", "acme/three", "acme/two", "datasets/acme/d"]
    paid = allocate(shares_of({"acme/one": 7, "acme/four": 5}, rights), rights, JUNE)
    weights = {paid.names[line.contributor_id]: line.weight for stage in paid.lines for line in stage}
    assert weights == {"reserve:unknown-license": 7, "hf:acme": 5}


def test_an_unknown_licence_in_front_matter_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("---\ndatasets: [acme/d]\nlicense: made-up-1.0\n---\n")
    [card] = read_cards(path, "acme/model")
    assert card.license == "LicenseRef-unknown-made-up-1.0"
    assert card.gaps == (CardGap("unknown-license", 3, "made-up-1.0"),)


def test_two_cards_of_one_asset_are_refused() -> None:
    card = read_cards(CARDS / "aurora/terra-7b/README.md")
    with pytest.raises(FileError, match="the asset aurora/terra-7b has another card"):
        import_cards(card + card, {"*": REGISTRAR}, SINCE)


def test_a_namespace_without_registrar_is_refused() -> None:
    with pytest.raises(InputError, match="expected a registrar for the namespace hf"):
        import_cards(read_cards(CARDS / "aurora/terra-7b/README.md"), {"github": REGISTRAR}, SINCE)


def test_a_card_somewhere_else_needs_its_name(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("---\nlicense: mit\n---\n")
    with pytest.raises(FileError, match="write org/name=PATH"):
        read_cards(card)
    assert read_cards(card, "acme/model")[0].holders == ("hf:acme",)


def test_a_croissant_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "croissant.json"
    path.write_text('{"@type": "Recipe"}')
    with pytest.raises(FileError, match="expected a Croissant data set"):
        read_cards(path)
    path.write_text("[1]")
    with pytest.raises(FileError, match="expected fields"):
        read_cards(path)
