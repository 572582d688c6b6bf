"""PyPI `shapley-numba`."""

import numba
import numpy as np
from shapley_numba.core import numba_game
from shapley_numba.owen import owen as peer_owen
from shapley_numba.shapley import shapley, shapley_perm_mc

from benchmarks import games
from benchmarks.peers.serve import serve, timed


@numba_game([("table", numba.float64[:])])
class Table:
    def __init__(self, table):
        self.table = table

    def value(self, subset):
        index = 0
        for player in range(len(subset)):
            index += subset[player] << player
        return self.table[index]


@numba_game([("weights", numba.float64[:, :])])
class Staged:
    """`games.staged_function`, compiled: what is asked costs this peer next to nothing."""

    def __init__(self, weights):
        self.weights = weights

    def value(self, subset):
        product = 1.0
        stages, members = self.weights.shape
        for stage in range(stages):
            inside = 0.0
            for member in range(members):
                inside += subset[stage * members + member] * self.weights[stage, member]
            product *= 0.3 + 0.7 * np.sqrt(inside)
        return product


class Asked:
    """A game that is not compiled, with v(nobody) = 0 as this library wants it."""

    def __init__(self, game):
        self.game = game
        self.empty = float(game.values(np.zeros(game.players))[0])

    def value(self, subset):
        return float(self.game.values(subset)[0]) - self.empty


def exact(task):
    game = Table(games.table(task["players"]))
    return timed(lambda: shapley(game, task["players"])[0])


def owen(task):
    stages, members = task["stages"], task["members"]
    game = Staged(games.staged_function(stages, members)[1])
    unions = np.repeat(np.eye(stages, dtype=np.int32), members, axis=1)
    return timed(lambda: peer_owen(game, unions)[0])


def sampled(_method, game, budget, seed):
    paths = max(2, (budget - 1) // game.players)
    return shapley_perm_mc(Asked(game), game.players, paths, seed, use_numba=False), None


# Compile before anything is timed.
exact({"players": 3})
owen({"stages": 2, "members": 2})
serve({"exact": exact, "owen": owen, "sampled": sampled})
