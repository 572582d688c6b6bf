"""PyPI `shapiq`: 1.8 where there is a Python for it, else 1.4.1, which lacks the methods that came since."""

import numpy as np
from shapiq import approximator
from shapiq.game_theory.exact import ExactComputer

from benchmarks import games
from benchmarks.peers.serve import serve, timed

OPTIONS = {
    "KernelSHAP": {"pairing_trick": True},
    "SVARM": {"pairing_trick": True},
    "RegressionMSR": {"index": "SV"},
    "ProxySHAP": {"index": "SV", "max_order": 1, "adjustment": True},
}


def exact(task):
    players = task["players"]
    table, bits = games.table(players), 1 << np.arange(players)

    def game(rows):
        return table[np.asarray(rows, dtype=np.int64) @ bits]

    return timed(lambda: ExactComputer(game, players)("SV").dict_values[(0,)])


def sampled(method, game, budget, seed):
    empty = float(game.values(np.zeros(game.players))[0])
    make = getattr(approximator, method, None)
    if make is None:
        raise NotImplementedError(f"this version of shapiq has no {method}")
    solver = make(n=game.players, random_state=seed, **OPTIONS.get(method, {}))
    found = solver.approximate(budget, lambda rows: game.values(rows) - empty).dict_values
    return [float(found.get((player,), 0.0)) for player in range(game.players)], None


serve({"exact": exact, "sampled": sampled})
