"""Shapley values from few evaluations: a Gaussian process on the odd part of the game, corrected without bias.

Only the odd part, o(S) = (v(S) - v(all without S)) / 2, matters for Shapley values, so coalitions are evaluated in
pairs with their complements (Covert and Lee 2021). The process has the kernel of `odd_kernel`, whose Shapley values are
closed, as `kernel_choice` makes it.

The process is biased, so it only serves as control variate. With folds f of pairs, g_f fitted without fold f, and g
their mean, a pair of fold f in a layer (the pairs whose smaller side has the same size) of which the part t is
known leaves

    r = (1 - t) (o - g_f) + t (o - g),

and the estimate is phi(g) + sum over sizes s of the mean of w r, with w_i = 1 / s if i is in S, else
-1 / (n - s): without bias, as pairs are drawn without replacement (cross-fitting; regression-adjusted Monte Carlo,
Witter, Liu and Musco 2025). A layer that is known as a whole leaves no error. A process that foresees left-out pairs
badly is scaled down by their regression on it, to nothing in a game without order. Sizes are drawn with
probabilities proportional to 1 / sqrt(s (n - s)), which makes the sum over players of the variance smallest.
"""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ame.attribution.coalitions import FloatMatrix, FloatVector
from ame.attribution.kernel_choice import CHOOSING, chosen
from ame.attribution.odd_kernel import LINEAR_WEIGHT, Kernel

DENSE = 2500  # pairs up to which every section is kept
INDUCING = 1000  # sections kept beyond: memory does not grow with the pairs
FOLDS = 10
STRATUM = 8  # pairs at least in each, so that its spread is known
CHUNK = 4096  # pairs whose features are in memory at once


class OddFit(NamedTuple):
    """values: of the players, before efficiency; explained: part of the odd variance that left-out folds
    confirm."""

    values: FloatVector
    standard_errors: FloatVector
    explained: float
    kernel: str


def size_chances(players: int) -> FloatVector:
    """(n - 1,): the probability p_s of drawing a coalition of size s = 1..n-1."""
    sizes = np.arange(1.0, players)
    chances = 1.0 / np.sqrt(sizes * (players - sizes))
    normed: FloatVector = chances / chances.sum()
    return normed


def layer_pairs(players: int, layer: int) -> int:
    """How many pairs of a coalition of `layer` <= n/2 players and its complement there are."""
    return comb(players, layer) // (2 if 2 * layer == players else 1)


def fit_odd(signs: FloatMatrix, first: FloatVector, second: FloatVector, *, learning: bool = True) -> OddFit:
    """Shapley values from pairs: `signs` (m, n) of +1 and -1, as `PairDesign` draws them; values (m,) of the
    coalitions and of their complements. Without `learning`, directions stay as read off the even part."""
    players = signs.shape[1]
    odd, even = (first - second) / 2, (first + second) / 2
    level = float(np.sqrt(np.mean(odd**2)))
    if level == 0.0:
        return OddFit(np.zeros(players), np.zeros(players), 1.0, "zero")
    odd = odd / level
    left = _left_out(signs, odd, even, learning=learning and len(odd) > CHOOSING)
    trust = float(np.clip(left.foreseen @ odd / max(left.foreseen @ left.foreseen, 1e-300), 0.0, 1.0))
    residuals = odd - trust * left.foreseen
    values, errors = _corrected(signs, trust * left.values, residuals, odd - trust * left.fitted)
    spread = float(np.var(odd))
    explained = 1.0 - float(np.mean(residuals**2)) / spread if spread > 0 else 1.0
    return OddFit(values * level, errors * level, explained, left.kernel)


