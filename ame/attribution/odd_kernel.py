"""The kernel of the process on the odd part of a game, and the Shapley values of what it spans.

With x = +1 for present and -1 for absent players,

    k(x, y) = linear * sum_i r_i^2 x_i y_i  +  odd * sinh(sum_i a_i x_i y_i)  +  hidden * sinh(sum_h (D_h x) (D_h y)),

where r_i is the player's relevance, a_i = length * r_i / |r|, and D_h a direction that many players share. Since x_i y_i
is +1 or -1, exp(sum_i a_i x_i y_i) is a product over the players of cosh(a_i) (1 + tanh(a_i) x_i y_i): every interaction
of odd order is in it, with a weight that falls with the order.

The last part stands for what acts through few sums, as the members of a stage do, and is the mean of
2 sin(t D x) cosh(g D x) sin(t D y) cosh(g D y) over normal t and g of variance 1/2; a number of such waves, drawn once,
serve for it. They bend most near the full and the empty coalition, where returns do.

Sections of k are exponentials. The Shapley value of sinh(sum_j b_j x_j) is, by the multilinear extension (Owen 1972),
the integral over q of 2 sinh(b_i) prod_(j != i) (q exp(b_j) + (1-q) exp(-b_j)), and sin(t D x) cosh(g D x) is the
imaginary part of sinh((g + i t) D x).
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ame.attribution.coalitions import FloatMatrix, FloatVector

LINEAR_WEIGHT = 1000.0  # a wide prior on the additive part: it is what the data speak of most clearly
HIDDEN_WEIGHT = 1000.0
WAVES = 400

_Number = TypeVar("_Number", np.float64, np.complex128)


class Kernel(NamedTuple):
    """The kernel, and the noise of a pair in its units."""

    relevance: FloatVector  # (n,), of norm 1
    length: float
    nugget: float
    directions: FloatMatrix  # (h, n); h = 0 without hidden part

    @property
    def rates(self) -> FloatVector:
        """(n,): a_i."""
        return self.length * self.relevance

    @property
    def odd_scale(self) -> float:
        """That makes a pair's variance by `sections` 1."""
        return float(1.0 / np.sinh(self.rates.sum()))

    @property
    def waves(self) -> int:
        """How many stand for the hidden part."""
        return WAVES if len(self.directions) else 0

    def linear(self, signs: FloatMatrix) -> FloatMatrix:
        """(m, n) features of the additive part; their Shapley values are 2 on the diagonal, scaled alike."""
        features: FloatMatrix = np.sqrt(LINEAR_WEIGHT) * self.relevance * signs
        return features

    def sections(self, left: FloatMatrix, right: FloatMatrix) -> FloatMatrix:
        """(m, k) covariances, without the additive and the hidden part, of sign rows (m, n) and (k, n)."""
        sections: FloatMatrix = self.odd_scale * np.sinh((left * self.rates) @ right.T)
        return sections

    def hidden(self, signs: FloatMatrix) -> FloatMatrix:
        """(m, F) features of the hidden part."""
        if not self.waves:
            return np.empty((len(signs), 0))
        turns, growths, scale = mixtures(len(self.directions), WAVES)
        sums = signs @ self.directions.T
        hidden: FloatMatrix = scale * np.sin(sums @ turns.T) * np.cosh(sums @ growths.T)
        return hidden

    def matrix(self, signs: FloatMatrix) -> FloatMatrix:
        """(m, m) covariances."""
        linear, hidden = self.linear(signs), self.hidden(signs)
        matrix: FloatMatrix = self.sections(signs, signs) + linear @ linear.T + hidden @ hidden.T
        return matrix

    def values(self, signs: FloatMatrix, weights: FloatVector) -> FloatVector:
        """(n,): Shapley values of the covariances with `signs` (m, n), weighted by (m,)."""
        linear = 2 * LINEAR_WEIGHT * self.relevance**2 * (weights @ signs)
        hidden = self.hidden_values(weights @ self.hidden(signs))
        values: FloatVector = linear + self.section_values(signs, weights) + hidden
        return values

    def section_values(self, signs: FloatMatrix, weights: FloatVector) -> FloatVector:
        """(n,): the part of `sections`."""
        values: FloatVector = self.odd_scale * (weights @ sinh_values(signs * self.rates).real)
        return values

    def hidden_values(self, weights: FloatVector) -> FloatVector:
        """(n,): the part of the hidden features, weighted by (F,)."""
        if not self.waves:
            return np.zeros(len(self.relevance))
        turns, growths, scale = mixtures(len(self.directions), WAVES)
        values: FloatVector = scale * (weights @ sinh_values((growths + 1j * turns) @ self.directions).imag)
        return values

    def label(self) -> str:
        """What distinguishes it."""
        hidden = f", {len(self.directions)} hidden directions" if len(self.directions) else ""
        return f"length {self.length:g}{hidden}"


def mixtures(directions: int, waves: int) -> tuple[FloatMatrix, FloatMatrix, float]:
    """How fast each of the waves turns and grows along each direction (F, h), and the scale of all."""
    random = np.random.Generator(np.random.PCG64(3))
    turns, growths = np.sqrt(0.5) * random.standard_normal((2, waves, directions))
    return turns, growths, float(np.sqrt(2 * HIDDEN_WEIGHT / waves))


def sinh_values(exponents: NDArray[_Number]) -> NDArray[_Number]:
    """Shapley values (m, n) of x -> sinh(sum_j b_j x_j), for each row b of `exponents`."""
    # Of exp(c q), Gauss and Legendre's rule with so many nodes leaves less than 1e-11 (c real) and 1e-9 (imaginary).
    count = 16 + int(0.6 * np.abs(exponents).sum(axis=1).max())
    nodes, node_weights = np.polynomial.legendre.leggauss(count)  # type: ignore[no-untyped-call]
    rising, falling = np.exp(exponents), np.exp(-exponents)
    result = np.zeros_like(exponents)
    # The nodes are symmetric, so the half with exp(-b) gives the same as the half with exp(b).
    for node, weight in zip((nodes + 1) / 2, node_weights / 2, strict=True):
        mixed = node * rising + (1 - node) * falling
        product = np.exp(np.log(mixed).sum(axis=1, keepdims=True))
        result += weight * (rising - falling) * product / mixed
    return result
