"""The directions along which a game bends, read off its even part.

The even part, e(S) = (v(S) + v(all without S)) / 2, does not touch Shapley values, but players that act through one sum
act through it there too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ame.attribution.coalitions import FloatMatrix, FloatVector
from ame.attribution.lbfgs import lowered
from ame.attribution.odd_kernel import mixtures

HIDDEN = 6  # directions: from more than a game has, learning finds those it has
SPREAD = 0.35  # of the pairs along each, at first
PAIRS = 10_000  # from which they are learned, at most
LEARNING_WAVES, STEPS = 80, 100
NUGGET = 1.0  # noise of a pair while learning
LONGEST = 20.0  # |D x|^2 at most: the hidden part grows with sinh of it, and float64 has 16 digits
MOST_GROWTH = 30.0  # exponent of waves while learning: directions that ask for more are refused


def read_off(signs: FloatMatrix, even: FloatVector, relevance: FloatVector) -> FloatMatrix:
    """(HIDDEN, n): the relevance itself, and the strongest pairwise interactions of what it leaves of the even part
    (m,), once the coalition's size is taken from the players' signs (m, n); none of a constant even part."""
    if np.ptp(even) == 0.0:
        return np.empty((0, signs.shape[1]))
    along = signs @ relevance / relevance.sum()
    powers = along[:, None] ** np.array([0, 2, 4])
    left = even - powers @ np.linalg.lstsq(powers, even, rcond=None)[0]
    within = (signs - signs.mean(axis=1, keepdims=True)) * np.sqrt(relevance)
    pairwise = within.T @ (within * left[:, None])
    np.fill_diagonal(pairwise, 0.0)
    strengths, interactions = np.linalg.eigh(pairwise)
    strongest = np.argsort(-np.abs(strengths), kind="stable")[: HIDDEN - 1]
    rows = np.vstack([relevance, interactions[:, strongest].T * np.sqrt(relevance)])
    # Which of a pair's two coalitions stands for it is arbitrary, so it is the square that counts, not the variance.
    spreads = np.sqrt(np.mean((rows @ signs.T) ** 2, axis=1))
    return _short(signs, rows * (SPREAD / np.maximum(spreads, 0.01 * np.abs(rows).sum(axis=1)))[:, None])


def learned(
    signs: FloatMatrix, even: FloatVector, relevance: FloatVector, directions: FloatMatrix
) -> FloatMatrix:
    """Directions (h, n) that are likelier than the given ones, as far as LONGEST lets them."""
    unlikeliness = unlikeliness_of(signs, even, relevance, len(directions))
    # By the data all entries bend it alike, by the prior as 1 / relevance^2: this unit is between.
    unit = np.sqrt(relevance)

    def loss(point: FloatVector) -> tuple[float, FloatVector]:
        value, slope = unlikeliness(point.reshape(directions.shape) * unit)
        return value, (slope * unit).ravel()

    point = lowered(loss, (directions / unit).ravel(), STEPS)
    return _short(signs, point.reshape(directions.shape) * unit)


def _short(signs: FloatMatrix, directions: FloatMatrix) -> FloatMatrix:
    """Directions, all by the same factor, so short that the kernel can be inverted."""
    longest = float(((signs @ directions.T) ** 2).sum(axis=1).max())
    return np.asarray(directions * np.sqrt(LONGEST / max(LONGEST, longest)))


def unlikeliness_of(
    signs: FloatMatrix, even: FloatVector, relevance: FloatVector, count: int
) -> Callable[[FloatMatrix], tuple[float, FloatMatrix]]:
    """Of directions (count, n): minus the logarithm of their posterior but for a constant, and its slope (count, n).

    The even part is a level, waves cos(t D x) cosh(g D x) and noise; in units of relevance the directions' entries are
    normal a priori. With waves W and the part e less their means, and K = W W' + nugget I, K^-1 W = W C^-1 and
    |K| = nugget^(m - F) |C|, where C = W' W + nugget I. With a = K^-1 e and f = W' a, the scale, which is profiled
    out, is s = e' a / m = (nugget a' a + f' f) / m, and the slope by W is K^-1 W - a f' / s.
    """
    turns, growths, scale = mixtures(count, LEARNING_WAVES)
    part = even - even.mean()

    def unlikeliness(directions: FloatMatrix) -> tuple[float, FloatMatrix]:
        sums = signs @ directions.T
        turned, grown = sums @ turns.T, sums @ growths.T
        if not np.abs(grown).max() < MOST_GROWTH:
            return np.inf, np.zeros_like(directions)
        sine, cosine = np.sin(turned), np.cos(turned)
        rising, larger = scale * np.sinh(grown), scale * np.cosh(grown)
        waves = larger * cosine
        waves -= waves.mean(axis=0)
        squares = waves.T @ waves + NUGGET * np.eye(LEARNING_WAVES)
        inverse = np.linalg.inv(squares)
        fitted = inverse @ (waves.T @ part)
        weights = (part - waves @ fitted) / NUGGET
        spread = float(NUGGET * (weights @ weights) + fitted @ fitted) / len(part)
        standard = directions / relevance
        value = 0.5 * (len(part) * np.log(spread) + np.linalg.slogdet(squares)[1] + (standard**2).sum())
        by_waves = waves @ inverse - np.outer(weights / spread, fitted)
        by_sums = (rising * cosine * by_waves) @ growths - (larger * sine * by_waves) @ turns
        return float(value), by_sums.T @ signs + standard / relevance

    return unlikeliness
