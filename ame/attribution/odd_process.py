"""Shapley values from few evaluations: a Gaussian process on the odd part of the game, corrected without bias.

Only the odd part, o(S) = (v(S) - v(all without S)) / 2, matters for Shapley values, so coalitions are evaluated in
pairs with their complements (Covert and Lee 2021). With x = +1 for present and -1 for absent players, the
process has the kernel

    k(x, y) = linear * sum_i r_i^2 x_i y_i  +  odd * sinh(sum_i a_i x_i y_i)  +  hidden * sum_f sin(d_f x) sin(d_f y),

with a_i = length * r_i / |r| and r_i the player's relevance. Since x_i y_i is +1 or -1, exp(sum_i a_i x_i y_i) is a
product over the players of cosh(a_i) (1 + tanh(a_i) x_i y_i): every interaction of odd order is in it, with a weight
that falls with the order. The directions d_f are random mixtures of the few along which the *even* part bends most
(eigenvectors of its pairwise interactions): players that act through one sum, as those of a stage do, share one.
Where they help, these few are learned further: waves of them are to explain the odd part by their sines and the even
part by their cosines, with the greatest marginal likelihood.
The Shapley value of every section is closed, by the multilinear extension (Owen 1972): for exp(sum_j b_j x_j), with
complex b for sin, it is the integral over q of 2 sinh(b_i) prod_(j != i) (q exp(b_j) + (1-q) exp(-b_j)).

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

from collections.abc import Callable
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ame.attribution.coalitions import FloatMatrix, FloatVector
from ame.attribution.lbfgs import lowered

LENGTHS = (0.1, 0.2, 0.5, 1.0, 2.0)
NUGGETS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # never interpolate: a kink in the game would bend all values
LINEAR_WEIGHT = 1000.0  # a wide prior on the additive part: it is what the data speak of most clearly
NODES = 12  # Gauss-Legendre: exact up to degree 23, and the integrand is smooth
CHOOSING = 400  # pairs on which length and nugget are chosen, by likelihood
COMPARING = 1000  # pairs on which kernels are compared, by left-out pairs
DENSE = 2500  # pairs up to which every section is kept
INDUCING = 1000  # sections kept beyond: memory does not grow with the pairs
FOLDS = 10
STRATUM = 8  # pairs at least in each, so that its spread is known
HIDDEN, WAVES = 4, 400  # directions of the even part, and random mixtures of them
HIDDEN_WEIGHT, HIDDEN_LENGTH = 1000.0, 0.5
LEARNING_PAIRS, LEARNING_WAVES, LEARNING_STEPS = 10_000, 80, 100
CHUNK = 4096  # pairs whose features are in memory at once


class OddFit(NamedTuple):
    """values: of the players, before efficiency; explained: part of the odd variance that left-out folds
    confirm."""

    values: FloatVector
    standard_errors: FloatVector
    explained: float
    kernel: str


class _Kernel(NamedTuple):
    relevance: FloatVector  # (n,), of norm 1
    length: float
    nugget: float
    waves: FloatMatrix  # (F, n) directions d_f; F = 0 without

    @property
    def rates(self) -> FloatVector:
        return self.length * self.relevance

    @property
    def odd_scale(self) -> float:
        return float(1.0 / np.sinh(self.rates.sum()))

    def linear(self, signs: FloatMatrix) -> FloatMatrix:
        """(m, n) features of the additive part; their Shapley values are 2 on the diagonal, scaled alike."""
        features: FloatMatrix = np.sqrt(LINEAR_WEIGHT) * self.relevance * signs
        return features

    def sections(self, left: FloatMatrix, right: FloatMatrix) -> FloatMatrix:
        """(m, k) covariances, without the additive part and the waves, of sign rows (m, n) and (k, n)."""
        sections: FloatMatrix = self.odd_scale * np.sinh((left * self.rates) @ right.T)
        return sections

    def waving(self, signs: FloatMatrix) -> FloatMatrix:
        """(m, F)."""
        waving: FloatMatrix = _wave_scale(len(self.waves)) * np.sin(signs @ self.waves.T)
        return waving

    def matrix(self, signs: FloatMatrix) -> FloatMatrix:
        """(m, m) covariances."""
        linear, waving = self.linear(signs), self.waving(signs)
        matrix: FloatMatrix = self.sections(signs, signs) + linear @ linear.T + waving @ waving.T
        return matrix

    def values(self, signs: FloatMatrix, weights: FloatVector) -> FloatVector:
        """(n,): Shapley values of the covariances with `signs` (m, n), weighted by (m,)."""
        linear = 2 * LINEAR_WEIGHT * self.relevance**2 * (weights @ signs)
        waves = self.wave_values(weights @ self.waving(signs))
        values: FloatVector = linear + self.section_values(signs, weights) + waves
        return values

    def section_values(self, signs: FloatMatrix, weights: FloatVector) -> FloatVector:
        """(n,): the part of `sections`."""
        values: FloatVector = self.odd_scale * (weights @ _sinh_values(signs * self.rates))
        return values

    def wave_values(self, weights: FloatVector) -> FloatVector:
        """(n,): the part of the waves, weighted by (F,)."""
        if not len(weights):
            return np.zeros(len(self.relevance))
        values: FloatVector = _wave_scale(len(weights)) * (weights @ _sine_values(self.waves))
        return values

    def label(self) -> str:
        return f"length {self.length:g}" + (f", {HIDDEN} hidden directions" if len(self.waves) else "")


def _wave_scale(waves: int) -> float:
    return float(np.sqrt(2 * HIDDEN_WEIGHT / max(1, waves)))


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


def _chosen(
    signs: FloatMatrix, odd: FloatVector, even: FloatVector, *, learning: bool
) -> tuple[_Kernel, str]:
    """Relevance by likelihood; length, nugget and directions by what foresees left-out pairs best."""
    players = signs.shape[1]
    additive = np.linalg.solve(signs.T @ signs + 1e-6 * len(signs) * np.eye(players), signs.T @ odd)
    few, some = slice(0, CHOOSING), slice(0, COMPARING)
    candidates = [_likeliest(signs[few], odd[few], each) for each in (np.ones(players), _relevance(additive))]
    name, kernel = max(zip(("isotropic", "relevance"), candidates, strict=True), key=lambda pair: pair[1][1])
    best = kernel[0]
    error, weights = _left_one_out(signs[some], odd[some], best)
    # Those of very many pairs are nearer than the process's of some.
    values = additive if len(odd) > max(COMPARING, 5 * players) else best.values(signs[some], weights)
    refined, _ = _likeliest(signs[few], odd[few], _relevance(values))
    directions = _directions(signs[some], even[some], refined.relevance)
    waves = _waves(directions)
    name, best, error = min(
        (name, best, error),
        ("relevance, refined", *_tuned(signs[some], odd[some], refined)),
        ("relevance, refined", *_tuned(signs[some], odd[some], refined._replace(waves=waves))),
        key=lambda each: each[2],
    )
    if learning and len(best.waves):
        many = slice(0, LEARNING_PAIRS)
        learned = best._replace(waves=_waves(_learned(signs[many], odd[many], even[many], best, directions)))
        unlearned, error = (_left_one_out(signs[:DENSE], odd[:DENSE], each)[0] for each in (best, learned))
        if error < unlearned:
            name, best = f"{name}, learned", learned
    return best, f"{name}, {best.label()}"


def _tuned(signs: FloatMatrix, odd: FloatVector, kernel: _Kernel) -> tuple[_Kernel, float]:
    """Length and nugget that foresee left-out pairs best, and the mean square of what is left of them."""
    best, error = kernel, np.inf
    for length in LENGTHS:
        tried = kernel._replace(length=length)
        spectrum, basis = np.linalg.eigh(tried.matrix(signs))
        rotated, squares = basis.T @ odd, basis**2
        for nugget in NUGGETS:
            precision = 1.0 / (np.maximum(spectrum, 0.0) + nugget)
            again = float(np.mean((basis @ (rotated * precision) / (squares @ precision)) ** 2))
            if again < error:
                best, error = tried._replace(nugget=nugget), again
    return best, error


def _relevance(values: FloatVector) -> FloatVector:
    size = np.abs(values)
    relevance = size + 0.1 * size.mean() + 1e-12
    normed: FloatVector = relevance / np.linalg.norm(relevance)
    return normed


def _likeliest(signs: FloatMatrix, odd: FloatVector, relevance: FloatVector) -> tuple[_Kernel, float]:
    """Length and nugget of the highest marginal likelihood; the overall scale is profiled out."""
    none = np.empty((0, signs.shape[1]))
    best, likelihood = _Kernel(relevance / np.linalg.norm(relevance), 1.0, 1.0, none), -np.inf
    for length in LENGTHS:
        kernel = best._replace(length=length)
        spectrum, basis = np.linalg.eigh(kernel.matrix(signs))
        rotated = (basis.T @ odd) ** 2
        for nugget in NUGGETS:
            spread = np.maximum(spectrum, 0.0) + nugget
            score = -0.5 * len(odd) * float(np.log(np.mean(rotated / spread))) - 0.5 * float(
                np.log(spread).sum()
            )
            if score > likelihood:
                best, likelihood = kernel._replace(nugget=nugget), score
    return best, likelihood


def _left_one_out(signs: FloatMatrix, odd: FloatVector, kernel: _Kernel) -> tuple[float, FloatVector]:
    """Mean square of left-one-out residuals, and the process's weights (m,)."""
    inverse = np.linalg.inv(kernel.matrix(signs) + kernel.nugget * np.eye(len(signs)))
    weights = inverse @ odd
    residuals = weights / np.diag(inverse)
    return float(np.mean(residuals**2)), weights


