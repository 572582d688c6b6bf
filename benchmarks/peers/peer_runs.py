"""Runs of the peers; each is called in an environment that has that peer and no other."""

import sys

import numpy as np

from benchmarks import games
from benchmarks.report import emit


def shapley_numba(_job, size, _extra):
    import numba
    from shapley_numba.core import numba_game
    from shapley_numba.shapley import shapley

    @numba_game([("table", numba.float64[:])])
    class Table:
        def __init__(self, table):
            self.table = table

        def value(self, subset):
            index = 0
            for player in range(len(subset)):
                index += subset[player] << player
            return self.table[index]

    game = Table(games.table(int(size)))
    seconds, values = games.best_time(lambda: shapley(game, int(size)))
    emit(seconds=seconds, check=float(values[0]))


def coopgame(_job, size, _extra):
    import coopgame as peer

    table = games.table(int(size))
    game = peer.Game(list(table[1:] - table[0]))
    seconds, values = games.best_time(lambda: peer.shapley(game))
    emit(seconds=seconds, check=float(values[0]))


def shapiq(job, size, extra):
    if job == "exact":
        from shapiq.game_theory.exact import ExactComputer

        players = int(size)
        table = games.table(players)
        bits = 1 << np.arange(players)
        game = lambda rows: table[np.asarray(rows, dtype=np.int64) @ bits]  # noqa: E731
        seconds, values = games.best_time(lambda: ExactComputer(game, players)("SV"), 1)
        emit(seconds=seconds, check=float(values.dict_values[(0,)]))
        return
    from shapiq import approximator

    sampled = games.Sampled(extra.partition(":")[0], int(size))
    name = extra.partition(":")[2]
    options = {"pairing_trick": True} if name in ("KernelSHAP", "SVARM") else {}
    empty = float(sampled.values(np.zeros((1, sampled.players)))[0])
    make = getattr(approximator, name)

    def run():
        solver = make(n=sampled.players, random_state=0, **options)
        return solver.approximate(
            games.EVALUATIONS_PER_PLAYER * sampled.players, lambda rows: sampled.values(rows) - empty
        )

    seconds, values = games.best_time(run, 1)
    vector = [values.dict_values.get((player,), 0.0) for player in range(sampled.players)]
    emit(seconds=seconds, misplaced=games.misplaced(np.array(vector), sampled.truth()))


def shap(_job, size, _extra):
    import shap as peer
    from scipy.cluster.hierarchy import linkage

    stages, members = map(int, size.split("x"))
    function = games.staged_function(stages, members)
    names = [f"{stage}.{member}" for stage in range(stages) for member in range(members)]
    tree = {str(stage): names[stage * members : (stage + 1) * members] for stage in range(stages)}
    # The explainer follows partition_tree; the clustering is only asked for at its birth.
    clustering = linkage(np.random.default_rng(0).random((stages * members, 2)))
    masker = peer.maskers.Partition(np.zeros((1, stages * members)), clustering=clustering)
    masker.feature_names = names
    explainer = peer.explainers.CoalitionExplainer(function, masker, feature_names=names, partition_tree=tree)
    point = np.ones((1, stages * members))
    seconds, values = games.best_time(lambda: explainer(point), 1)
    emit(seconds=seconds, check=float(values.values.ravel()[0]))


def pydvl(_job, size, _extra):
    from pydvl.valuation.dataset import Dataset
    from pydvl.valuation.methods.knn_shapley import KNNShapleyValuation
    from sklearn.neighbors import KNeighborsClassifier

    points, labels, queries, wanted = games.neighbours_data(int(size))
    test = Dataset(queries, wanted)
    valuation = KNNShapleyValuation(KNeighborsClassifier(n_neighbors=5), test, progress=False)
    seconds, _ = games.best_time(lambda: valuation.fit(Dataset(points, labels)), 1)
    emit(seconds=seconds, check=float(np.sum(valuation.result.values)))


def main(peer, job, size, extra=""):
    globals()[peer](job, size, extra)


main(*sys.argv[1:])
