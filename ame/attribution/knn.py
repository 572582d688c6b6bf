"""Large data stages: the exact Shapley value of every data point for a K-nearest-neighbour utility."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ame.attribution.coalitions import FloatMatrix, FloatVector
from ame.errors import InputError

CHUNK_ENTRIES = 1 << 21  # distances held at once: 16 MB


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
    """
    points, queries = np.asarray(points, dtype=np.float64), np.asarray(queries, dtype=np.float64)
    _check(points, labels, queries, query_labels, neighbours)
    count = len(points)
    rank = np.arange(1, count)
    step = np.minimum(neighbours, rank) / (neighbours * rank)
    lengths = np.einsum("nd,nd->n", points, points)
    values = np.zeros(count)
    rows = max(1, CHUNK_ENTRIES // count)
    for start in range(0, len(queries), rows):
        distances = lengths - 2 * (queries[start : start + rows] @ points.T)
        for row, label in zip(distances, query_labels[start : start + rows], strict=True):
            order = np.argsort(row, kind="stable")
            right = (labels[order] == label).astype(np.float64)
            sorted_values = np.empty(count)
            sorted_values[-1] = right[-1] / max(count, neighbours)
            sorted_values[:-1] = (right[:-1] - right[1:]) * step
            values[order] += sorted_values[::-1].cumsum()[::-1]
    return values / len(queries)


def by_provider(values: FloatVector, providers: NDArray[np.integer[Any]]) -> FloatVector:
    """Sum the values of points (n,) per provider, given as 0, 1, .. for each point."""
    if len(values) != len(providers) or (len(providers) and int(providers.min()) < 0):
        raise InputError(f"expected a provider number for each of {len(values)} points")
    return np.bincount(providers, weights=values).astype(np.float64)


def _check(
    points: FloatMatrix,
    labels: NDArray[Any],
    queries: FloatMatrix,
    query_labels: NDArray[Any],
    neighbours: int,
) -> None:
    if points.ndim != 2 or queries.ndim != 2 or points.shape[1] != queries.shape[1]:
        raise InputError(f"expected points (n, d) and queries (q, d), got {points.shape} and {queries.shape}")
    if not len(points) or not len(queries) or neighbours < 1:
        raise InputError("expected at least one point, one query and one neighbour")
    if len(labels) != len(points) or len(query_labels) != len(queries):
        raise InputError("expected one label per point and per query")
    if not np.isfinite(points).all() or not np.isfinite(queries).all():
        raise InputError("expected finite coordinates")