def _waves(directions: FloatMatrix, count: int = WAVES) -> FloatMatrix:
    """(F, n) random mixtures of the directions; none of none."""
    if not len(directions):
        return directions
    mixtures = np.random.Generator(np.random.PCG64(3)).standard_normal((count, len(directions)))
    waves: FloatMatrix = HIDDEN_LENGTH * mixtures @ directions
    return waves


def _directions(signs: FloatMatrix, even: FloatVector, relevance: FloatVector) -> FloatMatrix:
    """(HIDDEN, n) of the even part's strongest pairwise interactions (ridge), in units in which pairs spread by 1."""
    centred = even - even.mean()
    scaled = signs * relevance
    square = float(len(relevance)) * (scaled @ scaled.T) ** 2
    spectrum, basis = np.linalg.eigh(square + 100.0)  # the constant: whatever level is left belongs to none
    rotated = basis.T @ centred
    if not rotated.any():
        return np.empty((0, signs.shape[1]))
    spectrum = np.maximum(spectrum, 0.0)
    ridge = max(
        (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0),
        key=lambda nugget: (
            -len(even) * float(np.log(np.mean(rotated**2 / (spectrum + nugget))))
            - float(np.log(spectrum + nugget).sum())
        ),
    )
    weights = basis @ (rotated / (spectrum + ridge))
    pairwise = np.outer(relevance, relevance) * (scaled.T @ (scaled * weights[:, None]))
    np.fill_diagonal(pairwise, 0.0)
    strengths, directions = np.linalg.eigh(pairwise)
    strongest = np.argsort(-np.abs(strengths), kind="stable")[:HIDDEN]
    chosen = directions[:, strongest].T
    chosen = chosen / np.maximum((chosen @ signs.T).std(axis=1), 1e-12)[:, None]
    return np.asarray(chosen)


