"""Assets as most of a large rights file are: fields of the form that msgspec checks, in the layout that
`importing.to_text` writes.

Whatever is another form or layout is left to those who read all of them, and who say what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Annotated, TypeAlias, get_args

import msgspec

from ame.mapping import names, regular_yaml
from ame.mapping.rights_records import MAX_PER_ASSET, RELATIONS, WHOLE_PPM, Parent, Relation

_Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class PlainHolder(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A holder in the form of the file; empty where it says nothing."""

    ppm: Annotated[int, msgspec.Meta(ge=1, le=WHOLE_PPM)]
    since: str = msgspec.field(name="from")
    contributor: _Text = ""
    reserve: _Text = ""
    until: _Text = ""


class PlainAsset(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """An asset in the form of the file. What its text may be is for the reader to say."""

    id: names.AssetId
    stage: str
    holders: Annotated[tuple[PlainHolder, ...], msgspec.Meta(max_length=MAX_PER_ASSET)]
    parents: Annotated[tuple[Parent, ...], msgspec.Meta(max_length=MAX_PER_ASSET)] = ()
    license: str | None = None
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")] | None = None
    title: _Text | None = None
    credits: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_PER_ASSET)] = ()
    contested: bool = False


_RELATIONS: dict[str, Relation] = {relation: relation for relation in get_args(Relation)}  # one text of each
_QUOTED = regular_yaml.QUOTED
_ESCAPED = r'"((?:[ !#-\[\]-~]|\\["\\]){1,900})"'  # means the same in JSON
_LINES = rf"(?:      - .+\n){{1,{MAX_PER_ASSET}}}"
_ASSET = re.compile(
    rf"  - id: {_QUOTED}\n    stage: {_QUOTED}\n(?:    title: {_ESCAPED}\n)?"
    rf'(?:    sha256: "([0-9a-f]{{64}})"\n)?(?:    license: {_QUOTED}\n)?'
    rf"(?:    parents:\n({_LINES}))?    holders:\n({_LINES})"
)
_PARENT = re.compile(rf'^      - \{{asset: {_QUOTED}, relation: "({"|".join(RELATIONS)})"\}}$', re.MULTILINE)
_HOLDER = re.compile(
    rf'^      - \{{(contributor|reserve): (?!""){_QUOTED}, ppm: (1000000|[1-9][0-9]{{0,5}}), from: {_QUOTED}\}}$',
    re.MULTILINE,
)


def read_written(text: str, start: int) -> list[PlainAsset] | None:
    """The assets that `to_text` wrote from `start` to the end; None where any is not as it writes them."""
    holders_of = cache(_holders)
    assets = []
    while start < len(text):
        found = _ASSET.match(text, start)
        asset = _asset(found, holders_of) if found else None
        if found is None or asset is None:
            return None
        assets.append(asset)
        start = found.end()
    return assets


def _asset(
    found: re.Match[str], holders_of: Callable[[str], tuple[PlainHolder, ...] | None]
) -> PlainAsset | None:
    name, stage, title, sha256, license_, parent_lines, holder_lines = found.groups()
    edges = _PARENT.findall(parent_lines) if parent_lines else []
    holders = holders_of(holder_lines)
    if not names.is_asset_id(name) or holders is None:
        return None
    if parent_lines and len(edges) < parent_lines.count("\n"):
        return None
    if title and "\\" in title:
        title = json.loads(f'"{title}"')
    parents = tuple([Parent(parent, _RELATIONS[relation]) for parent, relation in edges])
    return PlainAsset(name, stage, holders, parents, license_, sha256, title)


def _holders(lines: str) -> tuple[PlainHolder, ...] | None:
    found = _HOLDER.findall(lines)
    if len(found) < lines.count("\n"):
        return None
    return tuple([PlainHolder(int(ppm), since, **{kind: name}) for kind, name, ppm, since in found])
