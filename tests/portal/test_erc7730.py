"""The clear-signing descriptors say exactly what the contracts' messages hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ame.encoding import MESSAGE_TYPES
from tests.portal.devnet import ROOT

FILES = sorted((ROOT / "docs/erc7730").glob("*.json"))
FORMATS = {"raw", "addressName", "date", "duration"}


def load() -> dict[tuple[str, str], dict[str, Any]]:
    found = {}
    for path in FILES:
        document = json.loads(path.read_text())
        (schema,) = document["context"]["eip712"]["schemas"]
        found[document["context"]["eip712"]["domain"]["name"], schema["primaryType"]] = document
    return found


MESSAGES = [(domain, name) for domain, types in MESSAGE_TYPES.items() for name in types]


def test_each_message_of_contributors_has_a_descriptor() -> None:
    assert set(load()) == set(MESSAGES)


@pytest.mark.parametrize(("domain", "primary"), MESSAGES)
def test_descriptor_shows_every_field_in_words_or_excludes_it(domain: str, primary: str) -> None:
    document = load()[domain, primary]
    (schema,) = document["context"]["eip712"]["schemas"]
    fields = [f"{one['type']} {one['name']}" for one in schema["types"][primary]]
    display = document["display"]["formats"][primary]

    assert ",".join(fields) == MESSAGE_TYPES[domain][primary]
    shown = [one["path"] for one in display["fields"]]
    assert sorted(shown + display.get("excluded", [])) == sorted(field.split()[1] for field in fields)
    assert display["required"] == shown
    assert {one["format"] for one in display["fields"]} <= FORMATS
    assert all(one["label"] for one in display["fields"])
    assert display.get("excluded", []) in ([], ["nonce"])
