"""Set-up: one line for what is missing, the right compiler, nothing done twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import foundry
import pytest
import setup

ROOT = Path(__file__).resolve().parent.parent


def program(folder: Path, name: str, says: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


def run_setup(path: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/setup.py"]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )


def test_a_missing_node_gives_one_line(tmp_path: Path) -> None:
    program(tmp_path, "make", "GNU Make 4.4")
    done = run_setup(str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "AME needs Node 20 or newer: `node` was not found on the PATH.\n"


def test_everything_missing_gives_one_line_each(tmp_path: Path) -> None:
    done = run_setup(str(tmp_path))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2


def test_an_old_node_is_named_with_its_version(tmp_path: Path) -> None:
    program(tmp_path, "make", "GNU Make 4.4")
    program(tmp_path, "npm", "9.0.0")
    program(tmp_path, "node", "v18.19.0")
    done = run_setup(str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "AME needs Node 20 or newer; `node --version` says v18.19.0.\n"


def test_an_unsupported_python_is_named_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(SystemExit, match=r"needs Python 3\.11, 3\.12 or 3\.13; this is 3\.9\.2"):
        setup.use_supported_python()


def test_the_installed_compiler_is_the_locked_one() -> None:
    assert setup.right_solc()


def test_a_compiler_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "solc", "Version: 0.8.36+commit.00000000.Linux.g++")
    monkeypatch.setattr(setup, "SOLC", tmp_path / "solc")
    assert not setup.right_solc()


def test_a_second_run_is_quick_and_silent() -> None:
    started = time.monotonic()
    done = run_setup(os.environ["PATH"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - started < 5


def test_caches_lie_inside_the_project_and_home_stays_readable() -> None:
    environment = setup.environment()
    for name in ("PIP_CACHE_DIR", "npm_config_cache", "SOLCX_BINARY_PATH", "XDG_CACHE_HOME"):
        assert Path(environment[name]).is_relative_to(ROOT), name
    assert environment["HOME"] == os.environ["HOME"]


def test_the_compiler_finds_npm_sources_from_any_base_path(tmp_path: Path) -> None:
    source = 'import "node_modules/@openzeppelin/contracts/utils/math/Math.sol";'
    answer = compile_below(tmp_path, source)
    assert "node_modules/@openzeppelin/contracts/utils/math/Math.sol" in answer["sources"]


def test_the_compiler_reads_nothing_outside_of_its_folders(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "Secret.sol").write_text("contract Secret {}")
    (tmp_path / "base" / "Link.sol").symlink_to(tmp_path / "Secret.sol")
    answer = compile_below(tmp_path / "base", 'import "Link.sol";')
    assert any('Source "Link.sol" not found' in error["message"] for error in answer["errors"])


def compile_below(base: Path, source: str) -> dict:
    question = {
        "language": "Solidity",
        "sources": {"A.sol": {"content": source}},
        "settings": {"outputSelection": {"*": {"": ["ast"]}}},
    }
    command = [str(setup.SOLC), "--base-path", str(base), "--standard-json"]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_forge_runs_natively_and_hands_on_its_exit_code() -> None:
    for arguments, expected in ((["--version"], 0), (["no-such-command"], 2)):
        command = [sys.executable, "scripts/foundry.py", "forge", *arguments]
        assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == expected


def test_foundry_writes_to_a_home_inside_the_project() -> None:
    assert Path(foundry.environment()["HOME"]).is_relative_to(ROOT)
