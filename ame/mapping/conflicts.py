"""Licence conflicts along the lineage: what an ancestor's licence asks and a descendant does not give, with
the path.

AME does not decide what the law is. It finds where the declared licences do not fit each other when outputs
are sold, and
does what the operator's policy for that kind says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

from ame.mapping import graph
from ame.mapping.collector import paused_collector
from ame.mapping.licenses import Terms, may_follow, options
from ame.mapping.rights import Asset, Rights

STEPS_SHOWN = 8
_MEANING = {
    "noncommercial": "forbids commercial use",
    "no-derivatives": "forbids derivatives",
    "share-alike": "asks that derivatives carry the same licence",
    "attribution": "asks to be credited by what is made from it",
    "use-restrictions": "asks that its use restrictions are passed on",
    "unknown-license": "gives no known permission",
}

_Key: TypeAlias = tuple[str, str]  # kind, licence


class _Duty(NamedTuple):
    """What an asset owes to a licence: whose it is, how many edges above, and the next asset on the way
    there."""

    origin: str
    length: int
    parent: str | None


_Duties: TypeAlias = dict[str, dict[_Key, _Duty]]


@dataclass(frozen=True)
class Conflict:
    """`asset` does not give what the `license` of `origin`, above it or itself, asks."""

    kind: str
    license: str
    origin: str
    asset: str
    _duties: Mapping[str, Mapping[_Key, _Duty]] = field(repr=False, compare=False)

    @property
    def path(self) -> tuple[str, ...]:
        """From the origin down to the asset."""
        return tuple(reversed(list(self._upwards())))

    def __str__(self) -> str:
        steps: list[str] = []
        for asset in self._upwards():
            if len(steps) == STEPS_SHOWN and asset != self.origin:
                steps += ["...", self.origin]
                break
            steps.append(asset)
        path = " -> ".join(reversed(steps))
        return f"{self.kind}: {self.license} of {self.origin} {_MEANING[self.kind]}: {path}"

    def _upwards(self) -> Iterator[str]:
        at: str | None = self.asset
        while at is not None:
            yield at
            at = self._duties[at][self.kind, self.license].parent


def find_conflicts(rights: Rights, used: Iterable[str] | None = None) -> list[Conflict]:
    """Conflicts of the assets in use (default: all) and of everything they were made from, parents first.

    Per asset, kind and licence one conflict: the one with the shortest path. InputError for an unreadable
    licence.
    """
    wanted = None if used is None else graph.with_ancestors(rights.lineage, used)
    if rights in _FOUND:
        return [one for one in _FOUND[rights] if wanted is None or one.asset in wanted]
    with paused_collector():
        found = _find_conflicts(rights, wanted)
    if wanted is None:
        _FOUND[rights] = tuple(found)
    return found


# Conflicts of all assets, for as long as their Rights live: `check` finds them, a settlement asks again.
_FOUND: WeakKeyDictionary[Rights, tuple[Conflict, ...]] = WeakKeyDictionary()


def _find_conflicts(rights: Rights, wanted: set[str] | None) -> list[Conflict]:
    lineage = rights.lineage
    order = rights.order if wanted is None else [asset for asset in rights.order if asset in wanted]
    duties: _Duties = {}
    found = []
    for name in order:
        asset = rights.assets[name]
        parents = lineage[name]
        inherited = _inherited(parents, duties) if parents else {}
        terms, broken = _best_terms(asset, inherited)
        own = [key for key in terms.asks if key not in inherited]
        duties[name] = inherited
        if own:
            duties[name] = inherited | dict.fromkeys(own, _Duty(name, 0, None))
            broken += [key for key in own if key[0] in ("noncommercial", "unknown-license")]
        if broken:
            found += [Conflict(*key, duties[name][key].origin, name, duties) for key in broken]
    return found


def _inherited(parents: Iterable[str], duties: _Duties) -> dict[_Key, _Duty]:
    result: dict[_Key, _Duty] = {}
    for parent in parents:
        for key, (origin, length, _) in duties[parent].items():
            if key[0] == "unknown-license":  # asks nothing of others
                continue
            if key not in result or result[key].length > length + 1:
                result[key] = _Duty(origin, length + 1, parent)
    return result


def _best_terms(asset: Asset, inherited: Mapping[_Key, _Duty]) -> tuple[Terms, list[_Key]]:
    """Of a licence with an OR, the side that breaks least; and what it breaks."""
    ways = options(asset.license)
    if not inherited:
        return ways[0], []
    if len(ways) == 1:
        return ways[0], [key for key, duty in inherited.items() if _is_broken(key, duty, ways[0], asset)]
    choices = [
        (terms, [key for key, duty in inherited.items() if _is_broken(key, duty, terms, asset)])
        for terms in ways
    ]
    return min(choices, key=lambda choice: len(choice[1]))


def _is_broken(key: _Key, duty: _Duty, terms: Terms, asset: Asset) -> bool:
    kind, license_ = key
    if kind == "share-alike":
        return not any(may_follow(license_, child) for child in terms.licenses)
    if kind == "use-restrictions":
        return kind not in terms.kinds
    if kind == "attribution":  # a parent is credited by being named as one
        return duty.length > 1 and duty.origin not in asset.credits
    return True
