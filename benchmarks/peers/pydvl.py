"""PyPI `pyDVL`."""

import numpy as np
from pydvl.valuation.dataset import Dataset
from pydvl.valuation.methods.knn_shapley import KNNShapleyValuation
from pydvl.valuation.methods.shapley import ShapleyValuation
from pydvl.valuation.samplers import PermutationSampler
from pydvl.valuation.stopping import MinUpdates
from pydvl.valuation.utility.base import UtilityBase
from sklearn.neighbors import KNeighborsClassifier

from benchmarks import games
from benchmarks.peers.serve import serve, timed


class Asked(UtilityBase):
    def __init__(self, game):
        self.game = game

    def __call__(self, sample):
        row = np.zeros(self.game.players)
        if sample is not None:
            row[np.asarray(sample.subset, dtype=int)] = 1
        return float(self.game.values(row)[0])


def knn(task):
    points, labels, queries, wanted = games.neighbours_data(task["points"])
    test, data = Dataset(queries, wanted), Dataset(points, labels)

    def run():
        valuation = KNNShapleyValuation(KNeighborsClassifier(n_neighbors=5), test, progress=False)
        valuation.fit(data)
        return np.abs(valuation.result.values).sum()

    return timed(run)


def sampled(_method, game, budget, seed):
    players = np.zeros((game.players, 1))
    stop = MinUpdates(max(1, budget // (game.players + 1)))
    valuation = ShapleyValuation(Asked(game), PermutationSampler(seed=seed), is_done=stop, progress=False)
    valuation.fit(Dataset(players, np.zeros(game.players)))
    return valuation.result.values, None


serve({"knn": knn, "sampled": sampled})
