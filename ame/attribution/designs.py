"""Which coalitions an estimate asks for: endless sequences that a seed alone fixes, so that they can be continued."""

from __future__ import annotations

import numpy as np

from ame.attribution.coalitions import CoalitionMatrix, FloatMatrix, FloatVector
from ame.attribution.odd_process import size_chances

GOLDEN = (5**0.5 - 1) / 2
BLOCK = 256  # pairs drawn at once


class PairDesign:
    """Coalitions, each followed by its complement.

    Sizes follow `size_chances` evenly (golden-ratio sequence from a random start), members are uniform given the
    size.
    """

    def __init__(self, players: int, seed: int) -> None:
        self.players, self.seed = players, seed
        self._rows = np.empty((0, players), dtype=np.bool_)
        self._start = np.random.Generator(np.random.PCG64([seed, 0])).random()
        self._edges = np.cumsum(size_chances(players))[:-1]

    def first(self, pairs: int) -> CoalitionMatrix:
        """The first coalitions of `pairs` pairs."""
        have = len(self._rows) // BLOCK
        if pairs > len(self._rows):
            blocks = [self._block(number) for number in range(have, -(-pairs // BLOCK))]
            self._rows = np.vstack([self._rows, *blocks])
        return self._rows[:pairs]

    def signs(self, pairs: int) -> FloatMatrix:
        """The same as +1 and -1."""
        return np.where(self.first(pairs), 1.0, -1.0)

    def rows(self, start: int, stop: int) -> CoalitionMatrix:
        """Coalitions start..stop of the sequence coalition, complement, coalition, complement, .."""
        firsts = self.first((stop + 1) // 2)
        index = np.arange(start, stop)
        rows: CoalitionMatrix = firsts[index // 2] ^ (index % 2 == 1)[:, None]
        return rows

    def _block(self, number: int) -> CoalitionMatrix:
        random = np.random.Generator(np.random.PCG64([self.seed, 1, number]))
        at = (self._start + GOLDEN * np.arange(number * BLOCK, (number + 1) * BLOCK)) % 1.0
        sizes = 1 + np.searchsorted(self._edges, at, side="right")
        ranks = random.random((BLOCK, self.players)).argsort(axis=1).argsort(axis=1)
        rows: CoalitionMatrix = ranks < sizes[:, None]
        return rows


class WalkDesign:
    """Walks along an order and back along its reverse; every second walk is the one before, turned by half, so that
    each player stands at an early and at a late place."""

    def __init__(self, players: int, seed: int) -> None:
        self.players, self.seed, self.length = players, seed, 2 * (players - 1)

    def orders(self, walk: int) -> tuple[FloatVector, FloatVector]:
        """The order of a walk, and its reverse."""
        random = np.random.Generator(np.random.PCG64([self.seed, 2, walk // 2]))
        order = np.roll(random.permutation(self.players), (walk % 2) * (self.players // 2))
        return order, order[::-1]

    def rows(self, start: int, stop: int) -> CoalitionMatrix:
        """Coalitions start..stop of the walks' proper prefixes."""
        walks = range(start // self.length, -(-stop // self.length))
        rows = np.vstack([self._prefixes(order) for walk in walks for order in self.orders(walk)])
        return rows[start - walks.start * self.length :][: stop - start]

    def gains(self, inner: FloatVector, empty: float, whole: float) -> FloatMatrix:
        """(walks, n): mean marginal of each player over a walk and its reverse."""
        gains = np.zeros((len(inner) // self.length, self.players))
        for walk, values in enumerate(inner.reshape(-1, 2, self.players - 1)):
            for order, along in zip(self.orders(walk), values, strict=True):
                gains[walk, order] += np.diff(np.concatenate([[empty], along, [whole]])) / 2
        return gains

    def _prefixes(self, order: FloatVector) -> CoalitionMatrix:
        prefixes = np.empty((self.players - 1, self.players), dtype=np.bool_)
        prefixes[:, order] = np.tri(self.players - 1, self.players, dtype=np.bool_)
        return prefixes
