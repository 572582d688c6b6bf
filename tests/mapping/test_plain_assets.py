"""Assets that are read whole, against the same read field by field: one result, one error."""

import json
from typing import Any

import pytest

from ame.errors import FileError
from ame.mapping import plain_assets, strict_yaml
from ame.mapping.importing import to_text
from ame.mapping.rights import read_rights
from ame.mapping.rights_reader import Reader
from tests.mapping import HEAD, asset, text_of

SINCE = "2026-01-01T00:00:00Z"
ALICE, DISPUTES = {"contributor": "hf:alice"}, {"reserve": "disputes"}
DOCUMENT = strict_yaml.parse(text_of(asset("a"), HEAD), "x") | {
    "assets": [
        {
            "id": "data/a",
            "stage": "training_data",
            "title": 'Say \\ "a"',
            "sha256": "0a" * 32,
            "license": "CC-BY-4.0",
            "holders": [{**ALICE, "ppm": 1000000, "from": SINCE}],
        },
        {
            "id": "b",
            "stage": "base_model",
            "parents": [{"asset": "data/a", "relation": "trained_on"}, {"asset": "c", "relation": "merge"}],
            "holders": [
                {**DISPUTES, "ppm": 400000, "from": SINCE},
                {**ALICE, "ppm": 600000, "from": SINCE},
            ],
        },
        {"id": "c", "stage": "base_model", "holders": [{**ALICE, "ppm": 1000000, "from": SINCE}]},
    ]
}
WRITTEN = to_text(DOCUMENT)
ASSETS = "\nassets:\n"


def outcome(text: str, file: str) -> Any:
    try:
        rights, problems = read_rights(text, file)
    except FileError as error:
        return str(error)
    return rights.assets, list(map(str, problems))


def field_by_field(text: str, file: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_assets, "read_written", lambda *_: None)
        patch.setattr(Reader, "read_asset", Reader.read_any_asset)
        return outcome(text, file)


def test_what_import_writes_is_read_whole() -> None:
    """Otherwise 100,000 assets would take half as long again to read, and nobody would notice."""
    found = plain_assets.read_written(WRITTEN, WRITTEN.index(ASSETS) + len(ASSETS))

    assert found is not None
    assert len(found) == 3
    assert outcome(WRITTEN, "x.yaml")[1] == []
    assert outcome(WRITTEN, "x.yaml") == outcome(json.dumps(DOCUMENT), "x.json")
    assert outcome(WRITTEN, "x.yaml") == field_by_field(WRITTEN, "x.yaml")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"data/a"\n', '"data/../a"\n'),
        ('"data/a"\n', '"data/a b"\n'),
        ('"data/a"\n', '"' + "a" * 201 + '"\n'),
        ('"data/a"\n', "data/a\n"),
        ('"data/a"\n', '"b"\n'),
        ('"training_data"', '"elsewhere"'),
        ("Say", "Sáy"),
        ("Say", "\\u0053ay"),
        ("Say", "\\x53ay"),
        ("Say", "Say" * 400),
        ("0a0a", "0A0a"),
        ("0a0a", "0a"),
        ('"CC-BY-4.0"', '"nobody knows"'),
        ('"CC-BY-4.0"', '""'),
        ('"CC-BY-4.0"', "null"),
        ("    license", "    licence"),
        ('    license: "CC-BY-4.0"\n', '    license: "CC-BY-4.0"\n    license: "MIT"\n'),
        ("trained_on", "made_of"),
        ('"trained_on"', "null"),
        ('"trained_on"', '"derived"'),
        ('"trained_on"', '"trained_on", upstream_ppm: 50000'),
        ('"trained_on"', '"trained_on", upstream_ppm: 1000001'),
        ('"trained_on"', '"trained_on", upstream_ppm: true'),
        ('"trained_on"', '"trained_on", scope: "absolute"'),
        ('{asset: "data/a", relation: "trained_on"}', '"data/a"'),
        ('{asset: "data/a", relation: "trained_on"}', '{asset: "c", relation: "merge"}'),
        ('{asset: "data/a"', '{asset: "missing"'),
        ('"merge"}\n', '"merge"} \n'),
        ('"merge"}\n', '"merge"}\r\n'),
        ('"merge"}\n', '"merge"}  # two\n'),
        ("400000", "0"),
        ("400000", "400001"),
        ("400000", "1000001"),
        ("400000", "0400000"),
        ("400000", '"400000"'),
        ("400000", "true"),
        ('reserve: "disputes"', 'reserve: ""'),
        ('reserve: "disputes"', 'reserve: "others"'),
        ('reserve: "disputes"', 'reserve: "disputes", contributor: "hf:bob"'),
        ('reserve: "disputes"', 'contributor: "hf:nobody"'),
        (SINCE + '"}', 'yesterday"}'),
        (SINCE + '"}', SINCE + f'", until: "{SINCE}"}}'),
        (SINCE + '"}', SINCE + '", until: null}'),
        (SINCE + '"}', SINCE + '", until: "2026-02-01T00:00:00Z"}'),
        ('  - id: "c"', '  # the last\n  - id: "c"'),
        ('  - id: "c"', '- id: "c"'),
        ('  - id: "c"\n', '  - path: "../c"\n    id: "c"\n'),
        ('  - id: "c"\n', '  - contested: true\n    credits: ["b"]\n    id: "c"\n'),
        ('  - id: "c"\n', '  - contested: 1\n    id: "c"\n'),
        (ASSETS, "\nassets: []" + ASSETS),
        (ASSETS, "\n..." + ASSETS),
        (ASSETS, "\nescrow: >" + ASSETS),
    ],
)
def test_what_is_written_otherwise_is_read_the_same(before: str, after: str) -> None:
    text = WRITTEN.replace(before, after, 1)
    assert text != WRITTEN
    assert outcome(text, "x.yaml") == field_by_field(text, "x.yaml")
    as_json = json.dumps(DOCUMENT).replace(before, after, 1)
    assert outcome(as_json, "x.json") == field_by_field(as_json, "x.json")


@pytest.mark.parametrize("more", ["policies: {}\n", "  - ", "\n", "...\n", "# end\n", '    credits: ["b"]\n'])
def test_what_stands_after_the_assets_is_read_the_same(more: str) -> None:
    assert outcome(WRITTEN + more, "x.yaml") == field_by_field(WRITTEN + more, "x.yaml")
    assert outcome(WRITTEN[:-1], "x.yaml") == field_by_field(WRITTEN[:-1], "x.yaml")
