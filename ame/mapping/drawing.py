"""The lineage as a picture (SVG) and as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

import msgspec

from ame.errors import InputError
from ame.mapping import graph
from ame.mapping.conflicts import Conflict, find_conflicts
from ame.mapping.layout import arrange
from ame.mapping.rights import Asset, Parent, Rights, holdings_at

MAX_DRAWN = 500
_BOX_WIDTH, _BOX_HEIGHT, _GAP_X, _GAP_Y, _MARGIN, _LEGEND = 240, 64, 150, 24, 24, 32
# Okabe and Ito (2008): distinct for all kinds of colour vision.
_STAGE_COLOURS = ("#56b4e9", "#009e73", "#e69f00", "#cc79a7", "#f0e442")
_SVG_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
    'height="{height}" role="img" aria-label="Lineage and rights" font-family="sans-serif" '
    'font-size="12"><defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
    'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>'
)
_LEVEL_COLOURS = {"refuse": "#c62828", "reserve": "#b26a00", "warn": "#8a6d00"}


def to_text(rights: Rights, at: datetime, root: str | None = None) -> str:
    """A tree per asset that nothing was made from: below each asset, what it was made from.

    An asset that is shown already is named once more with `^`, not unfolded again.
    """
    lineage = _lineage(rights, root)
    conflicts = _conflicts(rights, lineage)
    made_from = {parent for parents in lineage.values() for parent in parents}
    tops = [root] if root else [asset for asset in lineage if asset not in made_from]
    shown: set[str] = set()
    lines: list[str] = []
    # (asset, the edge that leads to it, indent of its line, indent of what is below it)
    waiting: list[tuple[str, Parent | None, str, str]] = [(asset, None, "", "") for asset in reversed(tops)]
    while waiting:
        name, edge, indent, below = waiting.pop()
        asset = rights.assets[name]
        lines.append(indent + _text_line(asset, edge, at, name in shown))
        if name in shown:
            continue
        shown.add(name)
        lines += [f"{below}  ! {conflict}" for conflict in conflicts.get(name, ())]
        last = len(asset.parents) - 1
        for index in range(last, -1, -1):
            parent = asset.parents[index]
            turn, run = ("└─ ", "   ") if index == last else ("├─ ", "│  ")
            waiting.append((parent.asset, parent, below + turn, below + run))
    return "\n".join(lines) + "\n"


def to_svg(rights: Rights, at: datetime, root: str | None = None) -> str:
    """The lineage from left (what others are made from) to right, with holders, licences and conflicts.

    InputError for more than 500 assets: nobody can read them; `root` draws one asset and its lineage.
    """
    lineage = _lineage(rights, root)
    if len(lineage) > MAX_DRAWN:
        raise InputError(
            f"expected at most {MAX_DRAWN} assets in one picture, got {len(lineage)}; choose one asset"
        )
    conflicts = _conflicts(rights, lineage)
    cells, bends = arrange(lineage)
    place = {name: _corner(cell) for name, cell in cells.items()}
    corners = [*place.values(), *(_corner(cell) for bend in bends.values() for cell in bend)]
    width = max((x for x, _ in corners), default=0) + _BOX_WIDTH + _MARGIN
    width = max(width, _MARGIN + 130 * len(rights.stages))
    height = max((y for _, y in corners), default=0) + _BOX_HEIGHT + _MARGIN
    parts = [
        _SVG_HEAD.format(width=width, height=height),
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *(_svg_stage(index, stage) for index, stage in enumerate(rights.stages)),
    ]
    for name in lineage:
        parents = sorted(rights.assets[name].parents, key=lambda parent: place[parent.asset][::-1])
        for index, parent in enumerate(parents):
            end = place[name][1] + _BOX_HEIGHT * (index + 1) // (len(parents) + 1)
            passed = [_corner(cell) for cell in bends[parent.asset, name]]
            parts.append(_svg_edge(place[parent.asset], passed, (place[name][0], end), parent))
    for name in lineage:
        parts.append(_svg_box(rights, rights.assets[name], place[name], conflicts.get(name, ()), at))
    return "\n".join([*parts, "</svg>"]) + "\n"


def to_plain(rights: Rights, at: datetime, root: str | None = None) -> list[dict[str, Any]]:
    """The same as plain data, one entry per asset."""
    lineage = _lineage(rights, root)
    conflicts = _conflicts(rights, lineage)
    return [
        {
            "id": name,
            "stage": rights.assets[name].stage,
            "license": rights.assets[name].license,
            "parents": [msgspec.structs.asdict(parent) for parent in rights.assets[name].parents],
            "holders": {item.contributor: item.ppm for item in holdings_at(rights.assets[name], at)},
            "conflicts": [str(conflict) for conflict in conflicts.get(name, ())],
        }
        for name in lineage
    ]


def _lineage(rights: Rights, root: str | None) -> dict[str, tuple[str, ...]]:
    lineage = rights.lineage
    if root is None:
        return lineage
    if root not in lineage:
        raise InputError(f"{rights.file}: expected an asset's id, got {root!a}")
    wanted = graph.with_ancestors(lineage, [root])
    return {asset: parents for asset, parents in lineage.items() if asset in wanted}


def _conflicts(rights: Rights, lineage: Mapping[str, object]) -> dict[str, list[Conflict]]:
    found: dict[str, list[Conflict]] = {}
    for conflict in find_conflicts(rights, lineage):
        found.setdefault(conflict.asset, []).append(conflict)
    return found


def _text_line(asset: Asset, edge: Parent | None, at: datetime, again: bool) -> str:
    relation = f"{edge.relation}{_upstream(edge)}: " if edge else ""
    if again:
        return f"{relation}{asset.id} ^"
    return f"{relation}{asset.id} [{asset.stage}; {asset.license or 'no licence'}] {_holders(asset, at)}"


def _upstream(edge: Parent) -> str:
    return f" {edge.upstream_ppm / 10**4:g} % {edge.scope}" if edge.upstream_ppm else ""


def _holders(asset: Asset, at: datetime) -> str:
    if asset.contested:
        return "contested"
    split = (f"{holding.contributor} {holding.ppm / 10**4:g} %" for holding in holdings_at(asset, at))
    return ", ".join(split) or "nobody yet"


def _corner(cell: tuple[int, int]) -> tuple[int, int]:
    column, row = cell
    return _MARGIN + column * (_BOX_WIDTH + _GAP_X), _MARGIN + _LEGEND + row * (_BOX_HEIGHT + _GAP_Y)


def _svg_stage(index: int, stage: str) -> str:
    x = _MARGIN + 130 * index
    return (
        f'<rect x="{x}" y="{_MARGIN - 6}" width="12" height="12" fill="{_STAGE_COLOURS[index]}"/>'
        f'<text x="{x + 18}" y="{_MARGIN + 4}" fill="#333">{escape(_short(stage)[:18])}</text>'
    )


def _svg_edge(
    start: tuple[int, int], passed: Sequence[tuple[int, int]], end: tuple[int, int], edge: Parent
) -> str:
    """From box to box; past a column it goes straight, between the boxes' rows."""
    x, y = start[0] + _BOX_WIDTH, start[1] + _BOX_HEIGHT // 2
    path, bend = f"M{x} {y}", _GAP_X // 2
    for left, top in passed:
        level = top + _BOX_HEIGHT // 2
        path += f"C{x + bend} {y} {left - bend} {level} {left} {level}H{left + _BOX_WIDTH}"
        x, y = left + _BOX_WIDTH, level
    path += f"C{x + bend} {y} {end[0] - bend} {end[1]} {end[0]} {end[1]}"
    label = escape(f"{edge.relation}{_upstream(edge)}")
    dash = ' stroke-dasharray="5 3"' if edge.relation == "trained_on" else ""
    return (
        f'<path d="{path}" fill="none" stroke="#555"{dash} '
        f'marker-end="url(#tip)"><title>{label}</title></path>'
        f'<text x="{end[0] - 10}" y="{end[1] - 3}" text-anchor="end" fill="#333" font-size="10" '
        f'stroke="#fff" stroke-width="3" paint-order="stroke">{label}</text>'
    )


