"""Which kernel foresees the odd part of a game best, judged by the pairs themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ame.attribution import hidden_directions
from ame.attribution.coalitions import FloatMatrix, FloatVector
from ame.attribution.odd_kernel import Kernel

LENGTHS = (0.1, 0.2, 0.5, 1.0, 2.0)
NUGGETS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # never interpolate: a kink in the game would bend all values
CHOOSING = 400  # pairs on which the likelihood chooses
EARNED = 0.8  # of the error without hidden directions, at most, is what they may leave: else they only follow noise
COMPARING = 1000  # pairs on which kernels are compared, by left-out pairs

_Badness = Callable[[FloatVector, FloatMatrix, FloatVector], float]


def chosen(signs: FloatMatrix, odd: FloatVector, even: FloatVector, *, learning: bool) -> tuple[Kernel, str]:
    """Relevance by likelihood; length, nugget and directions by what foresees left-out pairs best. Without `learning`,
    directions stay as read off the even part. And its name."""
    players = signs.shape[1]
    additive = np.linalg.solve(signs.T @ signs + 1e-6 * len(signs) * np.eye(players), signs.T @ odd)
    few, some, many = slice(0, CHOOSING), slice(0, COMPARING), slice(0, hidden_directions.PAIRS)
    none = np.empty((0, players))

    def likeliest(relevance: FloatVector) -> tuple[Kernel, float]:
        kernel = Kernel(relevance / np.linalg.norm(relevance), 1.0, 1.0, none)
        return _best(signs[few], odd[few], kernel, _unlikeliness)

    candidates = [likeliest(each) for each in (np.ones(players), _relevance(additive))]
    name, (best, _) = min(
        zip(("isotropic", "relevance"), candidates, strict=True), key=lambda candidate: candidate[1][1]
    )
    error, weights = _left_one_out(signs[some], odd[some], best)
    # Those of very many pairs are nearer than the process's of some.
    values = additive if len(odd) > max(COMPARING, 5 * players) else best.values(signs[some], weights)
    refined, _ = likeliest(_relevance(values))
    hidden, how = hidden_directions.read_off(signs[many], even[many], refined.relevance), ""
    if learning and len(hidden):
        hidden = hidden_directions.learned(signs[many], even[many], refined.relevance, hidden)
        how = ", learned"
    for directions, share, label in ((none, 1.0, ""), (hidden, EARNED, how)):
        kernel = refined._replace(directions=directions)
        kernel, again = _best(signs[some], odd[some], kernel, _left_out_error)
        if again < share * error:
            name, best, error = f"relevance, refined{label}", kernel, again
    return best, f"{name}, {best.label()}"


def _relevance(values: FloatVector) -> FloatVector:
    size = np.abs(values)
    relevance = size + 0.1 * size.mean() + 1e-12
    normed: FloatVector = relevance / np.linalg.norm(relevance)
    return normed


def _best(signs: FloatMatrix, odd: FloatVector, kernel: Kernel, badness: _Badness) -> tuple[Kernel, float]:
    """The kernel with the best length and nugget, and how bad it is.

    badness is told the covariance's eigenvalues (m,), with the nugget, its eigenvectors, and `odd` in their terms.
    """
    best, least = kernel, np.inf
    for length in LENGTHS:
        tried = kernel._replace(length=length)
        spectrum, basis = np.linalg.eigh(tried.matrix(signs))
        rotated = basis.T @ odd
        for nugget in NUGGETS:
            again = badness(np.maximum(spectrum, 0.0) + nugget, basis, rotated)
            if again < least:
                best, least = tried._replace(nugget=nugget), again
    return best, least


def _unlikeliness(spectrum: FloatVector, _: FloatMatrix, rotated: FloatVector) -> float:
    """Minus the logarithm of the marginal likelihood but for a constant; the overall scale is profiled out."""
    level = float(np.log(np.mean(rotated**2 / spectrum)))
    return 0.5 * len(rotated) * level + 0.5 * float(np.log(spectrum).sum())


def _left_out_error(spectrum: FloatVector, basis: FloatMatrix, rotated: FloatVector) -> float:
    """Mean square of left-one-out residuals."""
    return float(np.mean((basis @ (rotated / spectrum) / (basis**2 @ (1.0 / spectrum))) ** 2))


def _left_one_out(signs: FloatMatrix, odd: FloatVector, kernel: Kernel) -> tuple[float, FloatVector]:
    """Mean square of left-one-out residuals, and the process's weights (m,)."""
    inverse = np.linalg.inv(kernel.matrix(signs) + kernel.nugget * np.eye(len(signs)))
    weights = inverse @ odd
    residuals = weights / np.diag(inverse)
    return float(np.mean(residuals**2)), weights
