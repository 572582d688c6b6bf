"""The arithmetic of a settlement a second time, the slow and obvious way.

Shares no code with ame.arithmetic, ame.encoding and ame.execution: a mistake there must show as a difference here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import permutations
from math import factorial

from _pysha3 import keccak_256

Node = tuple[bytes, int]
EMPTY: Node = (bytes(32), 0)
INITIAL_ROOT = keccak_256(bytes(96)).digest()  # depth 1, two empty leaves


def shapley(table: Sequence[int]) -> list[Fraction]:
    """The average over all orders of what each player adds (Shapley 1953, the story itself)."""
    players = len(table).bit_length() - 1
    sums = [0] * players
    for order in permutations(range(players)):
        present = 0
        for player in order:
            sums[player] += table[present | 1 << player] - table[present]
            present |= 1 << player
    return [Fraction(total, factorial(players)) for total in sums]


def amounts(table: Sequence[int]) -> list[int]:
    """Revenue split over the positive Shapley values, remainders carried from left to right."""
    positive = [max(value, Fraction(0)) for value in shapley(table)]
    common = 1
    for value in positive:
        common *= value.denominator
    return split(table[-1], [int(value * common) for value in positive])


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Each part is what is due so far, rounded down, less what was given so far."""
    total, reached, given, parts = sum(weights), 0, 0, []
    for weight in weights:
        reached += weight
        due = amount * reached // total if total else 0
        parts.append(due - given)
        given = due
    return parts


def owen(values: Mapping[int, int], sizes: Sequence[int], stage: int) -> list[Fraction]:
    """Owen values (1977) of one stage's players: the other stages are there or not as wholes.

    values: coalition over all players -> ppm; sizes: players per stage. KeyError names a coalition that is missing.
    """
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    whole = [((1 << size) - 1) << start for size, start in zip(sizes, starts, strict=True)]
    others = [mask for index, mask in enumerate(whole) if index != stage]
    own, outer = sizes[stage], len(others)
    averaged = [0] * (1 << own)
    for chosen in range(1 << outer):
        present = sum(mask for index, mask in enumerate(others) if chosen >> index & 1)
        weight = factorial(chosen.bit_count()) * factorial(outer - chosen.bit_count())
        for inside in range(1 << own):
            averaged[inside] += weight * values[present | inside << starts[stage]]
    result = []
    for player in range(own):
        total = 0
        for inside in range(1 << own):
            if not inside >> player & 1:
                size = inside.bit_count()
                gain = averaged[inside | 1 << player] - averaged[inside]
                total += factorial(size) * factorial(own - size - 1) * gain
        result.append(Fraction(total, factorial(own) * factorial(outer + 1)))
    return result


def leaf(contributor_id: bytes, cumulative: int) -> Node:
    """A ledger's leaf: 32 bytes of id, 16 of amount."""
    return keccak_256(contributor_id + cumulative.to_bytes(16, "big")).digest(), cumulative


def top(leaves: Iterable[Node], depth: int) -> Node:
    """Hash and sum of the root of at most 2^depth leaves; what is not there is (0, 0) at the bottom.

    Leaf after leaf: on each level at most one node waits for its right neighbour, so a million need no room.
    """
    waiting: list[Node | None] = [None] * (depth + 1)
    for leaf_ in leaves:
        node, level = leaf_, 0
        while (left := waiting[level]) is not None:
            node = _parent(left, node)
            waiting[level] = None
            level += 1
        waiting[level] = node
    last, empty = None, EMPTY  # last: the rightmost node of a level that is there, but waits for nobody
    for level in range(depth):
        left = waiting[level]
        if left is not None:
            last = _parent(left, empty if last is None else last)
        elif last is not None:
            last = _parent(last, empty)
        empty = _parent(empty, empty)
    return waiting[depth] or last or empty


def _parent(left: Node, right: Node) -> Node:
    packed = left[0] + left[1].to_bytes(16, "big") + right[0] + right[1].to_bytes(16, "big")
    return keccak_256(packed).digest(), left[1] + right[1]


def commitment(root: bytes, total: int, depth: int) -> bytes:
    """The word that the pool keeps."""
    word: bytes = keccak_256(root + total.to_bytes(16, "big") + bytes([depth])).digest()
    return word
