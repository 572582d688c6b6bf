"""Large data stages: the exact Shapley value of every data point for a K-nearest-neighbour utility."""

from __future__ import annotations

from math import frexp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ame.attribution.coalitions import FloatMatrix, FloatVector
from ame.errors import InputError

CHUNK_ENTRIES = 1 << 21  # distances held at once: 16 MB
EXACT_BITS = 53  # integers below 2^53 are floats without rounding, in whatever order they are added


def knn_shapley(
    points: FloatMatrix,
    labels: NDArray[Any],
    queries: FloatMatrix,
    query_labels: NDArray[Any],
    neighbours: int = 5,
) -> FloatVector:
    """(n,) mean over the queries of each point's Shapley value, exact, in O(n log n) per query.

    The utility of a set is the share of its `neighbours` nearest points (Euclidean; ties by index) that have
    the query's label. Jia et al. (2019), "Efficient task-specific data valuation for nearest neighbor
    algorithms", theorem 1: the farthest point gets [right] / max(n, K), and going nearer each differs from
    the next by ([right_i] - [right_(i+1)]) / K * min(K, i) / i. `points` (n, d), `queries` (q, d).

    Coordinates are first put on a grid of about 2^(26 - log2(3 d) / 2) steps from the middle of the data to its
    farthest coordinate (8 million for d = 16, 1 million for d = 768), on which distances are exact: copies of
    a point tie, and every machine gets the same bits.
    """
    points, queries = np.asarray(points, dtype=np.float64), np.asarray(queries, dtype=np.float64)
    labels, query_labels = np.asarray(labels), np.asarray(query_labels)
    _check(points, labels, queries, query_labels, neighbours)
    count = len(points)
    places, asked = _on_grid(points, queries)
    _, codes = np.unique(np.concatenate([labels, query_labels]), return_inverse=True)
    lengths = np.einsum("nd,nd->n", places, places)
    rank = np.arange(1, count)
    step = np.minimum(neighbours, rank) / (neighbours * rank)
    total, worth = np.zeros(count), np.empty(count)
    rows = max(1, CHUNK_ENTRIES // count)
    for start in range(0, len(asked), rows):
        distances = asked[start : start + rows] @ (-2 * places.T)
        distances += lengths
        for row, code in zip(distances, codes[count + start :], strict=False):
            order = _nearest_first(row)
            right = (codes[:count] == code)[order].view(np.int8)
            gains = (right[:-1] - right[1:]) * step
            last = right[-1] / max(count, neighbours)
            worth[order[-1]] = last
            gains[-1:] += last
            worth[order[:-1]] = gains[::-1].cumsum()[::-1]
            total += worth
    return total / len(queries)


def by_provider(values: FloatVector, providers: NDArray[np.integer[Any]], count: int = 0) -> FloatVector:
    """Sum the values of points (n,) per provider, given as 0, 1, .. for each point; at least `count` sums."""
    if len(values) != len(providers) or (len(providers) and int(providers.min()) < 0):
        raise InputError(f"expected a provider number for each of {len(values)} points")
    return np.bincount(providers, weights=values, minlength=count).astype(np.float64)


def _on_grid(points: FloatMatrix, queries: FloatMatrix) -> tuple[FloatMatrix, FloatMatrix]:
    """Whole numbers so small that |p|^2 - 2 p.q is below 2^53; the scale is a power of two."""
    low = np.minimum(points.min(axis=0), queries.min(axis=0))
    high = np.maximum(points.max(axis=0), queries.max(axis=0))
    middle = low / 2 + high / 2
    if not np.isfinite(high - low).all():
        raise InputError("expected coordinates whose differences are finite")
    _, exponent = frexp(float((high - middle).max(initial=0.0)))  # at most 2^exponent from the middle
    bits = (EXACT_BITS - (3 * points.shape[1]).bit_length()) // 2
    scale = bits - exponent
    return np.rint(np.ldexp(points - middle, scale)), np.rint(np.ldexp(queries - middle, scale))


def _nearest_first(distances: FloatVector) -> NDArray[np.intp]:
    """`argsort(kind="stable")` of whole numbers, by radix: on the upper 32 bits, then what these leave open."""
    least = float(distances.min())
    _, bits = frexp(float(distances.max()) - least)
    keys = ((distances - least) * 2.0 ** min(0, 32 - bits)).astype("<u4").view("<u2")
    lower, upper = np.ascontiguousarray(keys[0::2]), np.ascontiguousarray(keys[1::2])
    order = np.argsort(lower, kind="stable")
    order = order[np.argsort(upper[order], kind="stable")]
    found = distances[order]
    if (found[1:] < found[:-1]).any():
        order = order[np.argsort(found, kind="stable")]  # nearly sorted, which timsort does in one pass
    return order


def _check(
    points: FloatMatrix,
    labels: NDArray[Any],
    queries: FloatMatrix,
    query_labels: NDArray[Any],
    neighbours: int,
) -> None:
    if points.ndim != 2 or queries.ndim != 2 or points.shape[1] != queries.shape[1] or not points.shape[1]:
        raise InputError(f"expected points (n, d) and queries (q, d), got {points.shape} and {queries.shape}")
    if not len(points) or not len(queries) or neighbours < 1:
        raise InputError("expected at least one point, one query and one neighbour")
    if len(labels) != len(points) or len(query_labels) != len(queries):
        raise InputError("expected one label per point and per query")
    if not np.isfinite(points).all() or not np.isfinite(queries).all():
        raise InputError("expected finite coordinates")
