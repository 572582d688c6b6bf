"""Upstream shares: what an asset earns passes in part to those it was made from.

One order, for every stage by itself (docs/rights.md, section 4):
1. Measurement says what each asset earned.
2. Absolute shares come off that first. An absolute edge child -> parent takes its ppm of what the child,
   and every asset
   below the child, was measured to earn; once per asset, however many paths lead there; final: the parent's
   holders keep it.
   (Story's "liquid absolute percentage", LAP.)
3. What is left, together with what came up from children, passes on by the relative shares: each edge takes
   its ppm of that
   sum. Children before parents, so each asset is divided once. (Story's "liquid relative percentage", LRP.)
4. The rest is the holders'.
Every division is a telescoping split: nothing is lost, whatever the graph. A cycle is refused, so that it
ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from ame.arithmetic import telescoping_split
from ame.errors import InputError
from ame.mapping import graph
from ame.mapping.rights import WHOLE_PPM, Rights

MAX_ABSOLUTE_EDGES = 1024


class Source(msgspec.Struct, frozen=True, gc=False):
    """Where a part of an asset's receipts came from: measured (None), or a child, whose edge has `ppm` and
    `scope`."""

    weight: int
    child: str | None = None
    ppm: int = WHOLE_PPM
    scope: str = "relative"


class Receipts(msgspec.Struct, gc=False):
    """What an asset's holders get in one stage; `kept` of everything that the sources brought."""

    sources: list[Source] = []  # each its own
    kept: int = 0


class _Edge(NamedTuple):
    child: str
    parent: str
    ppm: int


def flow(weights: Mapping[str, int], rights: Rights) -> dict[str, Receipts]:
    """Receipts by asset; their `kept` sum exactly to the weights. Assets without a weight and without
    receipts are left out.

    InputError for unknown assets, cycles, and absolute shares that together exceed the whole.
    """
    return dict(receipts_of(weights, rights))


def receipts_of(weights: Mapping[str, int], rights: Rights) -> Iterator[tuple[str, Receipts]]:
    """The entries of `flow`, for whoever looks at each once.

    InputError for unknown assets, cycles, and absolute shares that together exceed the whole.
    """
    assets = rights.assets
    for asset in weights:
        if asset not in assets:
            raise InputError(f"{rights.file}: expected the rights to the asset {asset!r}, found none")
    if rights.paying_lineage.keys().isdisjoint(weights):  # nobody shares upwards: most epochs
        for asset, earned in weights.items():
            yield asset, Receipts([Source(earned)] if earned else [], earned)
        return
    reached = graph.with_ancestors(rights.paying_lineage, weights)
    order = [asset for asset in rights.order if asset in reached]
    absolute = _absolute_edges(order, rights)
    receipts = {asset: Receipts() for asset in order}
    passing = dict.fromkeys(order, 0)
    for asset in reversed(order):
        weight = weights.get(asset)
        edges = absolute.get(asset, ())
        if weight and not edges:
            passing[asset] += weight
            receipts[asset].sources.insert(0, Source(weight))
        elif weight:
            taken = [edge.ppm for edge in edges]
            *parts, rest = telescoping_split(weight, [*taken, WHOLE_PPM - sum(taken)])
            for edge, part in zip(edges, parts, strict=True):
                if part:
                    receipts[edge.parent].sources.append(Source(part, asset, edge.ppm, "absolute"))
                    receipts[edge.parent].kept += part
            passing[asset] += rest
            receipts[asset].sources.insert(0, Source(rest))
        edges_up = [p for p in assets[asset].parents if p.upstream_ppm and p.scope == "relative"]
        if not edges_up or not passing[asset]:
            receipts[asset].kept += passing[asset]
            continue
        shares = [parent.upstream_ppm for parent in edges_up]
        *parts, rest = telescoping_split(passing[asset], [*shares, WHOLE_PPM - sum(shares)])
        receipts[asset].kept += rest
        for parent, part in zip(edges_up, parts, strict=True):
            if part:
                passing[parent.asset] += part
                receipts[parent.asset].sources.append(Source(part, asset, parent.upstream_ppm))
    for asset, found in receipts.items():
        if asset in weights or found.sources:
            yield asset, found


def check_absolute_shares(rights: Rights) -> None:
    """Refuse absolute shares that together exceed the whole for any asset."""
    _absolute_edges(rights.order, rights)


def _absolute_edges(order: list[str], rights: Rights) -> dict[str, tuple[_Edge, ...]]:
    """Per asset the absolute edges from it and from everything above it, each once, in the order they are
    met."""
    found: dict[str, tuple[_Edge, ...]] = {}
    if not rights.has_absolute_shares:
        return found
    for asset in order:
        parents = rights.assets[asset].parents
        above = [edges for parent in parents if (edges := found.get(parent.asset))]
        own = [
            _Edge(asset, parent.asset, parent.upstream_ppm)
            for parent in parents
            if parent.scope == "absolute" and parent.upstream_ppm
        ]
        if not own and not above:
            continue
        if not own and len(above) == 1:
            found[asset] = above[0]
            continue
        edges = tuple(dict.fromkeys([*own, *(edge for some in above for edge in some)]))
        total = sum(edge.ppm for edge in edges)
        if total > WHOLE_PPM or len(edges) > MAX_ABSOLUTE_EDGES:
            raise rights.asset_error(
                asset,
                f"expected absolute upstream shares of at most {WHOLE_PPM} ppm from at most "
                f"{MAX_ABSOLUTE_EDGES} edges in its whole lineage, got {total} ppm from {len(edges)}",
            )
        found[asset] = edges
    return found
