"""Shapley values when 2^n coalitions are too many: a portfolio behind one `estimate`.

Coalitions are drawn in pairs with their complements, in an order that depends on the seed alone; the first
quarter of the budget decides how the rest is used, and the result says what was chosen and why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from ame.attribution import exact
from ame.attribution.coalitions import CoalitionMatrix, FloatMatrix, FloatVector, Game, mask_array, to_matrix
from ame.attribution.odd_process import OddFit, fit_odd
from ame.attribution.state import EstimateState
from ame.errors import InputError

PILOT = 0.25  # of the budget; enough to tell a smooth game from a jumping one
EXPLAINED_ENOUGH = 0.3  # below, the process knows too little and walks along orders vary less
GOLDEN = (5**0.5 - 1) / 2
EXACT_PLAYERS = 24


@dataclass(frozen=True)
class Estimate:
    """values: Shapley values that sum to v(all) - v(empty); reason: why this method."""

    values: FloatVector
    standard_errors: FloatVector
    evaluations: int
    method: str
    reason: str
    seed: int


def seed_from_block(block_hash: str, purpose: str) -> int:
    """A seed that nobody could choose: 63 bits of SHA-256 of a block hash that was unknown when `purpose` was
    fixed."""
    digits = block_hash.removeprefix("0x")
    if len(digits) != 64 or any(digit not in "0123456789abcdef" for digit in digits.lower()):
        raise InputError(f"block hash: expected 32 bytes in hex, got {block_hash!r}")
    digest = sha256(bytes.fromhex(digits) + purpose.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def estimate(
    game: Game,
    budget: int,
    seed: int,
    *,
    target_error: float | None = None,
    state: Path | None = None,
    batch: int = 1000,
) -> Estimate:
    """Shapley values of `game` from at most `budget` evaluations.

    target_error: stop as soon as the largest standard error is at most this; looked at after the pilot and
    at each doubling. state: a file that keeps every batch, so that a killed run goes on where it was. Raises
    InputError for a budget below 2n + 2, a value that is not finite, or a state of another game, seed or
    budget.
    """
    players = game.players
    if budget < 2 * players + 2:
        raise InputError(f"budget: expected at least 2n + 2 = {2 * players + 2} evaluations, got {budget}")
    asker = _Asker(game, EstimateState.open(state, players, budget, seed), batch)
    if players <= EXACT_PLAYERS and 1 << players <= budget:
        return _exact(asker, seed)
    return _sampled(asker, budget, seed, target_error)


def _exact(asker: _Asker, seed: int) -> Estimate:
    players = asker.players
    table = asker.ask(
        1 << players, lambda start, stop: to_matrix(mask_array(range(start, stop), players), players)
    )
    return Estimate(
        exact.shapley(table),
        np.zeros(players),
        len(table),
        "exact",
        f"all 2^{players} coalitions are within the budget",
        seed,
    )


def _sampled(asker: _Asker, budget: int, seed: int, target_error: float | None) -> Estimate:
    players = asker.players
    ends = asker.ask(
        2, lambda start, stop: to_matrix(mask_array([0, (1 << players) - 1], players), players)[start:stop]
    )
    total = float(ends[1] - ends[0])
    design = PairDesign(players, seed)
    most = (budget - 2) // 2
    pairs, values = max(players, int(most * PILOT)), np.empty(0)
    while True:
        pairs = min(pairs, most)
        values = np.concatenate([values, asker.ask(2 * pairs - len(values), design.rows, len(values))])
        fit = _fit(design.signs(pairs), values)
        enough = target_error is not None and float(fit.standard_errors.max()) <= target_error
        if fit.explained < EXPLAINED_ENOUGH and most - pairs >= players:
            return _walk(asker, budget, seed, total, fit.explained, target_error)
        if enough or pairs == most:
            return _finish(
                fit.values,
                fit.standard_errors,
                total,
                asker.evaluations,
                "odd-gaussian-process",
                f"left-out pairs confirm {fit.explained:.1%} of the odd part (kernel: {fit.kernel})"
                + ("; stopped at the target error" if enough else ""),
                seed,
            )
        pairs = most if target_error is None else 2 * pairs


def _fit(signs: FloatMatrix, values: FloatVector) -> OddFit:
    odd = (values[0::2] - values[1::2]) / 2
    return fit_odd(signs, odd)


def _walk(
    asker: _Asker, budget: int, seed: int, total: float, explained: float, target_error: float | None
) -> Estimate:
    """Marginals along orders, each with its reverse and, from 8 blocks on, with both rotated by half
    (position strata)."""
    players = asker.players
    walks = (budget - asker.evaluations) // (players - 1)
    rotations = 2 if walks >= 32 else 1
    blocks = max(1, walks // (2 * rotations))
    design = WalkDesign(players, seed, rotations)
    samples = np.empty((0, players))
    until = max(2, blocks // 4) if target_error is not None else blocks
    while True:
        until = min(until, blocks)
        for block in range(len(samples), until):
            count = 2 * rotations * (players - 1)
            inner = asker.ask(count, lambda start, stop, block=block: design.rows(block)[start:stop])  # type: ignore[misc]
            samples = np.vstack([samples, design.gains(block, inner, asker.empty, asker.whole)])
        errors = _walk_errors(samples)
        enough = target_error is not None and float(errors.max()) <= target_error
        if enough or until == blocks:
            return _finish(
                samples.mean(axis=0),
                errors,
                total,
                asker.evaluations,
                "antithetic-permutations",
                f"left-out pairs confirm only {explained:.1%} of the odd part, so orders are walked without a model"
                + ("; stopped at the target error" if enough else ""),
                seed,
            )
        until *= 2


def _walk_errors(samples: FloatMatrix) -> FloatVector:
    """Standard errors of the mean of few rows, widened as Student's t is (Cornish and Fisher 1938, first term
    at 95 %)."""
    freedom = len(samples) - 1
    if freedom < 1:
        return np.full(samples.shape[1], np.inf)
    widened = 1.0 + (1.96**2 + 1.0) / (4.0 * freedom)
    errors: FloatVector = widened * samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
    return errors


def _finish(
    values: FloatVector,
    errors: FloatVector,
    total: float,
    evaluations: int,
    method: str,
    reason: str,
    seed: int,
) -> Estimate:
    """Spread equally what is missing to v(all) - v(empty), as least squares under efficiency does."""
    values = values + (total - values.sum()) / len(values)
    return Estimate(values, errors, evaluations, method, reason, seed)


class PairDesign:
    """The endless sequence of coalitions, each followed by its complement, that a seed fixes.

    Sizes go through 1..n-1 evenly (golden-ratio sequence), members are uniform given the size.
    """

    def __init__(self, players: int, seed: int) -> None:
        self.players, self.seed = players, seed
        self._rows = np.empty((0, players), dtype=np.bool_)

    def first(self, pairs: int) -> CoalitionMatrix:
        """The first coalitions of `pairs` pairs."""
        while len(self._rows) < pairs:
            self._rows = np.vstack([self._rows, self._block(len(self._rows) // 256)])
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
        at = (0.5 + GOLDEN * np.arange(number * 256, (number + 1) * 256)) % 1.0
        sizes = 1 + (at * (self.players - 1)).astype(np.int64)
        ranks = random.random((256, self.players)).argsort(axis=1).argsort(axis=1)
        rows: CoalitionMatrix = ranks < sizes[:, None]
        return rows


class WalkDesign:
    """Blocks of orders that a seed fixes: an order, its reverse, and the same rotated by half."""

    def __init__(self, players: int, seed: int, rotations: int) -> None:
        self.players, self.seed, self.rotations = players, seed, rotations

    def orders(self, block: int) -> list[FloatVector]:
        """Orders of one block."""
        random = np.random.Generator(np.random.PCG64([self.seed, 2, block]))
        base = random.permutation(self.players)
        turned = [np.roll(base, turn * self.players // self.rotations) for turn in range(self.rotations)]
        return [order for turn in turned for order in (turn, turn[::-1])]

    def rows(self, block: int) -> CoalitionMatrix:
        """(2 rotations (n-1), n): the proper prefixes of the block's orders."""
        before = np.tri(self.players - 1, self.players, dtype=np.bool_)
        rows = []
        for order in self.orders(block):
            prefixes = np.empty_like(before)
            prefixes[:, order] = before
            rows.append(prefixes)
        return np.vstack(rows)

    def gains(self, block: int, inner: FloatVector, empty: float, whole: float) -> FloatVector:
        """Mean marginal of each player over the block's orders."""
        total = np.zeros(self.players)
        for order, values in zip(self.orders(block), inner.reshape(2 * self.rotations, -1), strict=True):
            total[order] += np.diff(np.concatenate([[empty], values, [whole]]))
        mean: FloatVector = total / (2 * self.rotations)
        return mean


