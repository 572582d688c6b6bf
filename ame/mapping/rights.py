"""The rights file: who holds which asset since when, what it was made from, and where its holders are paid.

docs/rights.md describes the format, docs/rights.schema.json is its schema. Reading is strict: whatever is
unknown, doubled or does not add up is refused with file, line and field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ame.errors import FileError, InputError
from ame.mapping import graph, plain_assets, regular_yaml, strict_yaml
from ame.mapping.collector import paused_collector
from ame.mapping.rights_reader import FieldError, Reader, to_time
from ame.mapping.rights_records import (
    FORMAT,
    KINDS,
    RELATIONS,
    SCOPES,
    WHOLE_PPM,
    AsOf,
    Asset,
    Contributor,
    Holding,
    Parent,
    Policy,
    Rights,
    copies,
    field_name,
    holders_of,
    holdings_at,
)
from ame.mapping.strict_yaml import FieldPath

__all__ = [
    "FORMAT",
    "KINDS",
    "RELATIONS",
    "SCOPES",
    "WHOLE_PPM",
    "AsOf",
    "Asset",
    "Contributor",
    "Holding",
    "Parent",
    "Policy",
    "Rights",
    "copies",
    "field_name",
    "holders_of",
    "holdings_at",
    "load_rights",
    "moment_of",
    "parse_rights",
    "read_rights",
    "to_time",
]


_ASSETS = "\nassets:\n"


def load_rights(path: Path | str) -> Rights:
    """Read and check a rights file; licence conflicts are left to the policies. FileError names file, line
    and field."""
    return parse_rights(strict_yaml.read_file(Path(path)), path)


def parse_rights(text: str, file: object = "rights.yaml") -> Rights:
    """Rights of the text of a rights file (YAML, or JSON if `file` ends in .json)."""
    rights, problems = read_rights(text, file)
    if problems:
        raise problems[0]
    return rights


def read_rights(text: str, file: object) -> tuple[Rights, list[FileError]]:
    """Rights, and what is wrong with their graph and splits: all of it, for `ame rights check`.

    Raises FileError at once where the file is not even in the format.
    """
    with paused_collector():
        return _read_rights(text, file)


def _read_rights(text: str, file: object) -> tuple[Rights, list[FileError]]:
    document = _written(text, file) or strict_yaml.parse(text, file)
    try:
        rights = Reader(document, str(file), text).read()
        problems = list(_splits(rights.assets.values()))
        problems += list(_lineage_problems(rights))
    except FieldError as error:
        line = strict_yaml.line_of(text, error.path)
        raise FileError(str(error), file=file, line=line, field=field_name(error.path)) from error
    if not problems:
        return rights, []
    index = {asset: position for position, asset in enumerate(rights.assets)}
    paths = [("assets", index[asset], *where) for asset, _, where in problems]
    lines = strict_yaml.lines_of(text, paths)
    return rights, [
        FileError(f"asset {asset}: {message}", file=file, line=lines[path], field=field_name(path))
        for path, (asset, message, _) in zip(paths, problems, strict=True)
    ]


def _written(text: str, file: object) -> Any:
    """The document, where it is as AME writes one in YAML, with the assets last: most of a large file."""
    end = -1 if str(file).endswith(".json") else text.find(_ASSETS)
    if end < 0:
        return None
    assets = plain_assets.read_written(text, end + len(_ASSETS))
    head = regular_yaml.parse(text[:end]) if assets else None
    return None if head is None or "assets" in head else {**head, "assets": assets}


def moment_of(rights: Rights, last_sale: datetime) -> datetime:
    """As of when an epoch's holders are taken: its last sale. Rights as of a block are those of that block,
    even if they were registered after the sale.
    """
    if rights.as_of is None:
        return last_sale
    starts = (holding.start for asset in rights.assets.values() for holding in asset.holdings)
    return max([last_sale, *starts])


def _lineage_problems(rights: Rights) -> Iterator[tuple[str, str, FieldPath]]:
    for asset, index in graph.missing_parents(rights.lineage):
        parent = rights.lineage[asset][index]
        yield asset, f"its parent {parent!r} is missing", ("parents", index)
    try:
        rights.order  # noqa: B018 - kept for whoever needs it next
    except InputError:
        cycle = graph.find_cycle(rights.lineage)
        yield cycle[0], f"its lineage is a cycle: {' -> '.join(cycle)}", ("parents",)


def _splits(assets: Iterable[Asset]) -> Iterable[tuple[str, str, FieldPath]]:
    """Splits that do not add up: at every moment from the first `from` on, exactly 1,000,000 ppm."""
    for asset in assets:
        holdings = asset.holdings
        if not holdings:
            yield asset.id, "expected holders (a reserve, where nobody is known)", ()
            continue
        if len(holdings) == 1 and holdings[0].ppm == WHOLE_PPM and holdings[0].end is None:
            continue
        moments = {holding.start for holding in holdings} | {item.end for item in holdings if item.end}
        for moment in sorted(moments):
            active = holdings_at(asset, moment)
            total = sum(holding.ppm for holding in active)
            if total == WHOLE_PPM and len({holding.contributor for holding in active}) == len(active):
                continue
            when = moment.isoformat().replace("+00:00", "Z")
            if total > WHOLE_PPM and any(holding.ppm == WHOLE_PPM for holding in active):
                message = f"two holders at a time: {', '.join(item.contributor for item in active)} hold"
            elif total == WHOLE_PPM:
                message = "the same holder twice at a time: expected one entry, found several, that hold"
            else:
                message = f"splits do not add up: expected {WHOLE_PPM} ppm, the holders have"
            yield asset.id, f"{message} {total} ppm from {when} on", ("holders",)
            break
