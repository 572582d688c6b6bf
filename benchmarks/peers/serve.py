"""What every run has in common: tasks come in as lines of JSON, results go out as lines that begin with RESULT."""

from __future__ import annotations

import json
import sys
import time
import traceback

import numpy as np

from benchmarks import games


def serve(jobs):
    """jobs: job -> function(task) -> result. `sampled` functions get (game, budget, seed) and give values."""
    print("READY", flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        try:
            work = jobs[task["job"]]
            result = _sampled(work, task) if task["job"] == "sampled" else work(task)
        except Exception as error:  # a peer that fails is a result too
            traceback.print_exc()
            result = {"failed": f"{type(error).__name__}: {error}"[:160]}
        print("RESULT " + json.dumps(result), flush=True)


def _sampled(work, task):
    game = games.Sampled.load(task["file"])
    begun = time.perf_counter()
    values, method = work(task["method"], game, task["budget"], task["seed"])
    seconds = time.perf_counter() - begun
    result = {"seconds": seconds, "values": np.asarray(values, dtype=float).tolist(), "asked": game.asked}
    return result | ({"method": method} if method else {})


def timed(work, **more):
    """Best time, and a number that all programs must agree on."""
    seconds, value = games.best_time(work)
    return {"seconds": seconds, "check": float(value), **more}
