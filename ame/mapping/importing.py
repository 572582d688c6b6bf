"""Cards -> a rights file. What no card declares is held by a named reserve, never silently by anybody."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, NamedTuple

from ame.arithmetic import telescoping_split
from ame.errors import FileError, InputError
from ame.mapping.cards import DATASETS, Card, CardGap
from ame.mapping.collector import paused_collector
from ame.mapping.rights import FORMAT, WHOLE_PPM

_GAP_MEANING = {
    "undeclared-data": "says nothing of the data it was trained on",
    "unknown-base": "says that it has a base model, not which",
    "undeclared-license": "declares no licence",
    "unknown-license": "declares a licence that nobody knows",
    "unknown-holder": "names nobody who could be paid",
    "no-card": "is named as a parent, but its card was not given",
}


# Whose licence is not declared or not known, for the policy `unknown-license`.
_LICENSE_RESERVE = "unknown-license"


class Gap(NamedTuple):
    """Something that no card declares so that it is understood, and the reserve that holds the money instead."""

    asset: str
    kind: str
    reserve: str
    file: str
    line: int
    words: str = ""

    def __str__(self) -> str:
        said = f": {self.words}" if self.words else ""
        return (
            f"{self.file}:{self.line}: {self.asset} {_GAP_MEANING[self.kind]}{said} -> reserve {self.reserve}"
        )


class Import(NamedTuple):
    """A rights file as plain data, and what the cards left out."""

    document: dict[str, Any]
    gaps: tuple[Gap, ...]


def import_cards(cards: Iterable[Card], registrars: Mapping[str, str], since: datetime) -> Import:
    """The lineage of the cards, held by their owners in equal parts since `since`.

    registrars: namespace -> address; `*` stands for every namespace that is not named. InputError for two
    cards of one asset
    and for a namespace without registrar.
    """
    if since.tzinfo is None:
        raise InputError(f"import: expected a time with its zone, got {since.isoformat()}")
    with paused_collector():
        return _Importer(registrars, since.isoformat().replace("+00:00", "Z")).run(cards)


class _Importer:
    def __init__(self, registrars: Mapping[str, str], since: str) -> None:
        self.registrars, self.since = registrars, since
        self.assets: dict[str, dict[str, Any]] = {}
        self.contributors: dict[str, None] = {}
        self.reserves: dict[str, str] = {}
        self.gaps: list[Gap] = []

    def run(self, cards: Iterable[Card]) -> Import:
        files: dict[str, str] = {}
        named: dict[str, Card] = {}  # parent -> the first card that names it
        for card in cards:
            if card.id in files:
                raise FileError(f"the asset {card.id} has another card: {files[card.id]}", file=card.file)
            files[card.id] = card.file
            self.add(card)
            for parent, _ in card.parents:
                if parent not in files:  # so far
                    named.setdefault(parent, card)
        for parent, card in named.items():
            if parent not in files:
                stage = "training_data" if parent.startswith(DATASETS) else "base_model"
                self.missing(parent, parent, stage, card.file, CardGap("no-card", card.line))
        policies = {"unknown-license": {"reserve": self.reserve(_LICENSE_RESERVE)}}
        document = {
            "format": FORMAT,
            "registrars": self.used_registrars(),
            "contributors": [{"name": name} for name in self.contributors],
            "reserves": [
                {"name": name, "contributor": contributor} for name, contributor in self.reserves.items()
            ],
            "policies": policies,
            "assets": list(self.assets.values()),
        }
        return Import(document, tuple(self.gaps))

    def add(self, card: Card) -> None:
        parents = [{"asset": parent, "relation": relation} for parent, relation in card.parents]
        owners = [("contributor", name) for name in card.holders]
        for gap in card.gaps:
            if gap.kind == "undeclared-data":
                parents.append({"asset": f"undeclared-data/{card.id}", "relation": "trained_on"})
                self.missing(f"undeclared-data/{card.id}", card.id, "training_data", card.file, gap)
            elif gap.kind == "unknown-base":
                parents.append({"asset": f"unknown-base/{card.id}", "relation": "finetune"})
                self.missing(f"unknown-base/{card.id}", card.id, "base_model", card.file, gap)
            elif gap.kind == "unknown-holder":
                owners.append(("reserve", self.gap(card.id, f"unknown-holder/{card.id}", card.file, gap)))
            else:
                self.gap(card.id, _LICENSE_RESERVE, card.file, gap)
        for name in card.holders:
            self.contributors[name] = None
        parts = telescoping_split(WHOLE_PPM, [1] * len(owners)) if len(owners) > 1 else [WHOLE_PPM]
        asset: dict[str, Any] = {"id": card.id, "stage": card.stage}
        if card.title:
            asset["title"] = card.title
        if card.sha256:
            asset["sha256"] = card.sha256
        if card.license:
            asset["license"] = card.license
        if parents:
            asset["parents"] = parents
        asset["holders"] = [
            {kind: name, "ppm": part, "from": self.since}
            for (kind, name), part in zip(owners, parts, strict=True)
        ]
        self.assets[card.id] = asset

    def missing(self, asset: str, known: str, stage: str, file: str, gap: CardGap) -> None:
        """An asset that must exist, but about which nothing is declared."""
        reserve = self.gap(known, f"{gap.kind}/{known}", file, gap)
        holder = {"reserve": reserve, "ppm": WHOLE_PPM, "from": self.since}
        self.assets[asset] = {"id": asset, "stage": stage, "holders": [holder]}

    def gap(self, asset: str, reserve: str, file: str, gap: CardGap) -> str:
        self.gaps.append(Gap(asset, gap.kind, self.reserve(reserve), file, gap.line, gap.words))
        return reserve

    def reserve(self, name: str) -> str:
        if name not in self.reserves:
            self.reserves[name] = f"reserve:{name}"
            self.contributors[self.reserves[name]] = None
        return name

    def used_registrars(self) -> dict[str, str]:
        spaces = sorted({name.partition(":")[0] for name in self.contributors})
        for space in spaces:
            if space not in self.registrars and "*" not in self.registrars:
                raise InputError(f"import: expected a registrar for the namespace {space}")
        return {space: self.registrars.get(space, self.registrars.get("*", "")) for space in spaces}


def to_text(document: Mapping[str, Any]) -> str:
    """A rights file as YAML: one line per contributor, reserve, parent and holder; texts quoted as in JSON."""
    lines = [f"format: {document['format']}"]
    lines += [f"{name}: {_flow(document[name])}" for name in ("stages", "escrow") if name in document]
    for section in ("registrars", "policies", "as_of"):
        if document.get(section):
            lines.append(f"{section}:")
            lines += [f"  {key}: {_flow(value)}" for key, value in document[section].items()]
    for section in ("contributors", "reserves"):
        items = [f"  - {_flow(item)}" for item in document.get(section) or []]
        lines += [f"{section}:", *items] if items else [f"{section}: []"]
    return "\n".join([*lines, "assets:", *map(_asset_text, document["assets"])]) + "\n"


def _asset_text(asset: Mapping[str, Any]) -> str:
    text, lead = "", "  - "
    for name, value in asset.items():
        if type(value) is str:
            text += f"{lead}{name}: {_quoted(value)}"
        elif type(value) is list:
            text += f"{lead}{name}:"
            for item in value:
                text += f"\n      - {_flow(item)}"
        else:
            text += f"{lead}{name}: {_flow(value)}"
        lead = "\n    "
    return text


def _flow(value: Any) -> str:
    if type(value) is dict:  # most
        text = ""
        for key, item in value.items():
            text += f", {key}: {_quoted(item) if type(item) is str else _flow(item)}"
        return f"{{{text[2:]}}}"
    return _quoted(value) if type(value) is str else str(value) if type(value) is int else json.dumps(value)
