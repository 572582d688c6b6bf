"""Processes that run one program's tasks, each program in an environment of its own, with one thread."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NUMPY = "numpy>=1.26,<2.3"  # shap 0.51's CoalitionExplainer fails with numpy 2.4
PACKAGES = {
    "shapley_numba": ["shapley-numba==0.1.5"],
    "coopgame": ["coopgame-py==0.3.0"],
    "shap": ["shap==0.51.0"],
    "pydvl": ["pyDVL==0.10.0"],
    "shapiq": ["shapiq==1.4.1"],
}
NEWEST_SHAPIQ = ["shapiq==1.8.0", "xgboost", "lightgbm", "sparse-transform", "galois"]
STARTING_SECONDS = 240  # imports and compilation


def environment(program: str) -> Path:
    """Python of the program's environment; made at first use."""
    if program == "ame":
        return Path(sys.executable)
    folder = ROOT / f".venv-bench-{program}"
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    newer = python_312() if program == "shapiq" else None
    if newer:
        subprocess.run([newer, "-m", "venv", folder], check=True)
    else:
        venv.create(folder, with_pip=True)
    packages = NEWEST_SHAPIQ if newer else PACKAGES[program]
    subprocess.run([python, "-m", "pip", "install", "-q", NUMPY, *packages], check=True)
    (folder / "ready").touch()
    return python


def python_312() -> Path | None:
    """A Python of 3.12 or later beside this one or on the PATH, for peers that ask for it."""
    if sys.version_info >= (3, 12):
        return Path(sys.executable)
    for minor in (12, 13):
        beside = sorted(Path(sys.base_prefix).parent.glob(f"*3.{minor}*/bin/python3.{minor}"))
        found = shutil.which(f"python3.{minor}")
        for python in [*beside, *([Path(found)] if found else [])]:
            if (
                subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode
                == 0
            ):
                return python
    return None


def versions(programs: list[str]) -> dict[str, str]:
    """Program -> its version and numpy's, as installed."""
    names = {"shapley_numba": "shapley-numba", "coopgame": "coopgame-py", "pydvl": "pyDVL"}
    code = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]), 'numpy', m.version('numpy'))"
    result = {}
    for program in programs:
        words = [environment(program), "-c", code, names.get(program, program)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
        result[program] = done.stdout.strip()
    return result


class Program:
    """A process that takes one task after another; started at its first task, and again after a time-out."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process: subprocess.Popen[str] | None = None
        self.lines: queue.Queue[str | None] = queue.Queue()

    def run(self, task: dict[str, object], seconds: float) -> dict[str, object]:
        """The task's result; {"failed": why} where there is none."""
        if self.process is None and not self._start():
            return {"failed": "does not start"}
        assert self.process is not None
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(task) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self.stop()
            return {"failed": "ended"}
        line = self._wait("RESULT ", seconds)
        if line is None:
            ended = self.process.poll() is not None
            self.stop()
            return {"failed": "ended"} if ended else {"failed": f"more than {seconds:.0f} s", "late": True}
        found: dict[str, object] = json.loads(line)
        return found

    def stop(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _start(self) -> bool:
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        self.lines = queue.Queue()
        self.process = subprocess.Popen(
            [environment(self.name), "-W", "ignore", "-m", f"benchmarks.peers.{self.name}"],
            cwd=ROOT,
            env={**os.environ, **dict.fromkeys(threads, "1"), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        threading.Thread(target=self._read, args=(self.process, self.lines), daemon=True).start()
        if self._wait("READY", STARTING_SECONDS) is None:
            self.stop()
            return False
        return True

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    def _wait(self, prefix: str, seconds: float) -> str | None:
        """The rest of the next line that begins with `prefix`; None when time is over or the process ended."""
        import time

        until = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return None
            if line is None:
                return None
            if line.startswith(prefix):
                return line.removeprefix(prefix)
