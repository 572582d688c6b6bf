"""`make bench`: run everything side by side and write docs/benchmarks.md and docs/benchmarks.svg.

ARGS="--quick" leaves out what takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.report import markdown, svg

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "shapley_numba": "shapley-numba==0.1.5",
    "coopgame": "coopgame-py==0.3.0",
    "shapiq": "shapiq==1.4.1",
    "shap": "shap==0.51.0",  # its CoalitionExplainer fails with numpy 2.4
    "pydvl": "pyDVL==0.10.0",
}
NUMPY = "numpy>=1.26,<2.3"
APPROXIMATORS = ("KernelSHAP", "PermutationSamplingSV", "SVARM", "UnbiasedKernelSHAP")
GAMES = ("diminishing", "staged", "unanimity", "airport", "voting")


def environment(peer: str) -> Path:
    """Python of the peer's environment; made at first use."""
    folder = ROOT / f".venv-bench-{peer}"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True)
        words = [folder / "bin" / "pip", "install", "-q", NUMPY, PACKAGES[peer]]
        subprocess.run(words, check=True)
        (folder / "ready").touch()
    return folder / "bin" / "python"


def run(program: str, job: str, size: str, extra: str = "", seconds: int = 240) -> dict[str, object]:
    """One run in a process of its own, with one thread; failures and timeouts are results too."""
    own = program == "ame"
    python = Path(sys.executable) if own else environment(program)
    module = ["benchmarks.peers.ame_runs"] if own else ["benchmarks.peers.peer_runs", program]
    label = f"{job} ({extra.partition(':')[0]})" if extra else job
    name = f"{program} {extra.partition(':')[2]}".strip() if not own else program
    row: dict[str, object] = {"job": label, "size": size, "program": name}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            [python, "-W", "ignore", "-m", *module, job, size, extra],
            cwd=ROOT,
            env={**os.environ, **threads, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if found:
            row |= json.loads(found[-1].removeprefix("RESULT "))
        else:
            row["failed"] = (done.stderr.strip().splitlines() or ["no result"])[-1][:100].replace("|", "/")
    except subprocess.TimeoutExpired:
        row["failed"] = f"more than {seconds} s"
    print(row, flush=True)
    return row


def jobs(quick: bool) -> list[tuple[str, str, str, str]]:
    """(program, job, size, extra) in the order of the table."""
    listed = []
    for size in ("10", "16", "20") if quick else ("10", "16", "20", "24"):
        listed += [(program, "exact", size, "") for program in ("ame", "shapley_numba", "coopgame")]
        if size != "24" and not (quick and size == "20"):
            listed.append(("shapiq", "exact", size, ""))
    listed.append(("ame", "integers", "20", ""))
    for size in ("4x4", "4x8") if quick else ("4x4", "4x8", "4x12"):
        listed += [("ame", "owen", size, ""), ("shap", "owen", size, "")]
    for size in ("1000", "10000", "100000"):
        listed += [("ame", "knn", size, ""), ("pydvl", "knn", size, "")]
    for size in ("50", "100") if quick else ("50", "100", "500", "1000"):
        for game in GAMES:
            listed.append(("ame", "sampled", size, game))
            listed += [("shapiq", "sampled", size, f"{game}:{name}") for name in APPROXIMATORS]
    return listed


def main() -> None:
    """Run, and write after every job, so that an interrupted run leaves what it has."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--seconds", type=int, default=240, help="time limit of one run")
    options = parser.parse_args()
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    rows = []
    listed = jobs(options.quick)
    for program, job, size, extra in listed:
        rows.append(run(program, job, size, extra, options.seconds))
        (ROOT / "docs" / "benchmarks.md").write_text(
            markdown(rows, f"{machine}, load {os.getloadavg()[1]:.1f}", len(listed)), encoding="utf-8"
        )
        (ROOT / "docs" / "benchmarks.svg").write_text(svg(rows), encoding="utf-8")


main()
