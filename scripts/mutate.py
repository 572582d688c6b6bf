"""Mutation testing of the contracts: changes them one place at a time and asks whether the state machine notices.

    python scripts/mutate.py --sample 60 --seed 1

All mutants of a batch are compiled at once. Each place asks `block.prevrandao` which mutant is on, so that one compile
serves them all, and a mutant costs one run of tests/invariants in pyrevm; what that leaves, one run of the Solidity
tests in a copy of the project. Nothing is written below contracts/.
Places: syntax-tree nodes of functions. Changes: comparison moved by one or negated, + for -, && for ||, a guard that never
fires, a statement left out. Not changed: assembly (fuzzed against plain twins), events and constants.
Prints figures, and the survivors with their places; docs/mutation.md explains those. What was found is kept in
.build/mutants.json, so a run that was stopped goes on where it was: a kill as long as the contracts stay the same (tests
are added, seldom taken away; --again forgets them), a survival as long as the tests do, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from foundry import environment, native

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SOURCES = (
    "contracts/SettlementPool.sol",
    "contracts/ContributorRegistry.sol",
    "contracts/pool",
    "contracts/libraries",
)
SHIPPED = ("SettlementPool", "ContributorRegistry")
KNOWN = ROOT / ".build" / "mutants.json"
MACHINE, SOLIDITY = "the state machine", "the Solidity tests"
MOST_TOGETHER = 120
SWITCH = "contracts/Mutant.sol"
SWITCH_CODE = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

library Mutant {
    /// Whether this mutant is on; looks pure, so that pure functions can be changed too.
    function on(uint256 number) internal pure returns (bool) {
        function(uint256) internal view returns (bool) real = _on;
        function(uint256) internal pure returns (bool) pretended;
        assembly ("memory-safe") { pretended := real }
        return pretended(number);
    }

    function _on(uint256 number) private view returns (bool) {
        return block.prevrandao == number;
    }
}
"""
OTHER_OPERATORS = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
    "+": ("-",), "-": ("+",), "&&": ("||",), "||": ("&&",),
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """`text` with `{on}` in it replaces bytes start..end of a file."""

    path: str
    start: int
    end: int
    kind: str
    text: str

    def line(self, source: bytes) -> int:
        """Where it is."""
        return source[: self.start].count(b"\n") + 1


def _sources() -> dict[str, bytes]:
    return {
        str(path.relative_to(ROOT)): path.read_bytes()
        for path in sorted((ROOT / "contracts").rglob("*.sol"))
        if "test" not in path.parts
    }


def _compile(sources: dict[str, bytes], selection: dict[str, Any]) -> dict[str, Any]:
    """solc's answer. The older code generator compiles in half the time; meaning is the same."""
    request = {
        "language": "Solidity",
        "sources": {path: {"content": text.decode()} for path, text in sources.items()},
        "settings": {
            "remappings": ["@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/"],
            "optimizer": {"enabled": True, "runs": 1},
            "viaIR": False,
            "evmVersion": "prague",
            "outputSelection": selection,
        },
    }
    done = subprocess.run(
        [ROOT / ".cache" / "solcx" / "solc-v0.8.37", "--standard-json", "--base-path", "."],
        cwd=ROOT, input=json.dumps(request), capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    errors = [error["formattedMessage"] for error in answer.get("errors", ()) if error["severity"] == "error"]
    if errors:
        raise ValueError("\n".join(errors))
    return answer


def _walk(node: Any, parents: tuple[str, ...] = ()) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    if isinstance(node, dict):
        kind = node.get("nodeType", "")
        if kind:
            yield node, parents
        for value in node.values():
            yield from _walk(value, (*parents, kind) if kind else parents)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value, parents)


def _range(node: dict[str, Any]) -> tuple[int, int]:
    start, length, _ = map(int, node["src"].split(":"))
    return start, start + length


