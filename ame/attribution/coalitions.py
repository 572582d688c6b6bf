"""Coalitions as bit masks and as matrices: player i is bit i, so a coalition's index is `sum(1 << i)`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

CoalitionMatrix: TypeAlias = NDArray[np.bool_]  # (n_coalitions, n_players)
FloatVector: TypeAlias = NDArray[np.float64]  # (n,)
FloatTable: TypeAlias = NDArray[np.float64]  # (2**n_players,), by coalition index
FloatMatrix: TypeAlias = NDArray[np.float64]
MaskArray: TypeAlias = NDArray[Any]  # uint64 up to 64 players, Python ints beyond


class Game(Protocol):
    """A cooperative game that is asked in batches."""

    @property
    def players(self) -> int:
        """How many players."""

    def values(self, coalitions: CoalitionMatrix) -> FloatVector:
        """The value of each row, in the rows' order."""


class TableGame:
    """A game whose 2^n values are known; `asked` counts the evaluations."""

    def __init__(self, table: FloatTable) -> None:
        self.table = np.asarray(table, dtype=np.float64)
        self.players = self.table.size.bit_length() - 1
        self.asked = 0

    def values(self, coalitions: CoalitionMatrix) -> FloatVector:
        """Look the rows up."""
        self.asked += len(coalitions)
        return self.table[to_masks(coalitions).astype(np.int64)]


def mask_array(masks: Iterable[int], players: int) -> MaskArray:
    """Masks in the narrowest array that holds `players` bits."""
    return np.array(list(masks), dtype=np.uint64 if players <= 64 else object)


def to_masks(coalitions: CoalitionMatrix) -> MaskArray:
    """Rows to bit masks."""
    players = coalitions.shape[1]
    packed = np.packbits(coalitions, axis=1, bitorder="little")
    if players > 64:
        return np.array([int.from_bytes(row.tobytes(), "little") for row in packed], dtype=object)
    words = np.zeros((len(packed), 8), dtype=np.uint8)
    words[:, : packed.shape[1]] = packed
    masks: MaskArray = words.view("<u8").reshape(-1).astype(np.uint64, copy=False)
    return masks


def to_matrix(masks: MaskArray | Sequence[int], players: int) -> CoalitionMatrix:
    """Bit masks to rows."""
    if players <= 64:
        octets = np.asarray(masks, dtype="<u8").reshape(-1, 1).view(np.uint8)
    else:
        width = (players + 7) // 8
        joined = b"".join(int(mask).to_bytes(width, "little") for mask in masks)
        octets = np.frombuffer(joined, dtype=np.uint8).reshape(-1, width)
    bits = np.unpackbits(octets, axis=1, bitorder="little", count=players)
    return bits.view(np.bool_)


def popcounts(bits: int) -> NDArray[np.uint8]:
    """How many bits are set in 0, 1, .., 2^bits - 1."""
    counts = np.zeros(1, dtype=np.uint8)
    for _ in range(bits):
        counts = np.concatenate([counts, counts + np.uint8(1)])
    return counts
