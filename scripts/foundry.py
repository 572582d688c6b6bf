"""Finds and runs the native forge, anvil and cast that npm brought.

npm's own launchers in node_modules/.bin answer 0 when forge's tests fail, and leave anvil running when they are
killed: nothing here goes through them.

    python scripts/foundry.py forge test
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("forge", "anvil", "cast")
SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "arm64": "arm64", "aarch64": "arm64"}


def native(tool: str) -> Path:
    """Path of the native program on this platform; FileNotFoundError says what is missing."""
    system, machine = platform.system(), platform.machine().lower()
    if system not in SYSTEMS or machine not in MACHINES:
        raise FileNotFoundError(f"npm has no {tool} for {system} on {machine}")
    package = f"@foundry-rs/{tool}-{SYSTEMS[system]}-{MACHINES[machine]}"
    path = ROOT / "node_modules" / package / "bin" / tool
    if not path.is_file():
        raise FileNotFoundError(f"{path.relative_to(ROOT)} is missing: run `make setup`")
    return path


def environment() -> dict[str, str]:
    """The caller's environment with a HOME inside the project: Foundry writes to ~/.foundry."""
    home = ROOT / ".cache" / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {**os.environ, "HOME": str(home)}


def main(arguments: list[str]) -> None:
    """Becomes the tool (same process id, same exit code)."""
    if not arguments or arguments[0] not in TOOLS:
        sys.exit(f"usage: foundry.py {'|'.join(TOOLS)} ARGUMENTS...")
    try:
        path = native(arguments[0])
    except FileNotFoundError as error:
        sys.exit(str(error))
    os.execve(path, arguments, environment())  # noqa: S606 - a fixed program, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
