"""Shapley values when 2^n coalitions are too many: a portfolio behind one `estimate`.

Coalitions are drawn in pairs with their complements, in an order that depends on the seed alone; the first
quarter of the budget decides how the rest is used, and the result says what was chosen and why. Every method is
unbiased, so that its standard error is all of its error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ame.attribution import exact
from ame.attribution.coalitions import CoalitionMatrix, FloatMatrix, FloatVector, Game, mask_array, to_matrix
from ame.attribution.designs import PairDesign, WalkDesign
from ame.attribution.game import one_thread
from ame.attribution.odd_process import fit_odd, student_factor
from ame.attribution.state import EstimateState
from ame.errors import InputError

PILOT = 0.25  # of the budget; enough to tell a smooth game from a jumping one
EXPLAINED_ENOUGH = 0.3  # below, walks along orders may vary less, and are tried
FEWEST_WALKS = 4  # that tell how much walks vary
TURNED_TOGETHER = 16  # walks from which on a walk and its turned twin count as one when errors are estimated
EXACT_PLAYERS = 24


@dataclass(frozen=True)
class Estimate:
    """values: Shapley values that sum to v(all) - v(empty); standard_errors: of 95 % intervals, value +- 1.96 of
    them (Student's factor is in them); reason: why this method."""

    values: FloatVector
    standard_errors: FloatVector
    evaluations: int
    method: str
    reason: str
    seed: int


class _Part(NamedTuple):
    """An unbiased estimate from one design."""

    values: FloatVector
    errors: FloatVector

    @property
    def variance(self) -> float:
        """Mean over the players."""
        return float(np.mean(self.errors**2))


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
    at each doubling. state: a file that keeps every batch, so that a killed run goes on where it was, also with a
    larger budget; the result is that of a run which was never interrupted. Raises InputError for a budget below
    2n + 2 or a value that is not finite, FileError for a state of another seed or number of players.
    """
    players = game.players
    if budget < 2 * players + 2:
        raise InputError(f"budget: expected at least 2n + 2 = {2 * players + 2} evaluations, got {budget}")
    if batch < 1:
        raise InputError(f"batch: expected at least one evaluation, got {batch}")
    asker = _Asker(game, EstimateState.open(state, players, seed), batch)
    if players <= EXACT_PLAYERS and 1 << players <= budget:
        return _exact(asker, seed)
    with one_thread():  # sums of several threads differ in their last bits, and with them what is learned
        return _Sampler(asker, budget, seed).run(target_error)


def _exact(asker: _Asker, seed: int) -> Estimate:
    players = asker.players
    table = asker.ask(
        "table",
        1 << players,
        lambda start, stop: to_matrix(mask_array(range(start, stop), players), players),
    )
    reason = f"all 2^{players} coalitions are within the budget"
    return Estimate(exact.shapley(table), np.zeros(players), len(table), "exact", reason, seed)


class _Sampler:
    """Pairs and walks of one run; each grows along its own sequence."""

    def __init__(self, asker: _Asker, budget: int, seed: int) -> None:
        players = asker.players
        ends = asker.ask(
            "ends", 2, lambda start, stop: np.array([[False], [True]]).repeat(players, 1)[start:stop]
        )
        self.asker, self.budget, self.seed = asker, budget, seed
        self.empty, self.whole = float(ends[0]), float(ends[1])
        self.pairs, self.walks = PairDesign(players, seed), WalkDesign(players, seed)
        self.asked_pairs, self.asked_walks = np.empty(0), np.empty(0)

    def run(self, target_error: float | None) -> Estimate:
        """Pilot, choice, and the rest of the budget."""
        players = self.asker.players
        pilot = max(players, int((self.budget - 2) / 2 * PILOT))
        part, explained, kernel = self.more_pairs(pilot, trial=target_error is None)
        trial = max(FEWEST_WALKS, len(self.asked_pairs) // self.walks.length)
        if explained < EXPLAINED_ENOUGH and self.left >= trial * self.walks.length:
            return self._rough(part, self.more_walks(trial), explained, target_error)
        while not (enough := _enough(part, target_error)) and self.left >= 2:
            part, explained, kernel = self.more_pairs(self._step(2, len(self.asked_pairs), target_error))
        reason = f"left-out pairs confirm {explained:.1%} of the odd part (kernel: {kernel})"
        return self._finish([part], "odd-gaussian-process", reason, enough)

    def _rough(self, pairs: _Part, walks: _Part, explained: float, target_error: float | None) -> Estimate:
        """Go on with what varies less per evaluation; what was asked of the other counts by its precision."""
        paired, walked = len(self.asked_pairs) * pairs.variance, len(self.asked_walks) * walks.variance
        walking = walked < paired
        least = self.walks.length if walking else 2
        while not (enough := _enough(_combined([pairs, walks]), target_error)) and self.left >= least:
            if walking:
                walks = self.more_walks(self._step(least, len(self.asked_walks), target_error))
            else:
                pairs, _, _ = self.more_pairs(self._step(least, len(self.asked_pairs), target_error))
        method = "antithetic-permutations" if walking else "weighted-pairs"
        reason = (
            f"left-out pairs confirm only {explained:.1%} of the odd part; per evaluation, walks along orders vary "
            f"{(walked / paired) ** 0.5 if paired else 1.0:.2f} times as much as pairs"
        )
        return self._finish([pairs, walks], method, reason, enough)

    @property
    def left(self) -> int:
        """Evaluations."""
        return self.budget - self.asker.evaluations

    def _step(self, unit: int, asked: int, target_error: float | None) -> int:
        """How many units more: all, or as many as there are while a target is looked for."""
        most = self.left // unit
        return most if target_error is None else max(1, min(most, asked // unit))

    def more_pairs(self, count: int, *, trial: bool = False) -> tuple[_Part, float, str]:
        """The estimate from all pairs, the part of the odd variance that the process explains, its kernel. From a
        `trial`, which a fit of more pairs follows, nothing is learned further."""
        fresh = self.asker.ask("pairs", 2 * count, self.pairs.rows, len(self.asked_pairs))
        values = self.asked_pairs = np.concatenate([self.asked_pairs, fresh])
        learning = not trial or self.left < 2
        fit = fit_odd(self.pairs.signs(len(values) // 2), values[0::2], values[1::2], learning=learning)
        return _Part(fit.values, fit.standard_errors), fit.explained, fit.kernel

    def more_walks(self, count: int) -> _Part:
        """The estimate from all walks."""
        length = self.walks.length
        fresh = self.asker.ask("walks", count * length, self.walks.rows, len(self.asked_walks))
        self.asked_walks = np.concatenate([self.asked_walks, fresh])
        gains = self.walks.gains(self.asked_walks, self.empty, self.whole)
        return _Part(gains.mean(axis=0), _walk_errors(gains))

    def _finish(self, parts: list[_Part], method: str, reason: str, enough: bool) -> Estimate:
        """Spread equally what is missing to v(all) - v(empty), as least squares under efficiency does."""
        part = _combined(parts)
        values = part.values + (self.whole - self.empty - part.values.sum()) / len(part.values)
        reason += "; stopped at the target error" if enough else ""
        return Estimate(values, part.errors, self.asker.evaluations, method, reason, self.seed)


def _enough(part: _Part, target_error: float | None) -> bool:
    return target_error is not None and float(part.errors.max()) <= target_error


def _combined(parts: list[_Part]) -> _Part:
    """Weighted by precision, the same for all players."""
    exact_ones = [part for part in parts if part.variance == 0.0]
    if len(parts) == 1 or exact_ones:
        return (exact_ones or parts)[0]
    weights = np.array([1.0 / part.variance for part in parts])
    weights /= weights.sum()
    values = sum(weight * part.values for weight, part in zip(weights, parts, strict=True))
    squares = sum((weight * part.errors) ** 2 for weight, part in zip(weights, parts, strict=True))
    return _Part(np.asarray(values), np.sqrt(squares))


def _walk_errors(gains: FloatMatrix) -> FloatVector:
    """Standard errors of the mean of walks; twins are averaged first where enough remain."""
    if len(gains) >= TURNED_TOGETHER:
        gains = gains[: len(gains) // 2 * 2].reshape(-1, 2, gains.shape[1]).mean(axis=1)
    errors: FloatVector = gains.std(axis=0, ddof=1) / np.sqrt(len(gains)) * student_factor(len(gains) - 1)
    return errors


class _Asker:
    """Asks the game in batches, takes from the state what is there already, and keeps what is fresh."""

    def __init__(self, game: Game, state: EstimateState, batch: int) -> None:
        self.game, self.state, self.batch, self.players = game, state, batch, game.players
        self.evaluations = 0

    def ask(
        self, stream: str, count: int, rows: Callable[[int, int], CoalitionMatrix], first: int = 0
    ) -> FloatVector:
        """Values of rows(first, first + count), the stream's places first..first + count."""
        known = self.state.take(stream, first, count)
        parts = [known]
        for start in range(first + len(known), first + count, self.batch):
            asked = rows(start, min(start + self.batch, first + count))
            fresh = np.asarray(self.game.values(asked), dtype=np.float64)
            if fresh.shape != (len(asked),) or not np.isfinite(fresh).all():
                bad = asked[int(np.argmin(np.isfinite(fresh)))] if fresh.shape == (len(asked),) else asked[0]
                present = np.flatnonzero(bad).tolist()
                raise InputError(f"coalition of players {present}: expected one finite value per coalition")
            self.state.append(stream, fresh)
            parts.append(fresh)
        self.evaluations += count
        return np.concatenate(parts)