class _Asker:
    """Asks the game in batches, takes from the state what is there already, and keeps what is fresh."""

    def __init__(self, game: Game, state: EstimateState, batch: int) -> None:
        self.game, self.state, self.batch, self.players = game, state, batch, game.players
        self.evaluations = 0
        self.empty = self.whole = 0.0

    def ask(self, count: int, rows: Callable[[int, int], CoalitionMatrix], first: int = 0) -> FloatVector:
        """Values of rows(first, first + count)."""
        parts: list[FloatVector] = []
        start = first
        while start < first + count:
            stop = min(start + self.batch, first + count)
            parts.append(self._batch(rows, start, stop))
            start = stop
        values = np.concatenate(parts) if parts else np.empty(0)
        if self.evaluations == count == 2:
            self.empty, self.whole = float(values[0]), float(values[1])
        return values

    def _batch(self, rows: Callable[[int, int], CoalitionMatrix], start: int, stop: int) -> FloatVector:
        values = self.state.take(self.evaluations, stop - start)
        if len(values) < stop - start:
            asked = rows(start + len(values), stop)
            fresh = np.asarray(self.game.values(asked), dtype=np.float64)
            if fresh.shape != (len(asked),) or not np.isfinite(fresh).all():
                bad = asked[int(np.argmin(np.isfinite(fresh)))] if fresh.shape == (len(asked),) else asked[0]
                present = np.flatnonzero(bad).tolist()
                raise InputError(f"coalition of players {present}: expected one finite value per coalition")
            self.state.append(fresh)
            values = np.concatenate([values, fresh])
        self.evaluations += stop - start
        return values
