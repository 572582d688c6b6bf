"""Licence conflicts along the lineage: what ancestors' licences ask and a descendant does not give, with paths.

AME does not decide what the law is. It finds where the declared licences do not fit each other when outputs
are sold, and does what the operator's policy for that kind says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import TypeAlias
from weakref import WeakKeyDictionary

from ame.mapping import graph
from ame.mapping.collector import paused_collector
from ame.mapping.licenses import Terms, may_follow, options
from ame.mapping.rights import Asset, Rights

STEPS_SHOWN = 8
SOURCES_SHOWN = 4
LONGEST_PATH = 64
_SOURCES_KEPT = SOURCES_SHOWN + 1
_MEANING = {
    "noncommercial": "forbids commercial use",
    "no-derivatives": "forbids derivatives",
    "share-alike": "asks that derivatives carry the same licence",
    "attribution": "asks to be credited by what is made from it",
    "use-restrictions": "asks that its use restrictions are passed on",
    "unknown-license": "gives no known permission",
}

_LENGTH = itemgetter(1)
_Key: TypeAlias = tuple[str, str]  # kind, licence


# What an asset owes to a licence of an origin: the origin, how many edges above, and the next asset on the way there.
_Duty: TypeAlias = tuple[str, int, str]
# What an asset owes, and to whom: for each key the nearest origins above it, nearest first.
_Owed: TypeAlias = dict[_Key, tuple[_Duty, ...]]
_Duties: TypeAlias = dict[str, _Owed]


@dataclass(frozen=True)
class Conflict:
    """`asset` does not give what the `license` of the `origins`, above it or itself, asks.

    origins: nearest first, at most SOURCES_SHOWN; `more` where there are others. Their paths are found when asked for.
    """

    kind: str
    license: str
    asset: str
    origins: tuple[str, ...]
    more: bool = False
    _duties: Mapping[str, _Owed] = field(default_factory=dict, repr=False, compare=False)
    _path: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def path(self) -> tuple[str, ...]:
        """From the nearest origin down to the asset."""
        return self.paths[0]

    @cached_property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """One path for each origin."""
        if self._path:
            return (_shortened(self._path, LONGEST_PATH),)
        return tuple([self._path_from(origin) for origin in self.origins])

    def __str__(self) -> str:
        told = [" -> ".join(_shortened(path, STEPS_SHOWN)) for path in self.paths]
        others = "".join(
            f"; of {origin}: {path}" for origin, path in zip(self.origins[1:], told[1:], strict=True)
        )
        more = "; and of others further up" if self.more else ""
        return (
            f"{self.kind}: {self.license} of {self.origins[0]} {_MEANING[self.kind]}: {told[0]}{others}{more}"
        )

    def _path_from(self, origin: str) -> tuple[str, ...]:
        key, at = (self.kind, self.license), self.asset
        steps: list[str] = []
        while at != origin:
            if len(steps) == LONGEST_PATH:
                steps.append("...")
                break
            steps.append(at)
            for above, _, parent in self._duties[at][key]:
                if above == origin:
                    at = parent
                    break
        steps.append(origin)
        return tuple(reversed(steps))


def _shortened(path: tuple[str, ...], longest: int) -> tuple[str, ...]:
    """Of a path of many steps the origin, `...`, and its end."""
    return path if len(path) <= longest + 1 else (path[0], "...", *path[-longest:])


def find_conflicts(rights: Rights, used: Iterable[str] | None = None) -> list[Conflict]:
    """Conflicts of the assets in use (default: all) and of everything they were made from, parents first.

    Per asset, kind and licence one conflict, with the nearest assets that ask. InputError for an unreadable
    licence.
    """
    wanted = None
    if used is not None and not rights.assets.keys() <= set(used):
        wanted = graph.with_ancestors(rights.lineage, used)
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
    assets, lineage = rights.assets, rights.lineage
    order = rights.order if wanted is None else [asset for asset in rights.order if asset in wanted]
    duties: _Duties = {}
    asked: dict[str, tuple[_Key, ...]] = {}
    handed_down: _Duties = {}
    found = []
    for name in order:
        asset, parents = assets[name], lineage[name]
        owed = duties[name] = _owed(parents, duties, asked, handed_down) if parents else {}
        terms, broken = _best_terms(asset, owed)
        asked[name] = terms.asks
        for key in terms.asks:
            if key[0] in ("noncommercial", "unknown-license") and key not in owed:
                broken.append((key, (name,)))
        for key, origins in broken:
            found.append(Conflict(*key, name, origins[:SOURCES_SHOWN], len(origins) > SOURCES_SHOWN, duties))
        for key, above in owed.items():
            if (
                len(above) == _SOURCES_KEPT
                and key[0] == "attribution"
                and all(key != one for one, _ in broken)
            ):
                path = _uncredited(asset, key, lineage, duties, asked)
                if path:
                    found.append(Conflict(*key, name, path[:1], _path=path))
    return found


def _owed(
    parents: Sequence[str], duties: _Duties, asked: Mapping[str, tuple[_Key, ...]], handed_down: _Duties
) -> _Owed:
    """What the parents owe and ask, one edge further down. handed_down: the same by parent, for its other children."""
    result: _Owed = {}
    several = set()
    for parent in parents:
        down = handed_down.get(parent)
        if down is None:
            down = handed_down[parent] = _handed_down(parent, duties[parent], asked[parent])
        if not result:
            result = down if len(parents) == 1 else down.copy()
            continue
        for key, above in down.items():
            if key in result:
                result[key] += above
                several.add(key)
            else:
                result[key] = above
    for key in several:
        result[key] = _nearest(result[key])
    return result


def _handed_down(parent: str, owed: _Owed, asks: Iterable[_Key]) -> _Owed:
    """What a child owes because of this parent: to the parent itself, and to those above it."""
    down = {
        key: tuple([(origin, length + 1, parent) for origin, length, _ in above])
        for key, above in owed.items()
    }
    itself = ((parent, 1, parent),)
    for key in asks:
        if key[0] != "unknown-license":  # asks nothing of others
            down[key] = (itself + down[key])[:_SOURCES_KEPT] if key in down else itself
    return down


def _nearest(duties: Iterable[_Duty]) -> tuple[_Duty, ...]:
    """The nearest origins, each once."""
    nearest: dict[str, _Duty] = {}
    for duty in sorted(duties, key=_LENGTH):
        if duty[0] not in nearest:
            nearest[duty[0]] = duty
    return tuple(nearest.values())[:_SOURCES_KEPT]


_Broken: TypeAlias = list[tuple[_Key, tuple[str, ...]]]  # key and origins


def _best_terms(asset: Asset, owed: _Owed) -> tuple[Terms, _Broken]:
    """Of a licence with an OR, the side that breaks least; and what it breaks."""
    choices = options(asset.license)
    if len(choices) == 1 or not owed:
        return choices[0], _broken(asset, choices[0], owed)
    return min([(terms, _broken(asset, terms, owed)) for terms in choices], key=lambda one: len(one[1]))


def _broken(asset: Asset, terms: Terms, owed: _Owed) -> _Broken:
    broken = []
    for key, above in owed.items():
        kind, license_ = key
        if kind == "attribution":  # a parent is credited by being named as one
            if above[-1][1] > 1:
                origins = tuple(
                    [origin for origin, length, _ in above if length > 1 and origin not in asset.credits]
                )
                if origins:
                    broken.append((key, origins))
        elif (kind == "share-alike" and any(may_follow(license_, child) for child in terms.licenses)) or (
            kind == "use-restrictions" and kind in terms.kinds
        ):
            continue
        else:
            broken.append((key, tuple([origin for origin, _, _ in above])))
    return broken


def _uncredited(
    asset: Asset, key: _Key, lineage: graph.Parents, duties: _Duties, asked: Mapping[str, tuple[_Key, ...]]
) -> tuple[str, ...]:
    """A path from an ancestor that asks to be credited and is not, further up than the origins that are kept."""
    credited = {asset.id, *lineage[asset.id], *asset.credits}
    below: dict[str, str] = {}
    waiting = [asset.id]
    for at in waiting:  # grows while it is read
        if at not in credited and key in asked[at]:
            path = [at]
            while path[-1] != asset.id:
                path.append(below[path[-1]])
            return tuple(path)
        for parent in lineage[at]:
            if parent not in below and (key in duties[parent] or key in asked[parent]):
                below[parent] = at
                waiting.append(parent)
    return ()