def _corrected(
    signs: FloatMatrix, predicted: FloatVector, residuals: FloatVector, seen: FloatVector
) -> tuple[FloatVector, FloatVector]:
    """`predicted`, the values of the mean process, plus its mean weighted residual, and the standard error.

    Each stratum is a sample without replacement. What it holds is left by the mean process as `seen` says, what it
    does not hold as `residuals` of left-out pairs do: by the known part of each layer the one counts or the other.
    """
    pairs, players = signs.shape
    sizes = (signs > 0).sum(axis=1)
    layers = np.minimum(sizes, players - sizes)
    counts = np.bincount(layers, minlength=players // 2 + 1).tolist()
    known = np.array([count / layer_pairs(players, layer) for layer, count in enumerate(counts)])
    chances = size_chances(players)
    of_size = np.minimum(np.arange(1, players), np.arange(players - 1, 0, -1))
    values, variances, strata = predicted, np.zeros(players), _strata(counts, known)
    for stratum in strata:
        rows = np.flatnonzero(np.isin(layers, stratum))
        some, size, part = signs[rows], sizes[rows], known[layers[rows]]
        scale = chances[np.isin(of_size, stratum)].sum() / chances[size - 1] / len(rows)
        inside, outside = scale / size, -scale / (players - size)
        left = (1.0 - part) * residuals[rows] + part * seen[rows]
        values = values + _sums(some, inside * left, outside * left)
        inside, outside = inside * residuals[rows], outside * residuals[rows]
        scatter = _sums(some, inside**2, outside**2) - _sums(some, inside, outside) ** 2 / len(rows)
        unknown = 1.0 - float(part.mean())
        variances += unknown * np.maximum(scatter, 0.0) * len(rows) / max(1, len(rows) - 1)
    return values, np.sqrt(variances) * student_factor(pairs - len(strata))


def _sums(signs: FloatMatrix, inside: FloatVector, outside: FloatVector) -> FloatVector:
    """(n,): sums over the rows of what counts where a player is present, and where not."""
    sums: FloatVector = ((inside - outside) @ signs + (inside + outside).sum()) / 2
    return sums


def _strata(counts: list[int], known: FloatVector) -> list[list[int]]:
    """Layers 1..n/2, together where single ones have few pairs; one that is wholly known stands alone."""
    strata: list[list[int]] = []
    waiting: list[int] = []
    for layer in np.flatnonzero(known[1:] < 1.0) + 1:
        waiting.append(int(layer))
        if sum(counts[each] for each in waiting) >= STRATUM:
            strata.append(waiting)
            waiting = []
    if strata:
        strata[-1] += waiting
    elif any(counts[each] for each in waiting):
        strata.append(waiting)
    return strata + [[int(layer)] for layer in np.flatnonzero(known[1:] == 1.0) + 1]


def student_factor(freedom: int) -> float:
    """By how much Student's 97.5 % quantile exceeds the normal one (Cornish and Fisher 1938, two terms)."""
    if freedom < 1:
        return float("inf")
    z = 1.959963984540054
    first = (z**2 + 1.0) / (4.0 * freedom)
    return 1.0 + first + (5.0 * z**4 + 16.0 * z**2 + 3.0) / (96.0 * freedom**2)


class _LeftOut(NamedTuple):
    """What the processes that leave one fold out say."""

    values: FloatVector  # (n,), their mean Shapley values
    foreseen: FloatVector  # (m,), each pair by the one that has not seen it
    fitted: FloatVector  # (m,), each pair by their mean
    kernel: str


def _left_out(signs: FloatMatrix, odd: FloatVector, even: FloatVector, *, learning: bool) -> _LeftOut:
    """Processes that leave one fold out.

    A kernel for some folds is chosen on pairs of the others, so that nothing about a fold is known to the process
    that predicts it: for every fifth fold where pairs are few, for every second where they are enough.
    """
    values, foreseen, fitted, name = np.zeros(signs.shape[1]), np.zeros(len(odd)), np.zeros(len(odd)), ""
    groups = FOLDS // 2 if len(odd) <= CHOOSING else 2
    for group in range(groups):
        other = np.flatnonzero(np.arange(len(odd)) % groups != group)
        kernel, name = chosen(signs[other], odd[other], even[other], learning=learning)
        folds = range(group, min(FOLDS, len(odd)), groups)
        if len(odd) > DENSE:
            part, fit = _sparse(signs, odd, kernel, folds, foreseen)
        else:
            covariances = kernel.matrix(signs)
            weights = _dense(covariances, odd, kernel.nugget, folds, foreseen)
            part, fit = kernel.values(signs, weights), covariances @ weights
        values, fitted = values + part, fitted + fit
    return _LeftOut(values, foreseen, fitted, name)


def _dense(
    covariances: FloatMatrix, odd: FloatVector, nugget: float, folds: range, foreseen: FloatVector
) -> FloatVector:
    """The folds' part of the mean weights (m,); fills in what they foresee. One inverse is enough: leaving fold f out
    changes the weights by -K^-1[:, f] e_f, where K^-1[f, f] e_f = weights[f]."""
    pairs = len(odd)
    inverse = np.linalg.inv(covariances + nugget * np.eye(pairs))
    weights, mean = inverse @ odd, np.zeros(pairs)
    for fold in folds:
        places = slice(fold, None, FOLDS)
        residuals = np.linalg.solve(inverse[places, places], weights[places])
        foreseen[places] = odd[places] - residuals
        mean += (weights - inverse[:, places] @ residuals) * (len(residuals) / pairs)
    return mean


def _sparse(
    signs: FloatMatrix, odd: FloatVector, kernel: Kernel, folds: range, foreseen: FloatVector
) -> tuple[FloatVector, FloatVector]:
    """The folds' part of the mean process, as its values (n,) and what it fits (m,); fills in what they foresee.

    It has k = n + at most INDUCING + WAVES features; what the sections kept do not span counts as noise of the pair
    (Snelson and Ghahramani 2006, "FITC").

    Memory: about 4 matrices (k, k) and one chunk of features; none of size m x m.
    """
    features = _Features(signs, kernel)
    gram, product = features.sums(odd, 0)
    for fold in range(1, FOLDS):
        more, beside = features.sums(odd, fold)
        gram += more
        product += beside
    gram[np.diag_indices_from(gram)] += 1.0
    weights, fitted = np.zeros(len(product)), np.zeros(len(odd))
    for fold in folds:
        own, beside = features.sums(odd, fold)
        without = np.linalg.solve(gram - own, product - beside)
        foreseen[fold::FOLDS] = features.products(fold, without)
        weights += without * (len(range(fold, len(odd), FOLDS)) / len(odd))
    for fold in range(FOLDS):
        fitted[fold::FOLDS] = features.products(fold, weights)
    return features.values(weights), fitted


class _Features:
    """phi(x) of k = n + sections + waves entries, whose products are nearly the kernel."""

    def __init__(self, signs: FloatMatrix, kernel: Kernel) -> None:
        self.signs, self.kernel = signs, kernel
        self.inducing = signs[:: -(-len(signs) // INDUCING)]
        gram = kernel.sections(self.inducing, self.inducing)
        jitter = 1e-9 * float(np.trace(gram)) / len(gram)
        self.root = np.linalg.inv(np.linalg.cholesky(gram + jitter * np.eye(len(gram))))

    def chunks(self, fold: int) -> list[NDArray[np.int64]]:
        """Places of the fold's pairs, at most CHUNK at a time."""
        places = np.arange(fold, len(self.signs), FOLDS)
        return [places[start : start + CHUNK] for start in range(0, len(places), CHUNK)]

    def rows(self, places: NDArray[np.int64]) -> tuple[FloatMatrix, FloatVector]:
        """(m, k), and the noise (m,) of each."""
        signs = self.signs[places]
        sections = self.kernel.sections(signs, self.inducing) @ self.root.T
        noise = self.kernel.nugget + np.maximum(1.0 - (sections**2).sum(axis=1), 0.0)
        return np.hstack([self.kernel.linear(signs), sections, self.kernel.hidden(signs)]), noise

    def products(self, fold: int, weights: FloatVector) -> FloatVector:
        """Of the fold's features with weights (k,)."""
        return np.concatenate([self.rows(places)[0] @ weights for places in self.chunks(fold)])

    def sums(self, odd: FloatVector, fold: int) -> tuple[FloatMatrix, FloatVector]:
        """(k, k) and (k,): products of the fold's features with themselves and with `odd`, by precision."""
        size = self.signs.shape[1] + len(self.inducing) + self.kernel.waves
        gram, product = np.zeros((size, size)), np.zeros(size)
        for places in self.chunks(fold):
            rows, noise = self.rows(places)
            rows /= np.sqrt(noise)[:, None]
            gram += rows.T @ rows
            product += rows.T @ (odd[places] / np.sqrt(noise))
        return gram, product

    def values(self, weights: FloatVector) -> FloatVector:
        """(n,): Shapley values of the function with these weights (k,)."""
        players, kernel = self.signs.shape[1], self.kernel
        linear, sections, hidden = np.split(weights, [players, players + len(self.inducing)])
        values = 2 * np.sqrt(LINEAR_WEIGHT) * kernel.relevance * linear
        values += kernel.section_values(self.inducing, sections @ self.root)
        values += kernel.hidden_values(hidden)
        return np.asarray(values)
