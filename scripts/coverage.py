"""Coverage of the contracts by the Solidity tests, without what Forge cannot see: fails below 98 % of lines or branches.

    python scripts/coverage.py

Forge counts no line of inline assembly as executed, and coverage runs need the unoptimised `--ir-minimum`, as the sources
do not compile without the newer code generator. Lines and branches within assembly are left out here; the assembly of
MerkleSum is fuzzed against a plain twin instead. Left out as well are calls without arguments and results, for which Forge
finds no instruction: the four calls of `_checkReserves` are each shown to run by
`test_attack_a_false_ledger_of_the_right_total_reaches_no_deposits`. Gas tests are left out of the run: their figures are of
optimised code.

Not reached: ContributorRegistry refuses to bind a named id below 2^160, which no known name hashes to.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict

from foundry import ROOT, environment, native

FOLDER = ROOT / ".build" / "coverage"
LEAST = 98.0
BARE_CALL = re.compile(r"(^|\) )\s*_\w+\(\);")


def report() -> str:
    """Forge's figures in LCOV form."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "lcov.info"
    command = [
        native("forge"),
        "coverage",
        "--ir-minimum",
        "--no-match-coverage",
        "(tests|contracts/test|node_modules)",
    ]
    command += [
        "--no-match-path",
        "tests/contracts/{Gas,GriefingGas}.t.sol",
        "--report",
        "lcov",
        "--report-file",
        str(path),
    ]
    command += ["--out", str(FOLDER / "out"), "--cache-path", str(FOLDER / "cache")]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return path.read_text()


def invisible(path: str) -> set[int]:
    """Line numbers within assembly blocks, and of calls without arguments and results."""
    found, depth = set(), 0
    for number, line in enumerate((ROOT / path).read_text().splitlines(), start=1):
        if BARE_CALL.search(line):
            found.add(number)
        if depth or line.lstrip().startswith("assembly"):
            found.add(number)
            depth += line.count("{") - line.count("}")
    return found


def counts(lcov: str) -> dict[str, dict[str, list[tuple[int, bool]]]]:
    """Per file its lines and branches: (line, whether it ran)."""
    files: dict[str, dict[str, list[tuple[int, bool]]]] = {}
    unseen: set[int] = set()
    for row in lcov.splitlines():
        kind, _, rest = row.partition(":")
        values = rest.split(",")
        if kind == "SF":
            path, unseen = rest, invisible(rest)
            files[path] = defaultdict(list)
        elif kind in ("DA", "BRDA") and int(values[0]) not in unseen:
            files[path][kind].append((int(values[0]), values[-1 if kind == "BRDA" else 1] not in ("0", "-")))
    return files


def share(found: list[tuple[int, bool]]) -> float:
    """Percent that ran."""
    return 100 * sum(ran for _, ran in found) / len(found) if found else 100.0


def main() -> None:
    files = counts(report())
    for path, found in files.items():
        missing = sorted({line for kind in found.values() for line, ran in kind if not ran})
        print(
            f"{path}: lines {share(found['DA']):.1f} %, branches {share(found['BRDA']):.1f} %", missing or ""
        )
    lines, branches = (
        share([one for found in files.values() for one in found[kind]]) for kind in ("DA", "BRDA")
    )
    print(f"all: lines {lines:.1f} %, branches {branches:.1f} %; at least {LEAST} % expected")
    if min(lines, branches) < LEAST:
        sys.exit(1)


if __name__ == "__main__":
    main()
