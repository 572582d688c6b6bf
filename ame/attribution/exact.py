"""Exact values from a table of all 2^n coalitions: one pass, whatever the number of players.

Shapley (1953) as two sums. With a_s = (s-1)! (n-s)! and b_s = s! (n-s-1)! (a_0 = b_n = 0),

    phi_i n! = sum over S with i of (a_s + b_s) v(S)  -  sum over all S of b_s v(S),   s = |S|.

A coalition is a row (its high bits) and a column (its low bits) of the table. One pass takes, per row, one
weighted sum, and per size of row, the sum of the rows; both are then halved player by player (fold the upper
half onto the lower), so that the table itself is read twice and not once per player.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import factorial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ame.attribution.coalitions import FloatMatrix, FloatTable, FloatVector, popcounts
from ame.errors import InputError

# A row of 2^13 floats stays in the processor's cache, and is below the size at which BLAS starts threads.
ROW_BITS = 13
LIMB_BITS = 31
MATRIX_PLAYERS = 12  # a matrix of at most 400 kB

WeightsOf: TypeAlias = "Callable[[int], tuple[FloatVector, FloatVector]]"  # players -> joins, stays by size


def shapley(table: FloatTable) -> FloatVector:
    """Shapley values, float64; `table` (2^n,) by coalition index."""
    return _semivalue(table, _shapley_weights)


def banzhaf(table: FloatTable) -> FloatVector:
    """Banzhaf values (1965): the mean of v(S+i) - v(S) over all S without i; they need not sum to v(all)."""
    return _semivalue(table, _banzhaf_weights)


def leave_one_out(table: FloatTable) -> FloatVector:
    """v(all) - v(all without i)."""
    players = _players(table)
    values = np.asarray(table, dtype=np.float64)
    without = (len(values) - 1) ^ (1 << np.arange(players))
    difference: FloatVector = values[-1] - values[without]
    return difference


def shapley_numerators(table: Sequence[int] | NDArray[np.int64]) -> list[int]:
    """Shapley values times n!, exact: integers in, integers out, no float anywhere.

    The table's integers are cut into limbs of 31 bits, whose sums over 2^n coalitions fit int64; sums per
    player and size are put together again as Python integers. Equals `ame.arithmetic.shapley_numerators`,
    and is fast for many players.
    """
    players = _players(table)
    values = _integers(table)
    low = players // 2
    containing, by_size = _size_sums(values, players, low)
    joins, stays = _integer_weights(players)
    constant = sum(weight * total for weight, total in zip(stays, by_size, strict=True))
    return [
        sum(weight * total for weight, total in zip(joins, sums, strict=True)) - constant
        for sums in containing
    ]


def _integer_weights(players: int) -> tuple[list[int], list[int]]:
    """(a_s + b_s) and b_s for s = 0..n."""
    stays = [factorial(size) * factorial(players - size - 1) for size in range(players)] + [0]
    joins = [
        (factorial(size - 1) * factorial(players - size) if size else 0) + stays[size]
        for size in range(players + 1)
    ]
    return joins, stays


@lru_cache
def _shapley_weights(players: int) -> tuple[FloatVector, FloatVector]:
    whole = factorial(players)
    joins, stays = (np.array([part / whole for part in parts]) for parts in _integer_weights(players))
    return joins, stays


@lru_cache
def _banzhaf_weights(players: int) -> tuple[FloatVector, FloatVector]:
    share = 1.0 / (1 << (players - 1))
    return np.full(players + 1, 2 * share), np.full(players + 1, share)


def _semivalue(table: FloatTable, weights_of: WeightsOf) -> FloatVector:
    """sum over S with i of joins[s] v(S) - sum over S of stays[s] v(S), for all i."""
    players = _players(table)
    if players <= MATRIX_PLAYERS:
        values: FloatVector = _matrix(weights_of, players) @ np.asarray(table, dtype=np.float64)
        return values
    joins, stays = weights_of(players)
    low = min(players, ROW_BITS)
    rows = np.ascontiguousarray(table, dtype=np.float64).reshape(-1, 1 << low)
    row_size, column_size = popcounts(players - low), popcounts(low)
    columns = np.zeros(1 << low)
    row_sums = np.empty(len(rows))
    constant = 0.0
    for size in range(players - low + 1):
        weights = joins[size : size + low + 1][column_size]
        total = np.zeros(1 << low)
        for row in np.flatnonzero(row_size == size).tolist():
            row_sums[row] = rows[row] @ weights
            total += rows[row]
        columns += total * weights
        constant += float(total @ stays[size : size + low + 1][column_size])
    return np.concatenate([_halve(columns), _halve(row_sums)]) - constant


def shapley_matrix(players: int) -> FloatMatrix:
    """(n, 2^n): matrix @ table = Shapley values; for many tables of few players."""
    return _matrix(_shapley_weights, players)


@lru_cache(maxsize=32)
def _matrix(weights_of: WeightsOf, players: int) -> FloatMatrix:
    """(n, 2^n): where players are few, one product costs less than the calls of the halving pass."""
    joins, stays = weights_of(players)
    size = popcounts(players)
    having = np.arange(1 << players) >> np.arange(players)[:, None] & 1
    matrix: FloatMatrix = having * joins[size] - stays[size]
    return matrix


def _halve(sums: FloatVector) -> FloatVector:
    """For each bit the sum of the entries that have it, by folding the upper half onto the lower."""
    bits = sums.size.bit_length() - 1
    result = np.empty(bits)
    for bit in reversed(range(bits)):
        lower, upper = sums[: 1 << bit], sums[1 << bit :]
        result[bit] = upper.sum()
        sums = lower + upper
    return result


def _size_sums(values: NDArray[Any], players: int, low: int) -> tuple[list[list[int]], list[int]]:
    """Per player and size the sum over the coalitions with that player; per size the sum over all."""
    containing = [[0] * (players + 1) for _ in range(players)]
    by_size = [0] * (players + 1)
    for limb, scale in _limbs(values):
        rows = limb.reshape(-1, 1 << low)
        high = players - low
        over_rows = _sums_by_size(rows.T, high)  # (2^low, high+1)
        over_columns = _sums_by_size(rows, low)  # (2^high, low+1)
        for player in range(low):
            _add_sizes(containing[player], over_rows, _having(low, player), low, scale)
        for player in range(high):
            _add_sizes(containing[low + player], over_columns, _having(high, player), high, scale)
        _add_sizes(by_size, over_rows, np.ones(1 << low, dtype=bool), low, scale)
    return containing, by_size


def _sums_by_size(matrix: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """(m, 2^bits) -> (m, bits+1): the columns summed by how many bits they have."""
    size = popcounts(bits)
    return np.stack([matrix[:, size == count].sum(axis=1) for count in range(bits + 1)], axis=1)


def _having(bits: int, player: int) -> NDArray[np.bool_]:
    return (np.arange(1 << bits) >> player & 1).astype(bool)


def _add_sizes(
    target: list[int], sums: NDArray[np.int64], chosen: NDArray[np.bool_], bits: int, scale: int
) -> None:
    """Add rows of `sums` to `target` at (own size + size of the column)."""
    size = popcounts(bits)
    for own in range(bits + 1):
        for other, total in enumerate(sums[chosen & (size == own)].sum(axis=0).tolist()):
            target[own + other] += total * scale


def _limbs(values: NDArray[Any]) -> list[tuple[NDArray[np.int64], int]]:
    """The integers as int64 arrays times powers of two, each small enough to be summed exactly."""
    bits = max(int(values.max()).bit_length(), int(values.min()).bit_length())
    if bits + values.size.bit_length() < 63:
        return [(values.astype(np.int64), 1)]
    parts: list[tuple[NDArray[np.int64], int]] = []
    mask = (1 << LIMB_BITS) - 1
    shift = 0
    while bits - shift > LIMB_BITS:
        parts.append(((values >> shift & mask).astype(np.int64), 1 << shift))
        shift += LIMB_BITS
    parts.append(((values >> shift).astype(np.int64), 1 << shift))  # keeps the sign
    return parts


def _integers(table: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
    if isinstance(table, np.ndarray):
        if table.dtype.kind not in "iu":
            raise InputError(f"expected a table of integers, got {table.dtype}")
        return table.astype(object) if table.dtype == np.uint64 else table
    if any(type(value) is not int for value in table):
        raise InputError("expected a table of integers")
    small = all(-(2**63) <= value < 2**63 for value in table)
    return np.array(table, dtype=np.int64 if small else object)


def _players(table: Sequence[int] | NDArray[Any]) -> int:
    players = len(table).bit_length() - 1
    if players < 1 or len(table) != 1 << players:
        raise InputError(f"expected a table of 2^n values with n >= 1, got {len(table)}")
    return players