def mutants(sources: dict[str, bytes]) -> list[Mutant]:
    """Every change, in the order of the sources."""
    chosen = [path for path in sources if path.startswith(SOURCES)]
    trees = _compile(sources, {"*": {"": ["ast"]}})["sources"]
    found = []
    for path in chosen:
        source = sources[path]

        def text(node: dict[str, Any], source: bytes = source) -> str:
            start, end = _range(node)
            return source[start:end].decode()

        for node, parents in _walk(trees[path]["ast"]):
            if (
                "FunctionDefinition" not in parents
                or "InlineAssembly" in parents
                or "ModifierInvocation" in parents
            ):
                continue
            start, end = _range(node)
            kind = node["nodeType"]
            if kind == "BinaryOperation":
                left, right, old = (
                    text(node["leftExpression"]),
                    text(node["rightExpression"]),
                    node["operator"],
                )
                for new in OTHER_OPERATORS.get(old, ()):
                    changed = f"(Mutant.on({{on}}) ? ({left} {new} {right}) : ({left} {old} {right}))"
                    found.append(Mutant(path, start, end, f"{old} to {new}", changed))
            elif kind == "IfStatement":
                start, end = _range(node["condition"])
                found.append(
                    Mutant(
                        path,
                        start,
                        end,
                        "condition false",
                        f"(!Mutant.on({{on}}) && ({text(node['condition'])}))",
                    )
                )
            elif kind == "ExpressionStatement" and _can_be_left_out(node["expression"]):
                ending = source.index(b";", end - 1) + 1
                if source[end : ending - 1].strip():
                    continue  # a loop's step, which no semicolon ends
                changed = f"if (!Mutant.on({{on}})) {{ {source[start:ending].decode()} }}"
                if (
                    parents[-1] == "IfStatement"
                ):  # without braces of its own: an else that follows is not ours
                    changed = f"{{ {changed} }}"
                found.append(Mutant(path, start, ending, "left out", changed))
    return found


def _can_be_left_out(expression: dict[str, Any]) -> bool:
    """Storage and calldata pointers must be set."""
    if expression["nodeType"] != "Assignment":
        return True
    kind = expression["leftHandSide"]["typeDescriptions"]["typeString"]
    return not any(word in kind for word in ("storage pointer", "calldata", "tuple"))


def batches(every: list[Mutant]) -> list[list[Mutant]]:
    """Mutants that do not overlap stand together, up to a number whose code still fits into a block."""
    made: list[list[Mutant]] = []
    for mutant in every:
        for batch in made:
            if len(batch) < MOST_TOGETHER and all(
                mutant.path != one.path or mutant.end <= one.start or one.end <= mutant.start for one in batch
            ):
                batch.append(mutant)
                break
        else:
            made.append([mutant])
    return made


def mutated(sources: dict[str, bytes], batch: list[Mutant]) -> dict[str, bytes]:
    """The sources with all of a batch's mutants in them; the first is on for prevrandao 1 and so forth."""
    changed = dict(sources)
    for number, mutant in sorted(enumerate(batch, start=1), key=lambda item: -item[1].start):
        source = changed[mutant.path]
        text = mutant.text.replace("{on}", str(number)).encode()
        changed[mutant.path] = source[: mutant.start] + text + source[mutant.end :]
    for path in {mutant.path for mutant in batch}:
        changed[path] = import_switch(path, changed[path])
    changed[SWITCH] = SWITCH_CODE.encode()
    return changed


def import_switch(path: str, source: bytes) -> bytes:
    """A source that knows the switch."""
    up = "../" * (path.count("/") - 1) or "./"
    line = f'import {{Mutant}} from "{up}Mutant.sol";\n'.encode()
    at = source.index(b"pragma solidity 0.8.37;\n") + len(b"pragma solidity 0.8.37;\n")
    return source[:at] + line + source[at:]


def compiled(sources: dict[str, bytes]) -> dict[str, Any]:
    """Artifacts of the contracts."""
    answer = _compile(
        sources, {f"contracts/{name}.sol": {name: ["abi", "evm.bytecode.object"]} for name in SHIPPED}
    )
    return {name: answer["contracts"][f"contracts/{name}.sol"][name] for name in SHIPPED}