def _svg_box(
    rights: Rights, asset: Asset, place: tuple[int, int], conflicts: Sequence[Conflict], at: datetime
) -> str:
    x, y = place
    actions = [rights.policies[conflict.kind].action for conflict in conflicts]
    worst = next((action for action in _LEVEL_COLOURS if action in actions), None)
    stroke = _LEVEL_COLOURS[worst] if worst else "#444"
    colour = _STAGE_COLOURS[rights.stages.index(asset.stage)]
    license_ = asset.license or "no licence"
    title = "\n".join([f"{asset.id}: {asset.title or asset.stage}", license_, *map(str, conflicts)])
    mark = f" ⚠ {conflicts[actions.index(worst)].kind}" if worst else ""
    if worst and len(conflicts) > 1:
        mark += f" +{len(conflicts) - 1}"
    rows: Iterator[tuple[str, str]] = zip(
        (
            asset.id,
            f"{_short(license_.replace('LicenseRef-', ''), 31 - len(mark))}{mark}",
            _holders(asset, at),
        ),
        ("#000", stroke if worst else "#333", "#333"),
        strict=True,
    )
    texts = "".join(
        f'<text x="{x + 12}" y="{y + 18 + 18 * index}" fill="{fill}">{escape(_short(text))}</text>'
        for index, (text, fill) in enumerate(rows)
    )
    return (
        f'<g><title>{escape(title)}</title><rect x="{x}" y="{y}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" '
        f'rx="4" fill="#fafafa" stroke="{stroke}" stroke-width="{2 if worst else 1}"/>'
        f'<rect x="{x}" y="{y}" width="5" height="{_BOX_HEIGHT}" fill="{colour}"/>{texts}</g>'
    )


def _short(text: str, most: int = 34) -> str:
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"
