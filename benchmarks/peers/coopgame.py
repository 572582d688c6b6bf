"""PyPI `coopgame-py`."""

import coopgame as peer
import numpy as np

from benchmarks import games
from benchmarks.peers.serve import serve, timed


def exact(task):
    table = games.table(task["players"])
    game = peer.Game(list(table[1:] - table[0]))
    return timed(lambda: peer.shapley(game)[0])


def owen(task):
    """From a table: this library has no Owen value of a function."""
    stages, members = task["stages"], task["members"]
    players = stages * members
    rows = (np.arange(1 << players)[:, None] >> np.arange(players)) & 1
    table = games.staged_function(stages, members)[0](rows)
    game = peer.Game(list(table[1:] - table[0]))
    unions = [list(range(first, first + members)) for first in range(0, players, members)]
    return timed(lambda: peer.owen(game, unions)[0], asked=1 << players)


def sampled(_method, game, budget, seed):
    empty = float(game.values(np.zeros(game.players))[0])

    def value(coalition):
        row = np.zeros(game.players)
        row[list(coalition)] = 1
        return float(game.values(row)[0]) - empty

    paths = max(1, (budget - 1) // game.players)
    return peer.shapley_sampling(peer.FunctionGame(game.players, value), paths, seed=seed)["values"], None


serve({"exact": exact, "owen": owen, "sampled": sampled})