def _learned(
    signs: FloatMatrix, odd: FloatVector, even: FloatVector, kernel: _Kernel, directions: FloatMatrix
) -> FloatMatrix:
    """Directions (h, n) that are likelier than those given."""
    unlikeliness = _unlikeliness(signs, odd, even, kernel, len(directions))
    # By the data all entries bend it alike, by the prior as 1 / relevance^2: this unit is between.
    unit = np.sqrt(kernel.relevance)

    def loss(point: FloatVector) -> tuple[float, FloatVector]:
        value, slope = unlikeliness(point.reshape(directions.shape) * unit)
        return value, (slope * unit).ravel()

    learned = lowered(loss, (directions / unit).ravel(), LEARNING_STEPS)
    return np.asarray(learned.reshape(directions.shape) * unit)


def _unlikeliness(
    signs: FloatMatrix, odd: FloatVector, even: FloatVector, kernel: _Kernel, count: int
) -> Callable[[FloatMatrix], tuple[float, FloatMatrix]]:
    """Of directions (count, n): minus the logarithm of their posterior but for a constant, and its slope (count, n).

    The odd part is additive with sines of the waves, the even part level with cosines; the sections are left out.
    In units of relevance the directions' entries are normal a priori.
    """
    mixtures = _waves(np.eye(count), LEARNING_WAVES)
    scale = _wave_scale(LEARNING_WAVES)
    level = np.full((len(signs), 1), np.sqrt(HIDDEN_WEIGHT))
    odd_part = _Beside(kernel.linear(signs), odd, kernel.nugget)
    even_part = _Beside(level, even - even.mean(), kernel.nugget)

    def unlikeliness(directions: FloatMatrix) -> tuple[float, FloatMatrix]:
        angles = (signs @ directions.T) @ mixtures.T
        sine, cosine = scale * np.sin(angles), scale * np.cos(angles)
        (value, by_sine), (more, by_cosine) = odd_part.unlikeliness(sine), even_part.unlikeliness(cosine)
        by_angle = (cosine * by_sine - sine * by_cosine) @ mixtures
        standard = directions / kernel.relevance
        slope: FloatMatrix = by_angle.T @ signs + standard / kernel.relevance
        return value + more + 0.5 * float((standard**2).sum()), slope

    return unlikeliness


