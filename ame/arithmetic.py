"""Exact integer arithmetic of money: the twin of contracts/libraries/Shapley.sol and Telescoping.sol."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import factorial

from ame.errors import InputError, SignalError


def telescoping_split(amount: int, weights: Sequence[int]) -> list[int]:
    """Split `amount` over non-negative integer `weights`; the parts sum exactly to it.

    part_i = floor(A * C_(i+1) / C) - floor(A * C_i / C) with prefix sums C_i (the error-carrying
    rounding of Bresenham 1965). Each part is within one unit of exact. Raises InputError where the weights sum to
    zero but the amount does not.
    """
    if amount < 0 or any(weight < 0 for weight in weights):
        raise InputError("expected an amount and weights of at least 0")
    total = sum(weights)
    if total == 0:
        if amount:
            raise InputError(
                f"expected a positive weight to split {amount} over, got {len(weights)} zero weights"
            )
        return [0] * len(weights)
    ends = [amount * prefix // total for prefix in accumulate(weights, initial=0)]
    return [end - start for start, end in pairwise(ends)]


def shapley_numerators(table: Sequence[int]) -> list[int]:
    """Shapley values times n! of the integer game `table`, where table[sum(1 << i)] is a coalition's value.

    Shapley (1953), eq. 13: phi_i * n! = sum over T without i of |T|! (n-|T|-1)! (v(T+i) - v(T)).
    """
    players = len(table).bit_length() - 1
    if players < 1 or len(table) != 1 << players:
        raise InputError(f"expected a table of 2^n values with n >= 1, got {len(table)}")
    weight = [factorial(size) * factorial(players - size - 1) for size in range(players)]
    return [
        sum(
            weight[coalition.bit_count()] * (table[coalition | 1 << player] - table[coalition])
            for coalition in range(len(table))
            if not coalition >> player & 1
        )
        for player in range(players)
    ]


def stage_amounts(table: Sequence[int]) -> list[int]:
    """Revenue (the last entry) split over the positive Shapley values of the stages; negative ones get zero.

    Raises SignalError if nothing is positive, InputError if table[0] is not 0 or the revenue not positive.
    """
    if not table or table[0] != 0 or table[-1] <= 0:
        raise InputError("expected a value table that starts with 0 and ends with a positive revenue")
    positive = [max(value, 0) for value in shapley_numerators(table)]
    if not any(positive):
        raise SignalError("no stage has a positive Shapley value: there is nothing to split the revenue by")
    return telescoping_split(table[-1], positive)
