"""The lineage as a graph: child -> parents. Every asset before its parents, or the cycle that forbids it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

from ame.errors import InputError

Parents: TypeAlias = Mapping[str, Sequence[str]]


def missing_parents(parents: Parents) -> Iterator[tuple[str, int]]:
    """(asset, which of its parents) for each parent that is not there."""
    if parents.keys() >= set(chain.from_iterable(parents.values())):
        return
    for asset, above in parents.items():
        for index, parent in enumerate(above):
            if parent not in parents:
                yield asset, index


def find_cycle(parents: Parents) -> list[str]:
    """One cycle as [a, b, .., a], or nothing. Missing parents count as leaves."""
    _, left = _sorted(parents)
    if not left:
        return []
    # Each asset that is left has a parent that is left: follow them until one repeats.
    at = min(left)
    seen: dict[str, int] = {}
    walk: list[str] = []
    while at not in seen:
        seen[at] = len(walk)
        walk.append(at)
        at = next(parent for parent in parents[at] if parent in left)
    return [*walk[seen[at] :], at]


def parents_first(parents: Parents) -> list[str]:
    """Every asset after all of its parents, ties in the order given. InputError where there is a cycle."""
    order, left = _sorted(parents)
    if left:
        raise InputError(f"the lineage is a cycle: {' -> '.join(find_cycle(parents))}")
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


def _sorted(parents: Parents) -> tuple[list[str], set[str]]:
    """Kahn (1962): the order, and what cannot be ordered."""
    missing = {asset: len(above) for asset, above in parents.items() if above}
    children: dict[str, list[str]] = defaultdict(list)
    for asset, above in parents.items():
        for parent in above:
            children[parent].append(asset)
    for nobody in children.keys() - parents.keys():  # not waited for
        for child in children[nobody]:
            missing[child] -= 1
    order = [asset for asset in parents if not missing.get(asset)]
    for asset in order:  # grows while it is read
        for child in children.get(asset, ()):
            missing[child] -= 1
            if not missing[child]:
                order.append(child)
    return order, set(parents).difference(order)
