"""Which leaves to demand of what is hidden: so that a hidden subtree is found, at a bounded number of demands. Pure.

Demands come in rounds, as many as fit before demands end when every answer comes at the last moment. A round takes of
each hidden subtree 2^j leaves, one from each of its 2^j equal parts: in bit-reversed order, shifted by a secret so that
nobody knows beforehand which leaves are asked. Answers open these leaves and show the subtrees beside their paths, so that
what is still hidden in a part is at most half of it: j + 1 levels less. j is the smallest number with which the rounds that
are left reach single leaves: 128 demands in 4 rounds search a tree of depth 20. Where a subtree's sums alone say that a
leaf in it is wrong, only that one is followed: each answer leaves a smaller subtree of which that is so, and its last leaf
nobody can show.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from itertools import chain, islice, zip_longest
from typing import NamedTuple

from ame.audit.known import KnownStage, Subtree


class Target(NamedTuple):
    """A leaf to demand, and the hidden subtree that it is in. `sure`: that subtree is wrong, by its sums."""

    stage: int
    index: int  # type: ignore[assignment]  # shadows tuple.index(), which nobody needs here
    subtree: Subtree
    sure: bool


def rounds_left(began: int, until: int, answer_seconds: int) -> int:
    """Rounds of demands that fit from `began` on, with an eighth of the time to answer for looking and sending."""
    return 1 + max(0, until - began - 1) // (answer_seconds + max(1, answer_seconds // 8))


def leaves_per_round(height: int, rounds: int) -> int:
    """2^j with the smallest j such that (rounds - 1) (j + 1) + j >= height."""
    return 1 << max(0, -(-(height - rounds + 1) // rounds))


def spread(subtree: Subtree, mask: int) -> Iterator[int]:
    """All leaves of a subtree; the first 2^j are one in each of its 2^j parts of equal size."""
    height, size = subtree.height, 1 << subtree.height
    for number in range(size):
        reverse = int(f"{number:0{height}b}"[::-1], 2) if height else 0
        yield subtree.first + (reverse ^ mask & size - 1)


def choose(stages: Sequence[KnownStage], rounds: int, secret: bytes) -> list[Target]:
    """The leaves of one round, from the hidden subtrees in turn; also those that were asked already."""
    hidden = [(stage, subtree) for stage, known in enumerate(stages) for subtree in known.hidden]
    sure = [(stage, subtree) for stage, subtree in hidden if stages[stage].is_surely_wrong(subtree)]
    if sure:
        hidden = [min(sure, key=lambda one: one[1].height)]
    turns = [
        [
            Target(stage, index, subtree, bool(sure))
            for index in islice(
                spread(subtree, _mask(secret, stage)), leaves_per_round(subtree.height, rounds)
            )
        ]
        for stage, subtree in hidden
    ]
    return [target for target in chain.from_iterable(zip_longest(*turns)) if target is not None]


def affordable(
    targets: Sequence[Target], asked: Collection[tuple[int, int]], allowance: int, reward: int
) -> list[Target]:
    """Those not yet asked, within the allowance; a sure lie is worth demands up to what the proof of it earns."""
    new = [target for target in targets if (target.stage, target.index) not in asked]
    limit = max(allowance, reward) if new and new[0].sure else allowance
    return new[: max(0, limit)]


def _mask(secret: bytes, stage: int) -> int:
    return int.from_bytes(sha256(secret + bytes([stage])).digest()[:4])
