"""Where the boxes of a lineage stand: columns from left to right, rows in which edges cross little.

Layers, points where long edges bend, and ordering by the average place of the neighbours are those of
Sugiyama, Tagawa and Toda (1981).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from ame.mapping import graph

SWEEPS = 6
MOST_COLUMNS = 4  # of what is connected with nothing
_Node: TypeAlias = str | tuple[str, str, int]  # an asset; or the bend of an edge (parent, child) in a column


class Layout(NamedTuple):
    """Cells as (column, row). `bends`: per edge (parent, child), the cells that it passes between the two."""

    cells: dict[str, tuple[int, int]]
    bends: dict[tuple[str, str], list[tuple[int, int]]]


def arrange(lineage: Mapping[str, Sequence[str]]) -> Layout:
    """Parents left of children; what has neither below all of it, in a few columns."""
    column = _columns(lineage)
    layers: list[list[_Node]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    near: dict[_Node, list[_Node]] = {}
    for asset, at in column.items():
        layers[at].append(asset)
    for child in column:
        for parent in lineage[child]:
            bends: list[_Node] = [(parent, child, at) for at in range(column[parent] + 1, column[child])]
            for at, bend in enumerate(bends, column[parent] + 1):
                layers[at].append(bend)
            chain: list[_Node] = [parent, *bends, child]
            for one, other in pairwise(chain):
                near.setdefault(one, []).append(other)
                near.setdefault(other, []).append(one)
    row = _rows(layers, near)
    cells = {asset: (column[asset], row[asset]) for asset in column}
    edges = ((parent, child) for child in column for parent in lineage[child])
    bent = {
        (parent, child): [(at, row[parent, child, at]) for at in range(column[parent] + 1, column[child])]
        for parent, child in edges
    }
    below = max((row for _, row in cells.values()), default=-1) + 1
    alone = [asset for asset in lineage if asset not in column]
    for index, asset in enumerate(alone):
        cells[asset] = (index % MOST_COLUMNS, below + index // MOST_COLUMNS)
    return Layout(cells, bent)


def _columns(lineage: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The longest way from a root; roots stand just left of their first child. Without what is connected to nothing."""
    children: dict[str, list[str]] = {}
    for child, parents in lineage.items():
        for parent in parents:
            children.setdefault(parent, []).append(child)
    column: dict[str, int] = {}
    for asset in graph.parents_first(lineage):
        if lineage[asset] or asset in children:
            column[asset] = 1 + max((column[parent] for parent in lineage[asset]), default=-1)
    for asset in column:
        if not lineage[asset]:
            column[asset] = min(column[child] for child in children[asset]) - 1
    return column


def _rows(layers: Sequence[list[_Node]], near: Mapping[_Node, Sequence[_Node]]) -> dict[_Node, int]:
    """Order each layer by the average row of its neighbours, left to right and back, and keep the order."""
    row: dict[_Node, float] = {node: at for layer in layers for at, node in enumerate(layer)}
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            layer.sort(key=lambda node: sum(row[one] for one in near[node]) / len(near[node]))
            for at, node in enumerate(layer):
                row[node] = at
    return {node: at for layer in layers for at, node in enumerate(layer)}
