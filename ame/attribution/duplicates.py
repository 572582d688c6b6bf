"""Finding assets that are copies of one another, so that they count as one player (quotient rule)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any, NamedTuple, Protocol

import numpy as np

from ame.attribution.coalitions import FloatMatrix
from ame.errors import InputError

CHUNK_ENTRIES = 1 << 22  # cosines held at once: 32 MB


class KnownAssets(Protocol):
    """What a pipeline may offer, either or both: what an asset is, and what is inside."""

    def asset_sha256(self, asset: str) -> str:
        """Content hash."""

    def asset_items(self, asset: str) -> FloatMatrix | None:
        """(m, d) an embedding of each thing that the asset holds; None where there is no embedding of it."""


@dataclass(frozen=True)
class DuplicateSearch:
    """similarity: cosine from which two items are the same thing; overlap: the part of each asset's items that must
    be found in the other. Two assets of one stage with the same content hash are always duplicates."""

    similarity: Fraction = Fraction(99, 100)
    overlap: Fraction = Fraction(9, 10)

    def __post_init__(self) -> None:
        for name, value in (("similarity", self.similarity), ("overlap", self.overlap)):
            if not 0 < value <= 1:
                raise InputError(f"duplicates: {name}: expected above 0 and at most 1, got {value}")


class Pair(NamedTuple):
    """Two assets, and why they are held to be duplicates."""

    first: str
    second: str
    because: str


def find_duplicates(
    pipeline: object, assets: Sequence[Sequence[str]], search: DuplicateSearch
) -> tuple[Pair, ...]:
    """Pairs of duplicates within each stage, in the assets' order."""
    digest: Callable[[str], str] | None = getattr(pipeline, "asset_sha256", None)
    items: Callable[[str], FloatMatrix | None] | None = getattr(pipeline, "asset_items", None)
    if digest is None and items is None:
        raise InputError("duplicates: expected a pipeline with asset_sha256(asset) or asset_items(asset)")
    pairs: list[Pair] = []
    for stage in assets:
        hashes = {asset: digest(asset) for asset in stage} if digest else {}
        inside = {asset: _directions(items(asset), asset) for asset in stage} if items else {}
        for first, second in combinations(stage, 2):
            if hashes and hashes[first] == hashes[second]:
                pairs.append(Pair(first, second, "same content hash"))
                continue
            one, other = inside.get(first), inside.get(second)
            if one is None or other is None or one.shape[1] != other.shape[1]:
                continue
            common = min(_found(one, other, search.similarity), _found(other, one, search.similarity))
            if common >= search.overlap:
                percent = f"{100 * common.numerator / common.denominator:.1f}"
                pairs.append(Pair(first, second, f"{percent} % of each found in the other"))
    return tuple(pairs)


def merge(
    clusters: Iterable[Sequence[str]], pairs: Iterable[Pair], order: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Named clusters and found pairs as disjoint groups: who is a copy of a copy is a copy."""
    group = {asset: {asset} for asset in order}
    named = [[asset for asset in cluster if asset in group] for cluster in clusters]
    for linked in (*named, *([pair.first, pair.second] for pair in pairs)):
        joined = set().union(*(group[asset] for asset in linked))
        for asset in joined:
            group[asset] = joined
    place = {asset: number for number, asset in enumerate(order)}
    groups = {tuple(sorted(members, key=place.__getitem__)) for members in group.values() if len(members) > 1}
    return tuple(sorted(groups, key=lambda members: place[members[0]]))


def to_log(search: DuplicateSearch, pairs: Sequence[Pair]) -> dict[str, object]:
    """The policy record of a search."""
    return {
        "policy": "duplicate_search",
        "similarity": str(search.similarity),
        "overlap": str(search.overlap),
        "pairs": [{"assets": [pair.first, pair.second], "because": pair.because} for pair in pairs],
    }


def _directions(items: Any, asset: str) -> FloatMatrix | None:
    """Rows of length one."""
    if items is None:
        return None
    rows = np.asarray(items, dtype=np.float64)
    if rows.ndim != 2 or not len(rows) or not np.isfinite(rows).all():
        raise InputError(f"asset {asset}: items: expected finite numbers of shape (m, d), got {rows.shape}")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    directions: FloatMatrix = rows / np.where(lengths > 0, lengths, 1.0)
    return directions


def _found(items: FloatMatrix, others: FloatMatrix, similarity: Fraction) -> Fraction:
    """The part of `items` that has a like among `others`; a hair is allowed for the rounding of copies."""
    least, count = float(similarity) - 1e-9, 0
    rows = max(1, CHUNK_ENTRIES // len(others))
    for start in range(0, len(items), rows):
        count += int(((items[start : start + rows] @ others.T).max(axis=1) >= least).sum())
    return Fraction(count, len(items))
