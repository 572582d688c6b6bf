"""`make bench`: run everything side by side and write docs/benchmarks.md and docs/benchmarks.svg.

Every result is kept at once in out/bench/results.jsonl, so that a run that was interrupted goes on where it was,
as long as neither the programs nor the code have changed. ARGS="--quick" leaves out what takes minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import queue
import threading
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import games, report
from benchmarks.pipelines import pipeline_table
from benchmarks.programs import PACKAGES, ROOT, Program, versions
from benchmarks.truth import true_values

FOLDER = ROOT / "out" / "bench"
METHODS = [
    ("ame", ""),
    ("shapiq", "RegressionMSR"),
    ("shapiq", "SVARM"),
    ("shapiq", "OddSHAP"),
    ("shapiq", "LeverageSHAP"),
    ("shapiq", "ProxySHAP"),
    ("shapiq", "KernelSHAP"),
    ("shapiq", "PermutationSamplingSV"),
    ("shap", "Permutation"),
    ("shap", "Kernel"),
    ("shapley_numba", "permutations"),
    ("coopgame", "permutations"),
    ("pydvl", "permutations"),
]
SEEDS = {50: 2, 100: 2, 500: 1, 1000: 1}
PIPELINES = ("digits", "text")
# Used for nothing else: a setting of the estimator was picked on small ones.
PIPELINE_SEEDS = range(31_001, 31_006)
PEER_SECONDS = 30
OWN_SECONDS = 240


class Entry(NamedTuple):
    """One result to have: what runs it, how it is called in the tables, and the longest it may take."""

    key: str
    program: str
    task: dict[str, object]
    limit: float
    before: str = ""  # key of the same run, smaller or with the first seed: if late, this is not tried


def exact_entries(quick: bool) -> list[Entry]:
    """Tables, hierarchies and neighbours: one program at a time, since these are compared by their time."""
    listed: list[Entry] = []

    def add(
        job: str, size: object, programs: tuple[str, ...], limit: float, smaller: object = "", **task: object
    ) -> None:
        for program in programs:
            listed.append(
                Entry(
                    f"{job}|{size}|{program}",
                    program,
                    {"job": job, **task},
                    limit,
                    f"{job}|{smaller}|{program}" if smaller else "",
                )
            )

    sizes = (10, 16, 20) if quick else (10, 16, 20, 24)
    for before, players in zip(("", *sizes), sizes, strict=False):
        programs = ("ame", "shapley_numba", "coopgame", "shapiq")
        add("exact", players, programs[: 3 if quick and players == 20 else 4], 60, before, players=players)
    add("integers", 20, ("ame",), 60, players=20)
    add("owen", "4x4", ("ame", "shap", "shapley_numba", "coopgame"), 60, stages=4, members=4)
    add("owen", "4x8", ("ame", "shap", "shapley_numba"), 60, "4x4", stages=4, members=8)
    if not quick:
        add("owen", "4x12", ("ame", "shap", "shapley_numba"), 90, "4x8", stages=4, members=12)
    for points in (10**3, 10**4, 10**5):
        add("knn", points, ("ame",) if quick and points == 10**5 else ("ame", "pydvl"), 120, points=points)
    return listed


def sampled_entries(quick: bool, instance: int) -> list[Entry]:
    """Sampling, smaller games first: two programs at a time, one on each core."""
    listed = []
    sizes = (50, 100) if quick else (50, 100, 500, 1000)
    for name in PIPELINES:
        for seed in PIPELINE_SEEDS[: 1 if quick else None]:
            listed += [_sampled(name, program, method, seed, PEER_SECONDS) for program, method in METHODS]
    for before, players in zip((0, *sizes), sizes, strict=False):
        for program, method in METHODS:
            limit = OWN_SECONDS if program == "ame" else PEER_SECONDS
            for seed in range(1 if quick else SEEDS[players]):
                for kind in games.SYNTHETIC:
                    name = f"{kind}-{players}-{instance}"
                    first = f"{kind}-{before}-{instance}" if before else ""
                    listed.append(_sampled(name, program, method, seed, limit, name if seed else first))
    return listed


def _sampled(name: str, program: str, method: str, seed: int, limit: float, before: str = "") -> Entry:
    task = {"job": "sampled", "file": str(_game_folder() / f"{name}.npz"), "method": method, "seed": seed}
    earlier = f"sampled|{before}|{program}|{method}|0" if before else ""
    return Entry(f"sampled|{name}|{program}|{method}|{seed}", program, task, limit, earlier)


def make_games(entries: list[Entry], instance: int) -> dict[str, np.ndarray]:
    """Write the games that the entries need, each with its true values; path -> true values."""
    truths = {}
    for path in sorted({Path(str(entry.task["file"])) for entry in entries}):
        if not path.exists() or path.stem in PIPELINES:
            if path.stem in PIPELINES:  # from the cache, where nothing has changed
                kind, numbers = "table", {"table": pipeline_table(path.stem, FOLDER / "values")}
            else:
                kind, players = path.stem.split("-")[:2]
                numbers = games.draw(kind, int(players), instance)
            truth = true_values(kind, numbers)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path.with_suffix(".part.npz"), kind=kind, truth=truth, **numbers)
            path.with_suffix(".part.npz").rename(path)
            print("game", path.stem, flush=True)
        truths[str(path)] = np.load(path)["truth"]
    return truths


class Run:
    """Results so far, on disk after each."""

    def __init__(self, path: Path, stamps: dict[str, str], fresh: bool, until: float) -> None:
        self.path, self.until, self.lock = path, until, threading.Lock()
        self.rows: dict[str, dict[str, object]] = {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and not fresh:
            lines = self.path.read_text(encoding="utf-8").splitlines()
            before = json.loads(lines[0]) if lines else {}
            kept = {who for who, stamp in stamps.items() if before.get(who) == stamp}
            rows = map(json.loads, lines[1:])
            self.rows = {row["key"]: row for row in rows if _whose(row["key"]) in kept}
            print(f"going on after {len(self.rows)} results (--fresh starts again)")
        lines = [json.dumps(each) for each in (stamps, *self.rows.values())]
        self.path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def work(self, entries: list[Entry], truths: dict[str, np.ndarray], at_once: int) -> None:
        """Do what is not done yet."""
        waiting: queue.SimpleQueue[Entry] = queue.SimpleQueue()
        for entry in entries:
            if entry.key not in self.rows:
                waiting.put(entry)
        threads = [threading.Thread(target=self._worker, args=(waiting, truths)) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _worker(self, waiting: queue.SimpleQueue[Entry], truths: dict[str, np.ndarray]) -> None:
        programs: dict[str, Program] = {}
        try:
            while True:
                try:
                    entry = waiting.get_nowait()
                except queue.Empty:
                    return
                self._one(entry, programs.setdefault(entry.program, Program(entry.program)), truths)
        finally:
            for program in programs.values():
                program.stop()

    def _one(self, entry: Entry, program: Program, truths: dict[str, np.ndarray]) -> None:
        earlier = self.rows.get(entry.before, {})
        task = dict(entry.task)
        truth = truths.get(str(task.get("file")))
        if truth is not None:
            task["budget"] = games.EVALUATIONS_PER_PLAYER * len(truth)
        if earlier.get("late"):
            row: dict[str, object] = {"failed": f"not tried: {entry.before} was too late", "late": True}
        elif time.monotonic() > self.until:
            return  # another run goes on from here
        else:
            row = program.run(task, entry.limit)
        if truth is not None and "values" in row:
            row["misplaced"] = games.misplaced(np.array(row.pop("values")), truth)
            row["budget"] = task["budget"]
        row |= {"key": entry.key, "load": round(os.getloadavg()[0], 1)}
        with self.lock:
            self.rows[entry.key] = row
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        print({name: value for name, value in row.items() if name != "load"}, flush=True)


def stamps(options: argparse.Namespace, installed: dict[str, str]) -> dict[str, str]:
    """Hashes of the code that is measured and that measures, and of the programs' versions: a change of AME alone
    leaves what the peers have done."""
    folders = {"peers": ("benchmarks", "examples"), "ame": ("ame/attribution", "benchmarks", "examples")}
    return {
        who: _digest(
            [
                path
                for folder in measured
                for path in sorted((ROOT / folder).rglob("*.py"))
                if path.name != "report.py"
            ],
            f"{options.instance} {sorted(installed.items())}",
        )
        for who, measured in folders.items()
    }


def _whose(key: str) -> str:
    return "ame" if key.split("|")[2] == "ame" else "peers"


@cache
def _game_folder() -> Path:
    return FOLDER / f"games-{_digest([ROOT / 'benchmarks' / name for name in ('games.py', 'truth.py')])[:8]}"


def _digest(paths: list[Path], text: str = "") -> str:
    digest = hashlib.sha256(text.encode())
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Run, and write the page again after each part."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument(
        "--quick", action="store_true", help="leave out what takes minutes; docs/ is not written"
    )
    parser.add_argument("--fresh", action="store_true", help="forget the results of an interrupted run")
    parser.add_argument("--minutes", type=float, default=45.0, help="begin nothing after this time")
    parser.add_argument("--instance", type=int, default=1, help="seed of the games for sampling")
    parser.add_argument("--only", default="", help="run only keys that hold this text")
    options = parser.parse_args()
    begun = time.monotonic()
    installed = versions(["ame", *PACKAGES])
    whole = not options.quick and not options.only
    results = FOLDER / ("results.jsonl" if whole else "trial.jsonl")
    run = Run(results, stamps(options, installed), options.fresh, begun + 60 * options.minutes)
    timed = [entry for entry in exact_entries(options.quick) if options.only in entry.key]
    sampled = [
        entry for entry in sampled_entries(options.quick, options.instance) if options.only in entry.key
    ]
    truths = make_games(sampled, options.instance)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    target = ROOT / "docs" if whole else FOLDER
    for part, at_once in ((timed, 1), (sampled, min(2, os.cpu_count() or 1))):
        run.work(part, truths, at_once)
        keys = [entry.key for entry in (*timed, *sampled)]
        rows = [run.rows[key] for key in keys if key in run.rows]
        (target / "benchmarks.md").write_text(
            report.markdown(rows, len(keys), machine, installed), encoding="utf-8"
        )
        (target / "benchmarks.svg").write_text(report.svg(rows), encoding="utf-8")
    print(f"{len(rows)} of {len(keys)} results in {(time.monotonic() - begun) / 60:.1f} minutes: {target}")


if __name__ == "__main__":
    main()