class _Beside:
    """The marginal likelihood of `part` (m,) as a sum of `plain` features (m, p), of waves (m, F) and of noise, when
    the waves change and the rest does not.

    With B = plain plain' + nugget I and V = B^-1 waves, K = B + waves waves' has K^-1 waves = V M^-1 and
    |K| = |B| |M|, where M = I + waves' V. With plain = Q R, nugget B^-1 = I - Q (I - nugget (R R' + nugget I)^-1) Q'.
    """

    def __init__(self, plain: FloatMatrix, part: FloatVector, nugget: float) -> None:
        self.part, self.nugget = part, nugget
        self.basis, triangle = np.linalg.qr(plain)
        own = np.eye(len(triangle))
        self.plain = own - nugget * np.linalg.inv(triangle @ triangle.T + nugget * own)
        self.alone = self._beside(part[:, None])[:, 0]

    def _beside(self, columns: FloatMatrix) -> FloatMatrix:
        """B^-1 columns."""
        beside: FloatMatrix = columns - self.basis @ (self.plain @ (self.basis.T @ columns))
        return beside / self.nugget

    def unlikeliness(self, waves: FloatMatrix) -> tuple[float, FloatMatrix]:
        """Minus the logarithm of the likelihood but for a constant, and its slope by `waves`: with a = K^-1 part, and
        the scale s = part' a / m profiled out, K^-1 waves - a a' waves / s."""
        beside = self._beside(waves)
        mixed = np.eye(waves.shape[1]) + waves.T @ beside
        # M^-1 = 1 - waves' V M^-1, so waves' a = M^-1 waves' B^-1 part. A product with the inverse would round far more.
        solved = np.linalg.solve(mixed, np.column_stack([waves.T @ self.alone, beside.T]))
        fitted, by_waves = solved[:, 0], solved[:, 1:].T
        weights = self.alone - beside @ fitted
        spread = float(self.part @ weights) / len(self.part)
        value = 0.5 * len(self.part) * float(np.log(spread)) + 0.5 * float(np.linalg.slogdet(mixed)[1])
        return value, by_waves - np.outer(weights / spread, fitted)


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
        kernel, name = _chosen(signs[other], odd[other], even[other], learning=learning)
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
    signs: FloatMatrix, odd: FloatVector, kernel: _Kernel, folds: range, foreseen: FloatVector
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

    def __init__(self, signs: FloatMatrix, kernel: _Kernel) -> None:
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
        return np.hstack([self.kernel.linear(signs), sections, self.kernel.waving(signs)]), noise

    def products(self, fold: int, weights: FloatVector) -> FloatVector:
        """Of the fold's features with weights (k,)."""
        return np.concatenate([self.rows(places)[0] @ weights for places in self.chunks(fold)])

    def sums(self, odd: FloatVector, fold: int) -> tuple[FloatMatrix, FloatVector]:
        """(k, k) and (k,): products of the fold's features with themselves and with `odd`, by precision."""
        size = self.signs.shape[1] + len(self.inducing) + len(self.kernel.waves)
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
        linear, sections, waves = np.split(weights, [players, players + len(self.inducing)])
        values = 2 * np.sqrt(LINEAR_WEIGHT) * kernel.relevance * linear
        values += kernel.section_values(self.inducing, sections @ self.root)
        values += kernel.wave_values(waves)
        return np.asarray(values)


def _sinh_values(exponents: FloatMatrix) -> FloatMatrix:
    """Shapley values (m, n) of x -> sinh(sum_j b_j x_j), for each row b of `exponents`."""
    nodes, node_weights = np.polynomial.legendre.leggauss(NODES)  # type: ignore[no-untyped-call]
    rising, falling = np.exp(exponents), np.exp(-exponents)
    result = np.zeros_like(exponents)
    # The nodes are symmetric, so the half with exp(-b) gives the same as the half with exp(b).
    for node, weight in zip((nodes + 1) / 2, node_weights / 2, strict=True):
        mixed = node * rising + (1 - node) * falling
        product = np.exp(np.log(mixed).sum(axis=1, keepdims=True))
        result += weight * (rising - falling) * product / mixed
    return result


def _sine_values(angles: FloatMatrix) -> FloatMatrix:
    """Shapley values (m, n) of x -> sin(sum_j b_j x_j), for each row b of `angles`."""
    nodes, node_weights = np.polynomial.legendre.leggauss(NODES)  # type: ignore[no-untyped-call]
    cosine, sine = np.cos(angles), np.sin(angles)
    result = np.zeros_like(angles)
    for node, weight in zip(nodes, node_weights / 2, strict=True):
        mixed = cosine + 1j * node * sine
        product = np.exp(np.log(mixed).sum(axis=1, keepdims=True))
        result += weight * (2j * sine * product / mixed).imag
    return result
