"""Shapley values from few evaluations: a Gaussian process on the odd part of the game.

Only the odd part, (v(S) - v(all without S)) / 2, matters for Shapley values, so coalitions are evaluated in
pairs with their complements (Covert and Lee 2021). With x = +1 for present and -1 for absent players, the
process has the kernel

    k(x, y) = linear * sum_i r_i^2 x_i y_i  +  sinh(sum_i a_i x_i y_i),   a_i = length * r_i / |r|,

where r_i is the player's relevance. Since x_i y_i is +1 or -1, exp(sum_i a_i x_i y_i) is a product over the
players of cosh(a_i) (1 + tanh(a_i) x_i y_i): every interaction of odd order is in it, with a weight that
falls with the order. The
Shapley value of the posterior mean is then closed: by the multilinear extension (Owen 1972) it is, for a
kernel section exp(sum_j b_j x_j), the integral over q of 2 sinh(b_i) prod_(j != i) (q exp(b_j) + (1-q)
exp(-b_j)).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ame.attribution.coalitions import FloatMatrix, FloatVector

LENGTHS = (0.2, 0.5, 1.0, 2.0)
NUGGETS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # never interpolate: a kink in the game would bend all values
LINEAR_WEIGHT = 1000.0  # a wide prior on the additive part: it is what the data speak of most clearly
NODES = 12  # Gauss-Legendre: exact up to degree 23, and the integrand is smooth
CHOOSING = 400  # pairs on which the kernel is chosen
INFLATION = 1.15  # of standard errors, for the kernel being chosen from the same data; measured in the tests
INDUCING = 2500  # kernel sections kept when there are more pairs than that (subset of regressors)


class OddFit(NamedTuple):
    """values: of the players, before efficiency; explained: part of the odd variance that left-out pairs
    confirm."""

    values: FloatVector
    standard_errors: FloatVector
    explained: float
    kernel: str


class _Kernel(NamedTuple):
    relevance: FloatVector
    length: float
    nugget: float
    linear_scale: float
    odd_scale: float

    @property
    def rates(self) -> FloatVector:
        rates: FloatVector = self.length * self.relevance / np.linalg.norm(self.relevance)
        return rates

    def matrix(self, left: FloatMatrix, right: FloatMatrix) -> FloatMatrix:
        """(m, k) covariances of sign rows (m, n) and (k, n)."""
        squares = self.relevance**2
        matrix: FloatMatrix = self.linear_scale * ((left * squares) @ right.T)
        matrix += self.odd_scale * np.sinh((left * self.rates) @ right.T)
        return matrix

    def values(self, sections: FloatMatrix) -> FloatMatrix:
        """(m, n): the Shapley values of the kernel sections at sign rows (m, n)."""
        linear: FloatMatrix = 2 * self.linear_scale * self.relevance**2 * sections
        return linear + self.odd_scale * _section_values(sections, self.rates)


def fit_odd(signs: FloatMatrix, odd: FloatVector) -> OddFit:
    """Shapley values from pairs: `signs` (m, n) of +1 and -1, `odd` (m,) half differences of each pair."""
    level = float(np.sqrt(np.mean(odd**2)))
    players = signs.shape[1]
    if level == 0.0:
        return OddFit(np.zeros(players), np.zeros(players), 1.0, "zero")
    odd = odd / level
    chosen = slice(0, CHOOSING)
    additive = np.linalg.solve(signs.T @ signs + 1e-6 * len(signs) * np.eye(players), signs.T @ odd)
    kernel, likelihood, name = None, -np.inf, ""
    for label, relevance in (("isotropic", np.ones(players)), ("relevance", _relevance(additive))):
        candidate, score = _choose(signs[chosen], odd[chosen], relevance)
        if score > likelihood:
            kernel, likelihood, name = candidate, score, label
    assert kernel is not None  # noqa: S101 - the first candidate always scores above minus infinity
    values, residuals, errors = _posterior(signs, odd, kernel)
    again, score = _choose(signs[chosen], odd[chosen], _relevance(values))
    if score > likelihood:
        name = "relevance, refined"
        values, residuals, errors = _posterior(signs, odd, again)
        kernel = again
    explained = 1.0 - float(np.mean(residuals**2) / np.var(odd)) if np.var(odd) > 0 else 1.0
    return OddFit(values * level, errors * level, explained, f"{name}, length {kernel.length:g}")


def _relevance(values: FloatVector) -> FloatVector:
    size = np.abs(values)
    relevance: FloatVector = size + 0.1 * size.mean() + 1e-12
    return relevance


def _choose(signs: FloatMatrix, odd: FloatVector, relevance: FloatVector) -> tuple[_Kernel, float]:
    """Length and nugget of the highest marginal likelihood; the overall scale is profiled out."""
    relevance = relevance / np.linalg.norm(relevance)
    best, likelihood = _Kernel(relevance, 1.0, 1.0, 1.0, 1.0), -np.inf
    for length in LENGTHS:
        odd_scale = 1.0 / np.sinh((length * relevance).sum())
        kernel = _Kernel(relevance, length, 0.0, LINEAR_WEIGHT, float(odd_scale))
        spectrum, basis = np.linalg.eigh(kernel.matrix(signs, signs))
        rotated = (basis.T @ odd) ** 2
        for nugget in NUGGETS:
            spread = np.maximum(spectrum, 0.0) + nugget
            score = -0.5 * len(odd) * float(np.log(np.mean(rotated / spread))) - 0.5 * float(
                np.log(spread).sum()
            )
            if score > likelihood:
                best, likelihood = kernel._replace(nugget=nugget), score
    return best, likelihood


def _posterior(
    signs: FloatMatrix, odd: FloatVector, kernel: _Kernel
) -> tuple[FloatVector, FloatVector, FloatVector]:
    """Shapley values, leave-one-out residuals, standard errors.

    The values are linear in the data, phi = W y; the error is the root of sum_m (W_m e_m)^2 with left-out
    residuals e (MacKinnon and White 1985, "HC3").
    """
    if len(signs) <= INDUCING:
        inverse = np.linalg.inv(kernel.matrix(signs, signs) + kernel.nugget * np.eye(len(signs)))
        weights = kernel.values(signs).T @ inverse
        residuals = (inverse @ odd) / np.diag(inverse)
    else:
        inducing = signs[:: -(-len(signs) // INDUCING)]
        gram = kernel.matrix(inducing, inducing)
        jitter = 1e-9 * float(np.trace(gram)) / len(gram)
        root = np.linalg.cholesky(gram + jitter * np.eye(len(gram)))
        features = np.linalg.solve(root, kernel.matrix(inducing, signs))  # (k, m)
        inner = features @ features.T + kernel.nugget * np.eye(len(features))
        hat = np.linalg.solve(inner, features)
        weights = np.linalg.solve(root, kernel.values(inducing)).T @ hat
        leverage = np.einsum("km,km->m", features, hat)
        residuals = (odd - features.T @ (hat @ odd)) / np.maximum(1.0 - leverage, 1e-9)
    errors = INFLATION * np.sqrt((weights**2) @ (residuals**2))
    return weights @ odd, residuals, errors


def _section_values(sections: FloatMatrix, rates: FloatVector) -> FloatMatrix:
    """Shapley values of x -> sinh(sum_j rates_j y_j x_j), for each row y of `sections`."""
    nodes, node_weights = np.polynomial.legendre.leggauss(NODES)  # type: ignore[no-untyped-call]
    result = np.zeros_like(sections)
    for sign in (1.0, -1.0):
        exponents = sign * sections * rates
        rising, falling = np.exp(exponents), np.exp(-exponents)
        for node, weight in zip((nodes + 1) / 2, node_weights / 2, strict=True):
            mixed = node * rising + (1 - node) * falling
            product = np.exp(np.log(mixed).sum(axis=1, keepdims=True))
            result += 0.5 * sign * weight * (rising - falling) * product / mixed
    return result
