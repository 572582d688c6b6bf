"""Sets up everything that AME needs, inside this folder: Python and npm packages, the Solidity compiler.

Needs Python 3.11 to 3.13, Node 20 or newer and make. What has not changed since the last run is not done again.
Reads pip's and npm's configuration from HOME, and writes nothing there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
SOLC = CACHE / "solcx" / "solc-v0.8.37"
NATIVE_SOLC = CACHE / "solc-native"
SOLC_VERSION = "0.8.37+commit.f401782d"
SOLC_LIST = "https://binaries.soliditylang.org/linux-amd64/list.json"
EXTRAS = "cluster,examples,lint,test"
PYTHON_FIRST, PYTHON_LAST = (3, 11), (3, 13)
NODE_FIRST = 20


class SetupError(Exception):
    """Something outside of this folder is missing or has failed; the message is for the user."""


def main() -> int:
    """Checks, then does what has changed. Returns the exit code."""
    use_supported_python()
    try:
        problems = [text for text in (node_problem(), make_problem()) if text]
        if problems:
            raise SetupError("\n".join(problems))
        CACHE.mkdir(exist_ok=True)
        with (CACHE / "setup.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two makes at once would install over each other
            set_up()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def set_up() -> None:
    """Python and npm packages at the same time, then the compiler, which needs both."""
    started = time.monotonic()
    npm = start_npm() if npm_stamp() != read_stamp("npm") else None
    try:
        if python_stamp() != read_stamp("python"):
            install_python()
    finally:
        if npm:
            finish_npm(npm)
    if not SOLC.exists() or solc_stamp() != read_stamp("solc"):
        install_solc()
    link_foundry()
    seconds = time.monotonic() - started
    if seconds > 1:
        print(f"Set up in {seconds:.0f} s")


# --- what must be there before


def use_supported_python() -> None:
    """Starts again under another Python of this machine when this one is too old or too new."""
    if PYTHON_FIRST <= sys.version_info[:2] <= PYTHON_LAST:
        return
    for minor in range(PYTHON_LAST[1], PYTHON_FIRST[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other and output([other, "-c", "import sys; print(sys.version_info[1])"]) == str(minor):
            os.execv(other, [other, __file__, *sys.argv[1:]])  # noqa: S606 - this file again, no shell
    found = ".".join(map(str, sys.version_info[:3]))
    sys.exit(f"AME needs Python 3.11, 3.12 or 3.13; this is {found} and no other was found on the PATH.")


def node_problem() -> str | None:
    """One line when Node or npm is missing or too old."""
    version = output(["node", "--version"])
    if version is None:
        return f"AME needs Node {NODE_FIRST} or newer: `node` was not found on the PATH."
    match = re.fullmatch(r"v(\d+)\..*", version)
    if not match or int(match[1]) < NODE_FIRST:
        return f"AME needs Node {NODE_FIRST} or newer; `node --version` says {version}."
    if not shutil.which("npm"):
        return "AME needs npm, which comes with Node: `npm` was not found on the PATH."
    return None


def make_problem() -> str | None:
    """One line when make is missing."""
    return None if shutil.which("make") else "AME needs make: it was not found on the PATH."


# --- Python packages


def python_stamp() -> str:
    """Changes with the locked versions, with the package part of pyproject.toml, and with the place of the folder."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    package = [project["build-system"], project["project"], project["tool"]["setuptools"]]
    kept = VENV / "pyvenv.cfg"
    return digest(
        json.dumps(package),
        (ROOT / "constraints.txt").read_text(),
        str(ROOT),
        EXTRAS,
        kept.read_text() if kept.exists() else "",
    )


def install_python() -> None:
    """Creates .venv if there is no good one, and installs the locked versions."""
    forget_stamp("python")
    if not usable_venv():
        say("Creating .venv")
        shutil.rmtree(VENV, ignore_errors=True)
        done = run([sys.executable, "-m", "venv", str(VENV)])
        if done.returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            raise SetupError(
                "Python cannot create virtual environments: install its venv package (Debian: python3-venv)."
            )
    say("Installing Python packages (about a minute when nothing is cached)")
    done = run(
        [
            PYTHON,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "--progress-bar=off",
            "-c",
            "constraints.txt",
            "-e",
            f".[{EXTRAS}]",
        ],
        # pip's own switch for the tools that build packages from source: locked like the rest
        PIP_CONSTRAINT="constraints.txt",
    )
    check(done, "pip could not install the Python packages")
    write_stamp("python", python_stamp())


def usable_venv() -> bool:
    """Whether .venv is of this folder (virtual environments cannot be moved) and of a supported Python."""
    text = output([str(PYTHON), "-c", "import sys; print(sys.prefix, *sys.version_info[:2])"])
    if text is None:
        return False
    prefix, major, minor = text.rsplit(" ", 2)
    return prefix == str(VENV) and PYTHON_FIRST <= (int(major), int(minor)) <= PYTHON_LAST


# --- npm packages


