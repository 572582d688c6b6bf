"""PyPI `shap`."""

import numpy as np
import shap as peer
from scipy.cluster.hierarchy import linkage

from benchmarks import games
from benchmarks.peers.serve import serve, timed


def owen(task):
    stages, members = task["stages"], task["members"]
    function, asked = games.staged_function(stages, members)[0], [0]

    def counted(rows):
        asked[0] += len(rows)
        return function(rows)

    names = [f"{stage}.{member}" for stage in range(stages) for member in range(members)]
    tree = {str(stage): names[stage * members : (stage + 1) * members] for stage in range(stages)}
    # The explainer follows partition_tree; the clustering is only asked for at its birth.
    clustering = linkage(np.random.default_rng(0).random((stages * members, 2)))
    masker = peer.maskers.Partition(np.zeros((1, stages * members)), clustering=clustering)
    masker.feature_names = names
    explainer = peer.explainers.CoalitionExplainer(counted, masker, feature_names=names, partition_tree=tree)
    point = np.ones((1, stages * members))

    def run():
        asked[0] = 0
        return explainer(point).values.ravel()[0]

    return timed(run) | {"asked": asked[0]}


def sampled(method, game, budget, seed):
    nobody, everybody = np.zeros((1, game.players)), np.ones((1, game.players))
    np.random.seed(seed)
    if method == "Kernel":
        explainer = peer.KernelExplainer(game.values, nobody)
        return explainer.shap_values(everybody, nsamples=budget - 2, l1_reg=False, silent=True).ravel(), None
    masker = peer.maskers.Independent(nobody)
    explainer = peer.explainers.Permutation(game.values, masker, seed=seed)
    return explainer(everybody, max_evals=budget, silent=True).values.ravel(), None


# Compile before anything is timed.
owen({"stages": 2, "members": 2})
sampled("Permutation", games.Sampled("airport", {"costs": np.ones(4)}), 100, 0)
serve({"owen": owen, "sampled": sampled})
