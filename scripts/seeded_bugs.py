"""Seeded bugs of the contracts, tests/seeded: which of four tools sees each? Fails where fewer than two do.

    python scripts/seeded_bugs.py [NAME ...] [--minutes 20] [--write]

The tools are Forge's fuzz tests, Forge's invariants, Halmos and the state machine in pyrevm. A bug is a few edits of the
shipped sources; what an edit looks for must stand there once. All bugs are compiled at once, in a copy of the project, and
`block.prevrandao` says which one is on ({on} in an edit). With none on, every test must be content; of the proofs `make
prove` shows that. A bug names the proofs that must show a counterexample of it, and every proof must be named by some bug,
so none passes emptily. Beside the four, a column shows what the named tests see. --write puts the table into
docs/proofs.md. What a tool said is remembered as long as the contracts, the bug and that tool's tests stay the same, so a
run that was cut short goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import prove
from foundry import ROOT, environment, native
from mutate import SWITCH, SWITCH_CODE, _sources, compiled, import_switch, killed

FOLDER = ROOT / ".build" / "seeded"
BUGS = ROOT / "tests" / "seeded"
TABLE = ROOT / "docs" / "proofs.md"
TOOLS = ("fuzz", "invariants", "halmos", "state machine")
SEEN = ROOT / ".build" / "seeded.json"
FORGE = {"fuzz": "^testFuzz_", "invariants": "^invariant_", "named tests": "^test_"}
# What a tool's answer depends on, beside the contracts and the bug.
READS = {
    **dict.fromkeys(FORGE, "tests/contracts"),
    "halmos": "tests/proofs",
    "state machine": "tests/invariants",
}
EXAMPLES = 10  # lives of a pool per kind of money, after the stories


@dataclass(frozen=True)
class Edit:
    """`replace` in place of `find`, once, in a file."""

    file: str
    find: str
    replace: str


@dataclass(frozen=True)
class Bug:
    """One variant of the contracts."""

    number: int  # the prevrandao that turns it on
    name: str
    what: str
    proofs: tuple[str, ...]
    edits: tuple[Edit, ...]


def bugs() -> list[Bug]:
    """All of them, in the order of their names."""
    found = []
    for number, path in enumerate(sorted(BUGS.glob("*.toml")), start=1):
        text = tomllib.loads(path.read_text())
        edits = tuple(Edit(**edit) for edit in text["edits"])
        found.append(Bug(number, path.stem, text["what"], tuple(text["proofs"]), edits))
    unseen = {name for names in prove.properties().values() for name in names} - {
        name for bug in found for name in bug.proofs
    }
    if unseen:
        sys.exit(f"no seeded bug refutes {', '.join(sorted(unseen))}")
    return found


def seeded(every: list[Bug]) -> dict[str, bytes]:
    """The sources with all bugs in them; ValueError names an edit that does not fit."""
    texts = {path: text.decode() for path, text in _sources().items()}
    for bug in every:
        for edit in bug.edits:
            if texts[edit.file].count(edit.find) != 1:
                raise ValueError(f"{bug.name}: {edit.find!r} stands not once in {edit.file}")
            on = f"Mutant.on({bug.number})"
            texts[edit.file] = texts[edit.file].replace(edit.find, edit.replace.replace("{on}", on))
    for path in {edit.file for bug in every for edit in bug.edits}:
        texts[path] = import_switch(path, texts[path].encode()).decode()
    return {**{path: text.encode() for path, text in texts.items()}, SWITCH: SWITCH_CODE.encode()}


def copy(sources: dict[str, bytes]) -> None:
    """The project with other sources. What was compiled before stays for the compiler's cache."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("node_modules", ".cache", "foundry.toml"):
        if not (FOLDER / name).is_symlink():
            (FOLDER / name).symlink_to(ROOT / name)
    for name in ("contracts", "tests"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    # Gas would change with every edit; Vectors.t.sol needs the newer code generator.
    leave = shutil.ignore_patterns("*Gas.t.sol", "Vectors.t.sol")
    for name in ("contracts", "tests/proofs", "tests/vectors"):
        shutil.copytree(ROOT / name, FOLDER / name)
    shutil.copytree(ROOT / "tests" / "contracts", FOLDER / "tests" / "contracts", ignore=leave)
    for path, text in sources.items():
        (FOLDER / path).write_bytes(text)


def forge(kind: str, number: int) -> bool:
    """Whether a test of this kind fails."""
    settings = {
        **environment(), "FOUNDRY_PROFILE": "quick", "FOUNDRY_FUZZ_RUNS": "64",
        "FOUNDRY_INVARIANT_RUNS": "16", "FOUNDRY_INVARIANT_DEPTH": "64",
    }  # fmt: skip
    command = [native("forge"), "test", "--fail-fast", "--match-test", FORGE[kind]]
    done = subprocess.run(
        [*command, "--block-prevrandao", "0x" + number.to_bytes(32).hex()],
        cwd=FOLDER, env=settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "Ran" not in done.stdout:
        sys.exit(f"forge: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.returncode != 0


def refuted(bug: Bug) -> list[str]:
    """The bug's proofs for which Halmos shows no counterexample."""
    if not bug.proofs:
        return []
    found = prove.halmos(FOLDER, list(bug.proofs), bug=bug.number, first=True)
    return sorted(set(bug.proofs) - {one.name for one in found if one.verdict == "refuted"})


class Memory:
    """What tools said, in a file. Nothing is compiled before the first question that has no answer."""

    def __init__(self, path: Path, every: list[Bug]) -> None:
        self.every = every
        self.path = path
        self.said: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self.sources = hashlib.sha256(b"".join(_sources().values())).hexdigest()
        self.seconds = 0.0  # what the answers took, in this run or an earlier one

    @cached_property
    def artifacts(self) -> dict[str, Any]:
        """The contracts with all bugs in them, in a copy of the project."""
        sources = seeded(self.every)
        copy(sources)
        prove.build(FOLDER)
        return compiled(sources)

    def ask(self, tool: str, bugs: list[Bug], question: Callable[[dict[str, Any]], Any]) -> Any:
        """The answer to a question to a tool about these bugs, asked only if it was not before."""
        every = hashlib.sha256(f"{self.sources}{tool}{bugs}".encode())
        for file in sorted((ROOT / READS[tool]).rglob("*.*")):
            every.update(file.read_bytes() if file.suffix in (".sol", ".py") else b"")
        if (key := every.hexdigest()) not in self.said:
            artifacts, began = self.artifacts, time.monotonic()
            self.said[key] = [question(artifacts), time.monotonic() - began]
            self.path.write_text(json.dumps(self.said))
        answer, seconds = self.said[key]
        self.seconds += seconds
        return answer


def content(memory: Memory, every: list[Bug]) -> None:
    """Ends the program if some tool but Halmos complains with no bug on."""
    for kind in FORGE:
        if memory.ask(kind, every, lambda _, kind=kind: forge(kind, 0)):
            sys.exit(f"{kind} of Forge fail with no bug on")
    memory.ask("state machine", every, lambda artifacts: killed(artifacts, 0, EXAMPLES))


def row(bug: Bug, seen: dict[str, bool]) -> str:
    """One line of the table."""
    marks = " | ".join("yes" if seen[kind] else "" for kind in (*TOOLS, "named tests"))
    return f"| `{bug.name}` | {bug.what} | {marks} |"


HEAD = f"| bug | what it does | {' | '.join((*TOOLS, 'named tests'))} |\n|---|---|{'---|' * 5}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only these bugs")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--write", action="store_true", help="put the table into docs/proofs.md")
    chosen = parser.parse_args()
    began = time.monotonic()
    every = bugs()
    prove.set_up()
    tried = [bug for bug in every if not chosen.names or bug.name in chosen.names]
    memory = Memory(SEEN, every)
    content(memory, every)
    print(f"with no bug on, tests are content after {time.monotonic() - began:.0f} s\n{HEAD}", flush=True)
    wrong, rows = [], []
    for bug in tried:
        if time.monotonic() - began > 60 * chosen.minutes:
            sys.exit(f"stopped before {bug.name}; run again to go on")
        empty = memory.ask("halmos", [bug], lambda _, bug=bug: refuted(bug))
        wrong += [f"{bug.name} does not refute {name}" for name in empty]
        seen = {
            kind: memory.ask(kind, [bug], lambda _, kind=kind, bug=bug: forge(kind, bug.number))
            for kind in FORGE
        }
        seen |= {
            "halmos": bool(set(bug.proofs) - set(empty)),
            "state machine": memory.ask(
                "state machine", [bug], lambda artifacts, bug=bug: killed(artifacts, bug.number, EXAMPLES)
            ),
        }
        rows.append(row(bug, seen))
        print(rows[-1], flush=True)
        if sum(seen[kind] for kind in TOOLS) < 2:
            wrong.append(f"{bug.name} is seen by fewer than two of {', '.join(TOOLS)}")
    proofs = {name for bug in tried for name in bug.proofs}
    summary = f"{len(tried)} bugs, {len(proofs)} proofs, {memory.seconds / 60:.0f} minutes"
    print("\n".join([f"{summary}; {len(wrong)} complaints", *wrong]))
    if chosen.write and not wrong:
        write(rows, summary)
    if wrong:
        sys.exit(1)


def write(rows: list[str], summary: str) -> None:
    """The table between the marks of the document."""
    text = TABLE.read_text()
    start, end = text.index("<!-- table -->"), text.index("<!-- end of table -->")
    table = "\n".join([HEAD, *rows, "", f"{summary}."])
    TABLE.write_text(f"{text[:start]}<!-- table -->\n{table}\n{text[end:]}")


if __name__ == "__main__":
    main()