def killed(artifacts: dict[str, Any], number: int, examples: int) -> bool:
    """Whether the state machine notices; fixed examples, so the answer repeats. Mutant 0 is none."""
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.stateful import run_state_machine_as_test

    from tests.invariants.evm import Code
    from tests.invariants.pool_machine import PoolMachine
    from tests.invariants.test_pool_attacks import ATTACKS
    from tests.invariants.test_pool_stories import EVEN, STORIES

    @cache
    def code(name: str) -> Code:
        if name not in artifacts:
            return Code.frozen(name)
        return Code(artifacts[name]["abi"], bytes.fromhex(artifacts[name]["evm"]["bytecode"]["object"]))

    profile = settings(
        max_examples=examples, stateful_step_count=40, deadline=None, derandomize=True, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    for ether in (True, False):
        members = {
            "ether": ether, "codes": staticmethod(code), "prevrandao": number.to_bytes(32), "unlimited_code": True,
        }  # fmt: skip
        machine = type("MutatedPool", (PoolMachine,), members)
        try:
            for story in STORIES:
                life = machine()
                life.open_pool(EVEN, False)
                story(life)
            for attack in ATTACKS:
                attack(machine())
            run_state_machine_as_test(machine, settings=profile)
        except BaseException as error:  # whatever a broken contract does to the test is a kill
            if isinstance(error, KeyboardInterrupt) or not number:
                raise
            return True
    return False


class Forge:
    """The Solidity tests, against the mutants that the state machine left: in a copy of the project, compiled once."""

    def __init__(self, sources: dict[str, bytes], batch: list[Mutant], folder: Path) -> None:
        self.folder = folder
        for name in ("node_modules", ".cache", "foundry.toml"):
            (folder / name).symlink_to(ROOT / name)
        # Vectors.t.sol needs the newer code generator.
        leave = shutil.ignore_patterns("*Gas.t.sol", "Vectors.t.sol")
        shutil.copytree(ROOT / "tests" / "contracts", folder / "tests" / "contracts", ignore=leave)
        shutil.copytree(ROOT / "tests" / "vectors", folder / "tests" / "vectors")
        shutil.copytree(ROOT / "contracts", folder / "contracts")
        for path, text in mutated(sources, batch).items():
            (folder / path).write_bytes(text)

    def killed(self, number: int) -> bool:
        """Whether any test fails, the named ones first, as they take seconds; without gas, which every mutant changes."""
        return self._fails("^test_", number) or self._fails("^(testFuzz|invariant)_", number)

    def _fails(self, pattern: str, number: int) -> bool:
        command = [native("forge"), "test", "--fail-fast", "--match-test", pattern]
        command += ["--block-prevrandao", "0x" + number.to_bytes(32).hex()]
        settings = {
            **environment(), "FOUNDRY_PROFILE": "quick", "FOUNDRY_FUZZ_RUNS": "32",
            "FOUNDRY_INVARIANT_RUNS": "8", "FOUNDRY_INVARIANT_DEPTH": "64",
        }  # fmt: skip
        done = subprocess.run(
            command, cwd=self.folder, env=settings, capture_output=True, text=True, check=False
        )
        if done.returncode and ("Ran" not in done.stdout or not number):  # mutant 0 is none
            sys.exit(f"forge, with no mutant on: {done.stdout[-3000:]}{done.stderr[-1000:]}")
        return done.returncode != 0


def show(mutant: Mutant, source: bytes) -> str:
    """Place, change and the code."""
    code = " ".join(source[mutant.start : mutant.end].decode().split())
    return f"{mutant.path}:{mutant.line(source)} [{mutant.kind}] {code}"


def _tests(folder: str) -> bytes:
    files = sorted((ROOT / "tests" / folder).rglob("*.*"))
    return b"".join(path.read_bytes() for path in files if path.suffix in (".py", ".sol"))


class Memory:
    """Who killed which mutant of these sources, in a file."""

    def __init__(self, sources: dict[str, bytes], again: bool) -> None:
        self.known: dict[str, str] = {} if again or not KNOWN.exists() else json.loads(KNOWN.read_text())
        self.sources = b"".join(sources.values())
        # What a survival depends on: the tests that were asked.
        self.tests = {MACHINE: _tests("invariants"), SOLIDITY: _tests("invariants") + _tests("contracts")}

    def _key(self, mutant: Mutant, *more: bytes) -> str:
        return hashlib.sha256(b"".join([self.sources, repr(mutant).encode(), *more])).hexdigest()

    def verdict(self, mutant: Mutant) -> str:
        """Who killed it, or who was asked in vain; empty if nobody was."""
        keys = [self._key(mutant), *(self._key(mutant, self.tests[by]) for by in (SOLIDITY, MACHINE))]
        return next((self.known[key] for key in keys if key in self.known), "")

    def killed(self, mutant: Mutant, by: str) -> None:
        self._write(self._key(mutant), by)

    def left(self, mutant: Mutant, by: str) -> None:
        self._write(self._key(mutant, self.tests[by]), f"left by {by}")

    def _write(self, key: str, verdict: str) -> None:
        self.known[key] = verdict
        KNOWN.parent.mkdir(exist_ok=True)
        KNOWN.write_text(json.dumps(self.known))


class OutOfTimeError(Exception):
    """The run's time is over; what was found is kept."""


def by_machine(
    sources: dict[str, bytes], batch: list[Mutant], memory: Memory, examples: int, end: float
) -> None:
    """Asks the state machine about the mutants of a batch that nobody was asked about."""
    asked = [(number, one) for number, one in enumerate(batch, start=1) if not memory.verdict(one)]
    if not asked:
        return
    artifacts = compiled(mutated(sources, batch))
    killed(artifacts, 0, examples)
    for number, mutant in asked:
        if time.monotonic() > end:
            raise OutOfTimeError
        if killed(artifacts, number, examples):
            memory.killed(mutant, MACHINE)
        else:
            print(f"the state machine leaves {show(mutant, sources[mutant.path])}", flush=True)
            memory.left(mutant, MACHINE)


def by_forge(sources: dict[str, bytes], batch: list[Mutant], memory: Memory, end: float) -> None:
    """Asks the Solidity tests about the mutants that the state machine has left."""
    batch = [one for one in batch if memory.verdict(one) == f"left by {MACHINE}"]
    if not batch:
        return
    with tempfile.TemporaryDirectory() as folder:
        forge = Forge(sources, batch, Path(folder))
        forge.killed(0)
        for number, mutant in enumerate(batch, start=1):
            if time.monotonic() > end:
                raise OutOfTimeError
            if forge.killed(number):
                memory.killed(mutant, SOLIDITY)
            else:
                print(f"left by all: {show(mutant, sources[mutant.path])}", flush=True)
                memory.left(mutant, SOLIDITY)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sample", type=int, default=0, help="how many mutants, drawn by --seed; 0 is all of them"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only places in files whose path has this in it")
    parser.add_argument(
        "--examples", type=int, default=10, help="lives of a pool per mutant and kind of money"
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--again", action="store_true", help="forget what earlier runs have found")
    chosen = parser.parse_args()
    end = time.monotonic() + chosen.seconds
    sources = _sources()
    every = [mutant for mutant in mutants(sources) if chosen.only in mutant.path]
    print(f"{len(every)} mutants: {dict(Counter(mutant.path for mutant in every))}", flush=True)
    if chosen.sample:
        dice = random.Random(chosen.seed)  # noqa: S311 - which mutants, repeatably
        every = sorted(dice.sample(every, min(chosen.sample, len(every))), key=every.index)
    memory = Memory(sources, chosen.again)
    late = False
    try:
        for batch in batches(every):
            by_machine(sources, batch, memory, chosen.examples, end)
        for batch in batches([one for one in every if memory.verdict(one) == f"left by {MACHINE}"]):
            by_forge(sources, batch, memory, end)
    except OutOfTimeError:
        late = True
    verdicts = {mutant: memory.verdict(mutant) for mutant in every}
    for mutant, verdict in verdicts.items():
        if verdict == f"left by {SOLIDITY}":
            print(f"survived {show(mutant, sources[mutant.path])}")
    for verdict, count in Counter(verdicts.values()).most_common():
        print(f"{count} of {len(every)}: {verdict or 'not asked yet'}")
    if late:
        sys.exit("out of time; run again to go on")


if __name__ == "__main__":
    main()