def npm_stamp() -> str:
    """Changes with the locked versions and when node_modules is gone."""
    files = (ROOT / "package.json", ROOT / "package-lock.json")
    return digest(*(path.read_text() for path in files), str((ROOT / "node_modules").is_dir()))


def start_npm() -> subprocess.Popen[str]:
    """Starts `npm ci`; programs come as optional packages, so no package's own scripts need to run."""
    forget_stamp("npm")
    say("Installing npm packages")
    command = [
        "npm",
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        "--include=dev",
        "--include=optional",
    ]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish_npm(npm: subprocess.Popen[str]) -> None:
    """Waits for it."""
    text, _ = npm.communicate()
    check(subprocess.CompletedProcess(npm.args, npm.returncode, text), "npm could not install its packages")
    write_stamp("npm", npm_stamp())


# --- Solidity compiler


def solc_stamp() -> str:
    """Changes with the wanted version and with the wrapper."""
    return digest(SOLC_VERSION, (ROOT / "scripts" / "solc.mjs").read_text())


def install_solc() -> None:
    """The native compiler where it can be downloaded and runs, else npm's WebAssembly build; says which."""
    forget_stamp("solc")
    SOLC.parent.mkdir(parents=True, exist_ok=True)
    SOLC.unlink(missing_ok=True)
    SOLC.symlink_to(os.path.relpath(ROOT / "scripts" / "solc.mjs", SOLC.parent))
    reason = install_native_solc()
    if reason:
        shutil.rmtree(NATIVE_SOLC, ignore_errors=True)
        if not right_solc():
            SOLC.unlink()
            raise SetupError(
                f"npm's solc is not version {SOLC_VERSION}: run `rm -rf node_modules` and try again."
            )
    which = f"npm's WebAssembly build ({reason})" if reason else "native"
    say(f"Solidity compiler {SOLC_VERSION}: {which}")
    write_stamp("solc", solc_stamp())


def install_native_solc() -> str | None:
    """Installs through py-solc-x. None when it works, else why not, in a few words."""
    try:
        with urllib.request.urlopen(SOLC_LIST, timeout=5) as answer:
            answer.read(1)
    except OSError:
        return "the native one cannot be downloaded from here"
    shutil.rmtree(NATIVE_SOLC, ignore_errors=True)
    NATIVE_SOLC.mkdir(parents=True)
    install = [PYTHON, "-c", "import solcx; solcx.install_solc('0.8.37')"]
    try:
        done = run(install, timeout=120, SOLCX_BINARY_PATH=str(NATIVE_SOLC))
    except subprocess.TimeoutExpired:
        return "downloading the native one took more than two minutes"
    if done.returncode or not right_solc():
        return "the native one does not install on this machine"
    return None


def right_solc() -> bool:
    """Whether the installed compiler runs and is exactly the wanted version."""
    text = output([str(SOLC), "--version"]) or ""
    return f"Version: {SOLC_VERSION}." in text


def link_foundry() -> None:
    """Puts the native forge, anvil and cast into .cache/bin, where the Makefile's PATH finds them."""
    sys.path.insert(0, str(Path(__file__).parent))
    import foundry

    folder = CACHE / "bin"
    folder.mkdir(exist_ok=True)
    for tool in foundry.TOOLS:
        link = folder / tool
        try:
            target = os.path.relpath(foundry.native(tool), folder)
        except FileNotFoundError as error:
            raise SetupError(str(error)) from None
        if not link.is_symlink() or str(link.readlink()) != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)


# --- running and remembering


def environment(**more: str) -> dict[str, str]:
    """The caller's, with every cache inside this folder. HOME stays: pip.conf and .npmrc are read there."""
    inside = {
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "npm_config_cache": str(CACHE / "npm"),
        "npm_config_update_notifier": "false",
        "SOLCX_BINARY_PATH": str(SOLC.parent),
        "XDG_CACHE_HOME": str(CACHE / "xdg"),
    }
    if not (Path.home() / ".rustup").exists():
        inside["RUSTUP_HOME"] = str(
            CACHE / "rustup"
        )  # pip asks `rustc` for its version, and rustup's then writes to HOME
    return {**os.environ, **inside, **more}


def run(
    command: list[str | Path], timeout: float | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Runs a program in this folder and keeps what it says."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def output(command: list[str]) -> str | None:
    """What a program prints; None when it is not there or fails."""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            env=environment(),
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def check(done: subprocess.CompletedProcess[str], problem: str) -> None:
    """Raises with the end of what the program said if it failed."""
    if done.returncode:
        raise SetupError("\n".join([f"{problem}:", *(done.stdout or "").strip().splitlines()[-15:]]))


def say(text: str) -> None:
    print(text, flush=True)


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def stamp_path(name: str) -> Path:
    return CACHE / "stamps" / name


def read_stamp(name: str) -> str | None:
    path = stamp_path(name)
    return path.read_text() if path.exists() else None


def write_stamp(name: str, value: str) -> None:
    stamp_path(name).parent.mkdir(parents=True, exist_ok=True)
    stamp_path(name).write_text(value)


def forget_stamp(name: str) -> None:
    stamp_path(name).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
