"""How near do rules of division come to what people thought fair? 27 three-player games of d'Eon and Larson
(2020)."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from ame.attribution import exact
from ame.attribution.coalitions import FloatMatrix, FloatTable, FloatVector

ALPHAS = np.linspace(0.0, 1.0, 101)
GRAND_TOTAL = 60.0


class HumanGame(NamedTuple):
    """table (8,) by coalition index; human (3,) mean division of 60 units, scaled to 60."""

    name: str
    table: FloatTable
    human: FloatVector


class Score(NamedTuple):
    """total_variation: mean over games of half the absolute difference, in parts of the whole;
    mean_absolute_error in units of
    60; correlation: of the deviations from the equal split (nan where a rule never deviates)."""

    rule: str
    total_variation: float
    mean_absolute_error: float
    correlation: float
    note: str = ""


def human_games() -> tuple[HumanGame, ...]:
    """The games and what people thought fair, as shipped with their source."""
    text = (files("ame.attribution") / "data" / "human_reward_divisions.json").read_text(encoding="utf-8")
    games = []
    for game in json.loads(text)["games"]:
        one, two, three, first, middle, last = game["coalition_values"]
        table = np.array([0, one, two, first, three, middle, last, GRAND_TOTAL], dtype=np.float64)
        human = np.array(game["human_mean"], dtype=np.float64)
        games.append(HumanGame(game["name"], table, human * GRAND_TOTAL / human.sum()))
    return tuple(games)


def evaluate() -> tuple[Score, ...]:
    """Every rule against the human means; egalitarian Shapley's alpha is chosen on the other 26 games each
    time."""
    games = human_games()
    human = np.stack([game.human for game in games])
    scores = [
        _score(name, np.stack([_divide(rule(game.table)) for game in games]), human)
        for name, rule in RULES.items()
    ]
    mixed, alphas = _left_out(games, human)
    note = f"alpha {alphas.min():.2f} to {alphas.max():.2f}, chosen without the game that is judged"
    return (*scores, _score("egalitarian Shapley", mixed, human, note))


def _solo_proportional(table: FloatTable) -> FloatVector:
    return table[[1, 2, 4]]


def _equal(_: FloatTable) -> FloatVector:
    return np.ones(3)


RULES: dict[str, Callable[[FloatTable], FloatVector]] = {
    "equal split": _equal,
    "Shapley": exact.shapley,
    "Banzhaf": exact.banzhaf,
    "leave-one-out": exact.leave_one_out,
    "solo-proportional": _solo_proportional,
}


def _divide(values: FloatVector) -> FloatVector:
    """Clip and renormalise to 60; equal where nothing is positive."""
    positive = np.maximum(values, 0.0)
    if positive.sum() == 0.0:
        positive = np.ones_like(positive)
    division: FloatVector = GRAND_TOTAL * positive / positive.sum()
    return division


def _left_out(games: tuple[HumanGame, ...], human: FloatMatrix) -> tuple[FloatMatrix, FloatVector]:
    values = np.stack([_divide(exact.shapley(game.table)) for game in games])
    mixtures = (1 - ALPHAS[:, None, None]) * values + ALPHAS[:, None, None] * GRAND_TOTAL / 3
    distance = np.abs(mixtures - human).sum(axis=2)  # (alphas, games)
    others = distance.sum(axis=1, keepdims=True) - distance
    chosen = others.argmin(axis=0)
    return mixtures[chosen, np.arange(len(games))], ALPHAS[chosen]


def _score(rule: str, division: FloatMatrix, human: FloatMatrix, note: str = "") -> Score:
    difference = np.abs(division - human)
    ours, theirs = (division - GRAND_TOTAL / 3).ravel(), (human - GRAND_TOTAL / 3).ravel()
    correlation = float(np.corrcoef(ours, theirs)[0, 1]) if ours.any() else float("nan")
    return Score(
        rule,
        float(difference.sum(axis=1).mean() / 2 / GRAND_TOTAL),
        float(difference.mean()),
        correlation,
        note,
    )
