"""Our own runs, in the project's environment."""

import sys

import numpy as np

from ame.attribution import estimate, hierarchical_values, knn_shapley, shapley, shapley_numerators
from benchmarks import games
from benchmarks.report import emit


class Asked:
    def __init__(self, players, function):
        self.players, self.function, self.asked = players, function, 0

    def values(self, rows):
        self.asked += len(rows)
        return self.function(rows)


def main(job, size, extra=""):
    if job == "exact":
        table = games.table(int(size))
        seconds, values = games.best_time(lambda: shapley(table))
        emit(seconds=seconds, check=float(values[0]))
    elif job == "integers":
        table = (games.table(int(size)) * 10**6).astype(np.int64)
        emit(seconds=games.best_time(lambda: shapley_numerators(table))[0])
    elif job == "owen":
        stages, members = map(int, size.split("x"))
        tree = [list(range(first, first + members)) for first in range(0, stages * members, members)]
        game = Asked(stages * members, games.staged_function(stages, members))
        seconds, result = games.best_time(lambda: hierarchical_values(game, tree))
        emit(seconds=seconds, check=float(result.values[0]), evaluations=result.evaluations)
    elif job == "sampled":
        sampled = games.Sampled(extra, int(size))
        game = Asked(sampled.players, sampled.values)
        budget = games.EVALUATIONS_PER_PLAYER * sampled.players
        seconds, result = games.best_time(lambda: estimate(game, budget, 0), 1)
        emit(seconds=seconds, misplaced=games.misplaced(result.values, sampled.truth()), method=result.method)
    elif job == "knn":
        data = games.neighbours_data(int(size))
        seconds, values = games.best_time(lambda: knn_shapley(*data, neighbours=5), 1)
        emit(seconds=seconds, check=float(values.sum()))


main(*sys.argv[1:])
