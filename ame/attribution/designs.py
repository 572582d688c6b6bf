"""Which coalitions an estimate asks for: endless sequences that a seed alone fixes, so that they can be continued."""

from __future__ import annotations

import numpy as np

from ame.attribution.coalitions import CoalitionMatrix, FloatMatrix, FloatVector
from ame.attribution.odd_process import layer_pairs, size_chances

GOLDEN = (5**0.5 - 1) / 2
BLOCK = 256  # pairs drawn at once


class PairDesign:
    """Coalitions, each followed by its complement; no pair comes twice.

    Sizes follow `size_chances` evenly (golden-ratio sequence from a random start), members are uniform given the
    size among those not drawn before. A layer of which every pair was drawn is passed over: the small ones, which
    weigh most, are soon known as a whole.
    """

    def __init__(self, players: int, seed: int) -> None:
        self.players, self.seed = players, seed
        self._rows = np.empty((0, players), dtype=np.bool_)
        self._start = np.random.Generator(np.random.PCG64([seed, 0])).random()
        self._edges = np.cumsum(size_chances(players))[:-1]
        self._place, self._blocks = 0, 0
        self._drawn: set[bytes] = set()
        self._left = [layer_pairs(players, layer) for layer in range(players // 2 + 1)]

    def first(self, pairs: int) -> CoalitionMatrix:
        """The first coalitions of `pairs` pairs, of 2^(n-1) - 1 that there are."""
        while pairs > len(self._rows):
            self._rows = np.vstack([self._rows, self._block()])
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

    def _block(self) -> CoalitionMatrix:
        random = np.random.Generator(np.random.PCG64([self.seed, 1, self._blocks]))
        self._blocks += 1
        rows: list[CoalitionMatrix] = []
        while len(rows) < BLOCK and len(self._drawn) < (1 << self.players - 1) - 1:
            at = (self._start + GOLDEN * self._place) % 1.0
            self._place += 1
            size = 1 + int(np.searchsorted(self._edges, at, side="right"))
            layer = min(size, self.players - size)
            if self._left[layer]:
                self._left[layer] -= 1
                rows.append(self._fresh(size, random))
        return np.array(rows)

    def _fresh(self, size: int, random: np.random.Generator) -> CoalitionMatrix:
        while True:
            row = np.zeros(self.players, dtype=np.bool_)
            row[random.permutation(self.players)[:size]] = True
            pair = np.packbits(row if row[0] else ~row).tobytes()
            if pair not in self._drawn:
                self._drawn.add(pair)
                return row


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
