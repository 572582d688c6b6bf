import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from ame.encoding import account_id, named_id
from ame.mapping import strict_yaml
from ame.mapping.rights import holdings_at, load_rights, parse_rights, to_time
from tests.mapping import ALICE_WALLET, REGISTRAR, WHOLE, asset, rights_of, text_of

ROOT = Path(__file__).parents[2]
FULL = ROOT / "tests" / "mapping" / "full.yaml"


def test_a_wallet_gives_an_account_id_and_a_name_alone_a_named_id() -> None:
    rights = rights_of(asset("a"))
    assert rights.contributors["hf:alice"].id == account_id(ALICE_WALLET)
    assert rights.contributors["hf:bob"].id == named_id(REGISTRAR, "hf:bob")


def test_a_did_pkh_is_its_own_account() -> None:
    text = text_of(asset("a")).replace("hf:carol", f"did:pkh:eip155:1:{ALICE_WALLET}")
    assert parse_rights(text).contributors[f"did:pkh:eip155:1:{ALICE_WALLET}"].id == account_id(ALICE_WALLET)


def test_the_split_is_the_one_of_the_day() -> None:
    sale = "{contributor: 'hf:alice', ppm: 1000000, from: 2026-01-01T00:00:00Z, until: 2026-03-01T00:00:00Z}"
    after = "{contributor: 'hf:bob', ppm: 1000000, from: 2026-03-01T01:00:00+01:00}"
    sold = rights_of(asset("a").replace(WHOLE, f"[{sale}, {after}]")).assets["a"]
    sold_at = datetime(2026, 3, 1, tzinfo=UTC)
    assert [item.contributor for item in holdings_at(sold, sold_at - timedelta(microseconds=1))] == [
        "hf:alice"
    ]
    assert [item.contributor for item in holdings_at(sold, sold_at)] == ["hf:bob"]
    assert not holdings_at(sold, datetime(2025, 1, 1, tzinfo=UTC))


def test_the_full_form_loads_and_follows_its_schema() -> None:
    rights = load_rights(FULL)
    schema = json.loads((ROOT / "docs" / "rights.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(strict_yaml.parse(FULL.read_text(), FULL), schema)
    assert len(rights.assets) == 4


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").rglob("rights.yaml")), ids=lambda path: path.parent.name
)
def test_the_examples_follow_the_schema(path: Path) -> None:
    schema = json.loads((ROOT / "docs" / "rights.schema.json").read_text())
    jsonschema.validate(strict_yaml.parse(path.read_text(), path), schema)
    assert load_rights(path).assets


def test_json_and_yaml_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "rights.json"
    path.write_text(json.dumps(strict_yaml.parse(FULL.read_text(), FULL)))
    assert load_rights(path).assets == load_rights(FULL).assets


def test_plain_scalars_follow_the_json_schema_of_yaml() -> None:
    found = strict_yaml.parse("[no, 1_000, 012, 0x10, 1:30, 7, -7, null, ~, true, '7', 2026-01-01]", "x")
    assert found == ["no", "1_000", "012", "0x10", "1:30", 7, -7, None, None, True, "7", "2026-01-01"]


def test_the_strict_reader_agrees_with_pyyaml_on_plain_documents() -> None:
    text = (ROOT / "tests/mapping/cards/datasets/folklore/river-songs/README.md").read_text().split("---")[1]
    assert strict_yaml.parse(text, "x") == yaml.safe_load(text)


def test_times_are_read_into_utc() -> None:
    assert to_time("2026-01-01T02:00:00+02:00") == datetime(2026, 1, 1, tzinfo=UTC)
