"""Proofs of the contracts by Halmos, and of the integers they rest on by z3. Fails unless every one is proved.

    python scripts/prove.py [PATTERN]

Halmos runs the compiled code of tests/proofs on symbols in place of numbers. Its pins clash with those of .venv, so it has
an environment of its own, .venv-halmos, made here of constraints-halmos.txt. That no property passes emptily is shown by
scripts/seeded_bugs.py, which demands a counterexample of each.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from foundry import ROOT, environment, native

VENV = ROOT / ".venv-halmos"
PYTHON = VENV / "bin" / "python"
CONSTRAINTS = ROOT / "constraints-halmos.txt"
OUT = ".build/forge/proofs"
# Loops run to their end (a bounded one would be reported); a branch is tried for so long before both sides are followed.
OPTIONS = ["--loop", "64", "--solver-timeout-branching", "1s", "--no-status", "--cache-solver"]
OPTIONS += ["--solver-timeout-assertion", "300s"]
# Contracts at a time, and solvers of each.
JOBS = int(os.environ.get("AME_JOBS", os.cpu_count() or 1))
OPTIONS += ["--solver-threads", str(JOBS)]
# Halmos in a block whose prevrandao is what the first argument says: that chooses the seeded bug.
PROGRAM = """
import sys
from halmos import __main__ as halmos
number, make = int(sys.argv.pop(1)), halmos.mk_block
def block():
    made = make()
    made.difficulty = halmos.con(number)
    return made
halmos.mk_block = block
sys.exit(halmos.main())
"""


@dataclass(frozen=True)
class Result:
    """What Halmos says of one property."""

    name: str
    verdict: str
    paths: int
    seconds: float


VERDICTS = {0: "proved", 1: "refuted", 2: "timeout", 3: "stuck", 4: "always reverts", 5: "error"}


def set_up() -> None:
    """Makes .venv-halmos if constraints or place have changed."""
    stamp = hashlib.sha256(f"{CONSTRAINTS.read_text()}{VENV}".encode()).hexdigest()
    done = VENV / "stamp"
    (ROOT / ".cache").mkdir(exist_ok=True)
    with (ROOT / ".cache" / "halmos.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists() and done.read_text() == stamp:
            return
        print("Installing Halmos into .venv-halmos", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        command = [
            PYTHON,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            CONSTRAINTS,
        ]
        subprocess.run(command, check=True)
        done.write_text(stamp)


def build(root: Path) -> None:
    """Compiles the proofs with the syntax trees that Halmos wants, so that its own call of forge finds nothing to do."""
    done = subprocess.run(
        [native("forge"), "build", "--ast", "--extra-output", "storageLayout", "metadata"],
        cwd=root, env={**environment(), "FOUNDRY_PROFILE": "proofs"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr[-3000:])


def halmos(root: Path, names: list[str], *, bug: int = 0, first: bool = False) -> Iterator[Result]:
    """These properties, contract by contract as they end; `first` stops at a property's first counterexample."""
    contracts = [(one, [name for name in every if name in names]) for one, every in properties().items()]
    with ThreadPoolExecutor(JOBS) as pool:
        runs = [pool.submit(_halmos, root, one, wanted, bug, first) for one, wanted in contracts if wanted]
        for run in as_completed(runs):
            yield from run.result()


def _halmos(root: Path, contract: str, names: list[str], bug: int, first: bool) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        path = f"{native('forge').parent}:{PYTHON.parent}:{environment()['PATH']}"
        command = [
            PYTHON, "-c", PROGRAM, str(bug), "--root", root, "--forge-build-out", OUT, "--contract", contract,
            "--match-test", rf"^({'|'.join(names)})\(", "--json-output", answer, *OPTIONS,
        ]  # fmt: skip
        done = subprocess.run(
            [*command, *(["--early-exit"] if first else [])],
            cwd=root, env={**environment(), "PATH": path, "FOUNDRY_PROFILE": "proofs"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        tests = json.loads(answer.read_text())["test_results"].values() if answer.exists() else ()
    found = []
    for test in (one for every in tests for one in every):
        verdict = VERDICTS.get(test["exitcode"], "error")
        if verdict == "proved" and test["num_bounded_loops"]:
            verdict = "loop cut short"
        found.append(Result(test["name"].split("(")[0], verdict, test["num_paths"][0], test["time"][0]))
    if len(found) != len(names):
        sys.stderr.write(f"{contract}: {done.stdout[-3000:]}{done.stderr[-3000:]}\n")
    return sorted(found, key=lambda one: one.name)


def properties() -> dict[str, list[str]]:
    """The names of all of them, by contract."""
    found = {}
    for path in sorted((ROOT / "tests" / "proofs").glob("*.t.sol")):
        text = path.read_text()
        found[re.findall(r"contract (\w+Proof) is", text)[0]] = re.findall(r"function (check_\w+)", text)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pattern", nargs="?", default="", help="only properties whose names contain this")
    parser.add_argument(
        "--set-up", action="store_true", help="only make .venv-halmos, with the user's own settings of pip"
    )
    chosen = parser.parse_args()
    began = time.monotonic()
    set_up()
    if chosen.set_up:
        return
    integers = subprocess.run([PYTHON, ROOT / "tests" / "proofs" / "integers.py"], check=False).returncode
    build(ROOT)
    names = [name for every in properties().values() for name in every if chosen.pattern in name]
    proved = 0
    for one in halmos(ROOT, names):
        print(f"{one.verdict}: {one.name} ({one.paths} paths, {one.seconds:.0f} s)", flush=True)
        proved += one.verdict == "proved"
    print(f"{proved} of {len(names)} properties proved in {time.monotonic() - began:.0f} s")
    if integers or proved != len(names):
        sys.exit(1)


if __name__ == "__main__":
    main()
