"""The lineage as a graph: child -> parents. Every asset before its parents, or the cycle that forbids it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from ame.errors import InputError

Parents: TypeAlias = Mapping[str, Sequence[str]]


def missing_parents(parents: Parents) -> Iterator[tuple[str, int]]:
    """(asset, which of its parents) for each parent that is not there."""
    if all(map(parents.__contains__, chain.from_iterable(parents.values()))):
        return
    for asset, above in parents.items():
        for index, parent in enumerate(above):
            if parent not in parents:
                yield asset, index


def find_cycle(parents: Parents) -> list[str]:
    """One cycle as [a, b, .., a], or nothing. Missing parents count as leaves."""
    return _sorted(parents)[1]


def parents_first(parents: Parents) -> list[str]:
    """Every asset after all of its parents, otherwise in the order given. InputError where there is a cycle."""
    order, cycle = _sorted(parents)
    if cycle:
        raise InputError(f"the lineage is a cycle: {' -> '.join(cycle)}")
    return order


def with_ancestors(parents: Parents, assets: Iterable[str]) -> set[str]:
    """The assets and everything above them."""
    found = set(assets)
    waiting = list(found)
    while waiting:
        for parent in parents.get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _sorted(parents: Parents) -> tuple[list[str], list[str]]:
    """The order, and the first cycle met: a search in depth from each asset in turn, which a list whose
    parents stand first never starts."""
    order: dict[str, None] = {}
    for asset, above in parents.items():
        if asset in order:
            continue
        if not all(map(order.__contains__, above)):
            cycle = _place(asset, parents, order)
            if cycle:
                return list(order), cycle
        order[asset] = None
    return list(order), []


def _place(asset: str, parents: Parents, order: dict[str, None]) -> list[str]:
    """Put everything above an asset, and the asset, into the order; or the cycle on the way up."""
    walk = {asset: iter(parents[asset])}  # from the asset up, each with the parents not looked at yet
    at = asset
    while True:
        for parent in walk[at]:
            if parent in walk:
                path = list(walk)
                return [*path[path.index(parent) :], parent]
            if parent not in order and parent in parents:
                walk[parent] = iter(parents[parent])
                at = parent
                break
        else:
            order[at] = None
            walk.popitem()
            if not walk:
                return []
            at = next(reversed(walk))
