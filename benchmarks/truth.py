"""Shapley values of the benchmark's games in closed form or by quadrature to about 12 digits, never by sampling."""

from __future__ import annotations

import numpy as np

from ame.attribution import shapley
from benchmarks.games import worth_of_sum

NODES = 256


def true_values(kind, numbers):
    """Shapley values of a game of `games.draw`, or of a table."""
    if kind == "table":
        return shapley(numbers["table"])
    if kind == "unanimity":
        return numbers["terms"] @ (numbers["worth"] / numbers["terms"].sum(axis=0))
    if kind == "airport":
        costs = numbers["costs"]
        order = np.argsort(costs)
        result = np.empty(len(costs))
        result[order] = np.cumsum(np.diff(costs[order], prepend=0.0) / np.arange(len(costs), 0, -1))
        return result
    return _of_sums(kind, numbers["weights"], numbers["stage"])


def _of_sums(kind, weights, stage):
    """phi_i = integral over p of E[v(X + i) - v(X)], where everybody else is in X with probability p (Owen 1972).

    Given p the stages are independent, and a stage's weight has a known characteristic function.
    """
    nodes, measure = np.polynomial.legendre.leggauss(NODES)
    chance, measure = (nodes + 1) / 2, measure / 2
    whole, gains = [], np.empty((len(weights), NODES))
    for number in range(int(stage.max()) + 1):
        members = np.flatnonzero(stage == number)
        expected, gain = _stage(kind, weights[members], chance)
        whole.append(expected)
        gains[members] = gain
    for number in range(len(whole)):
        others = np.prod(
            [one for other, one in enumerate(whole) if other != number] or [np.ones(NODES)], axis=0
        )
        gains[stage == number] *= others
    return gains @ measure


def _stage(kind, weights, chance):
    """(E[g(X)] per node, E[g(X + i) - g(X)] per member and node)."""
    total = int(weights.sum())
    length = 1 << total.bit_length()
    worth = worth_of_sum(kind, np.arange(length + total), total)
    turn = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    distinct, counts = np.unique(weights, return_counts=True)
    product = np.ones((len(chance), len(turn)), dtype=complex)
    factors = {}
    for weight, count in zip(distinct.tolist(), counts.tolist(), strict=True):
        factors[weight] = 1 + chance[:, None] * (turn**weight - 1)
        product *= _power(factors[weight], count)
    gains = np.empty((len(weights), len(chance)))
    for weight, factor in factors.items():
        others = np.fft.irfft(product / factor, length)
        gains[weights == weight] = others @ (worth[weight : weight + length] - worth[:length])
    return np.fft.irfft(product, length) @ worth[:length], gains


def _power(base, exponent):
    result = np.ones_like(base)
    while exponent:
        if exponent & 1:
            result = result * base
        base, exponent = base * base, exponent >> 1
    return result
