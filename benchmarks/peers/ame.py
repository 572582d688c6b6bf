"""AME itself, in the project's environment."""

import numpy as np

from ame.attribution import estimate, hierarchical_values, knn_shapley, shapley, shapley_numerators
from benchmarks import games
from benchmarks.peers.serve import serve, timed


class Plain:
    def __init__(self, players, values):
        self.players, self.values = players, values


def exact(task):
    table = games.table(task["players"])
    return timed(lambda: shapley(table)[0])


def integers(task):
    table = (games.table(task["players"]) * 10**6).astype(np.int64)
    return timed(lambda: shapley_numerators(table)[0])


def owen(task):
    stages, members = task["stages"], task["members"]
    tree = [list(range(first, first + members)) for first in range(0, stages * members, members)]
    game = Plain(stages * members, games.staged_function(stages, members)[0])
    evaluations = hierarchical_values(game, tree).evaluations
    return timed(lambda: hierarchical_values(game, tree).values[0], asked=evaluations)


def knn(task):
    data = games.neighbours_data(task["points"])
    return timed(lambda: np.abs(knn_shapley(*data, neighbours=5)).sum())


def sampled(_method, game, budget, seed):
    result = estimate(game, budget, seed)
    return result.values, result.method


serve({"exact": exact, "integers": integers, "owen": owen, "knn": knn, "sampled": sampled})
