"""Scores of training examples from gradients, for models too costly to train once per coalition.

They are first-order estimates of what leaving an example out would change, not Shapley values: use them
inside one stage, to split it among many examples, and `knn.by_provider` to sum them up.
"""

from __future__ import annotations

import numpy as np

from ame.attribution.coalitions import FloatMatrix, FloatVector
from ame.errors import InputError


def gradient_influence(
    training: FloatMatrix, queries: FloatMatrix, damping: float = 0.1, chunk: int = 8192
) -> FloatVector:
    """(n,) mean over the queries of g_i^T (G^T G / n + damping * scale * I)^-1 g_query.

    Koh and Liang (2017), "Understanding black-box predictions via influence functions", with the
    Gauss-Newton matrix of the per-example gradients in place of the Hessian (as TRAK, Park et al. 2023).
    `training` (n, p) and `queries` (q, p) are gradients of the loss at the trained model; `scale` is the
    matrix's mean diagonal, so that damping has no unit.
    Positive: the example lowers the queries' loss.
    """
    _check(training, queries)
    if damping <= 0:
        raise InputError(f"damping: expected a positive number, got {damping}")
    matrix = np.zeros((training.shape[1], training.shape[1]))
    for start in range(0, len(training), chunk):
        part = training[start : start + chunk]
        matrix += part.T @ part
    matrix /= len(training)
    scale = float(np.trace(matrix)) / len(matrix)
    if scale == 0.0:
        return np.zeros(len(training))
    matrix[np.diag_indices_from(matrix)] += damping * scale
    direction = np.linalg.solve(matrix, queries.mean(axis=0))
    scores: FloatVector = training @ direction / len(training)
    return scores


def traced_influence(
    checkpoints: list[tuple[FloatMatrix, FloatMatrix, float]],
) -> FloatVector:
    """(n,) sum over checkpoints of learning rate x g_i . mean query gradient.

    Pruthi et al. (2020), "Estimating training data influence by tracing gradient descent" (TracInCP). Each
    checkpoint is (training gradients (n, p), query gradients (q, p), learning rate).
    """
    if not checkpoints:
        raise InputError("expected at least one checkpoint")
    for training, queries, _ in checkpoints:
        _check(training, queries)
    scores: FloatVector = np.sum(
        [rate * (training @ queries.mean(axis=0)) for training, queries, rate in checkpoints], axis=0
    )
    return scores


def _check(training: FloatMatrix, queries: FloatMatrix) -> None:
    if training.ndim != 2 or queries.ndim != 2 or training.shape[1] != queries.shape[1]:
        raise InputError(f"expected gradients (n, p) and (q, p), got {training.shape} and {queries.shape}")
    if not len(training) or not len(queries):
        raise InputError("expected at least one training and one query gradient")
    if not np.isfinite(training).all() or not np.isfinite(queries).all():
        raise InputError("expected finite gradients")
