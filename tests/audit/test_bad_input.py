"""Whatever lies in a bundle's folder: a sentence, never a traceback; and never "true" of what was posted otherwise."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ame.bundle import read_bundle
from ame.cli import cli
from ame.errors import AmeError
from tests.audit.synthetic import History
from tests.audit.tampering import copy_of, honest_history

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "manifest.json", "settlement.json", "usage.jsonl", "coalitions.json", "shares.json", "rights.yaml",
    "allocation.jsonl", "ledger/prompt.bin",
)  # fmt: skip
STRANGE = (
    b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"[" * 5_000, b'{"a":' * 5_000, b"9" * 5_000, b"1e400", b"NaN", b"-0",
    b'"\\ud800"', b"null", b"{}", b"[]", b'"', b"\n", b"\r\n", b"\xe2\x80\xae", b"&a [*a]", b"!!python/object:os.system x",
)  # fmt: skip


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> History:
    return honest_history(tmp_path_factory.mktemp("honest"))


def garbled(data: bytes, chance: random.Random) -> bytes:
    """One to three changes: of a bit, a byte, a stretch, or something strange put in."""
    for _ in range(chance.randrange(1, 4)):
        at, to = sorted((chance.randrange(len(data) + 1), chance.randrange(len(data) + 1)))
        kind = chance.randrange(7)
        if kind == 0 and data:
            at %= len(data)
            data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + chance.choice(STRANGE) + data[at:]
        elif kind == 2:
            data = data[:at] + chance.choice(STRANGE) + data[to:]
        elif kind == 3:
            data = data[:at]
        elif kind == 4:
            data = data[:at] + data[at:to] * 2 + data[to:]
        elif kind == 5:
            data = data[:at] + bytes(chance.randrange(256) for _ in range(4)) + data[at:]
        else:
            data = _other_value(data, chance)
    return data


def _other_value(data: bytes, chance: random.Random) -> bytes:
    """Of JSON, a value of another kind in the place of one that is there: what parses must be checked, too."""
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    try:
        document = json.loads(lines[at])
    except ValueError:
        return data
    here = document
    while isinstance(here, dict | list) and here:
        key: Any = chance.choice(sorted(here)) if isinstance(here, dict) else chance.randrange(len(here))
        if not isinstance(here[key], dict | list) or not here[key] or chance.random() < 0.3:
            here[key] = chance.choice(
                [
                    None,
                    True,
                    -1,
                    0,
                    2**70,
                    "",
                    "0",
                    "-1",
                    "9" * 100,
                    [],
                    {},
                    [[]],
                    "0x",
                    "1/0",
                    here[key],
                    "\x7f\n",
                ]
            )
            break
        here = here[key]
    lines[at] = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode(
        errors="surrogatepass"
    )
    return b"\n".join(lines)


BLOCKS = [pytest.param(block, marks=() if block < 2 else pytest.mark.deep) for block in range(40)]


@pytest.mark.parametrize("block", BLOCKS)
def test_garbled_parts_end_in_a_sentence(honest: History, tmp_path: Path, block: int) -> None:
    """100 a block, 4,000 in all; every other one is posted, so that all checks meet what parses."""
    original = {part: (honest.folders[-1] / part).read_bytes() for part in PARTS}
    copy = copy_of(honest, tmp_path)
    facts = copy.facts
    for number in range(100):
        chance = random.Random(f"{block} {number}")
        part = chance.choice(PARTS)
        (copy.folder / part).write_bytes(garbled(original[part], chance))
        posted = part != "manifest.json" and chance.random() < 0.5
        if posted:
            copy.repost()
        report = copy.report()
        assert all(check.expected != "a check that ends" for check in report.checks), (
            block,
            number,
            report.sentence,
        )
        with suppress(AmeError):
            read_bundle(copy.folder)
        for command in (["bundle", "show"], ["statement", "--contributor", "hf:p1"], ["audit"]):
            ends_with_a_sentence([*command, str(copy.folder)])
        for name in (part, "manifest.json"):
            (copy.folder / name).write_bytes(original[name])
        copy.facts = facts


def ends_with_a_sentence(arguments: list[str]) -> None:
    """`main` prints an AmeError as one line."""
    done = CliRunner().invoke(cli, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit | AmeError), (
        arguments,
        done.exception,
    )


@pytest.mark.parametrize(
    "name", ["../usage.jsonl", "/etc/passwd", "a\\b", "ledger/../x.bin", "./usage.jsonl", "", "a\0b"]
)
def test_names_of_parts_that_lead_elsewhere_are_refused(honest: History, tmp_path: Path, name: str) -> None:
    copy = copy_of(honest, tmp_path)
    copy.document("manifest.json", lambda m: m["parts"].update({name: m["parts"]["usage.jsonl"]}))
    assert copy.report().exit_code == 1
    with pytest.raises(AmeError):
        read_bundle(copy.folder)


@pytest.mark.parametrize("target", ["/etc/hostname", "settlement.json", "loop", "missing"])
def test_links_are_refused(honest: History, tmp_path: Path, target: str) -> None:
    copy = copy_of(honest, tmp_path)
    path = copy.folder / "shares.json"
    path.unlink()
    path.symlink_to("shares.json" if target == "loop" else target)
    report = copy.report()
    assert report.exit_code == 1, report.sentence
    assert "link" in report.sentence
    with pytest.raises(AmeError):
        read_bundle(copy.folder)


def test_folders_and_pipes_in_the_place_of_parts_are_refused(honest: History, tmp_path: Path) -> None:
    import os

    copy = copy_of(honest, tmp_path)
    (copy.folder / "shares.json").unlink()
    os.mkfifo(copy.folder / "shares.json")
    (copy.folder / "usage.jsonl").unlink()
    (copy.folder / "usage.jsonl").mkdir()
    assert copy.report().exit_code == 1
    with pytest.raises(AmeError):
        read_bundle(copy.folder)


DEEP = """
import sys
from pathlib import Path
from ame.audit.audit import audit
from ame.bundle import parse_json
from ame.errors import FileError
from ame.mapping.rights import parse_rights

sys.setrecursionlimit(100_000)
for read in (parse_json, lambda data, file: parse_rights(data.decode(), file)):
    for data in (b"[" * 200_000, b'{"a":' * 200_000):
        try:
            read(data, "deep.json")
        except FileError as error:
            print(error)
print(audit([Path(sys.argv[1])], None).exit_code, sys.getrecursionlimit())
"""


def test_nesting_without_end_does_not_end_the_program(honest: History, tmp_path: Path) -> None:
    """Libraries of Ethereum raise Python's recursion limit to where C code runs out of stack."""
    copy = copy_of(honest, tmp_path)
    for part in ("shares.json", "usage.jsonl", "rights.yaml", "allocation.jsonl"):
        copy.raw(part, lambda _: b"[" * 200_000 + b"]" * 200_000 + b"\n")
    copy.repost()
    done = subprocess.run(
        [sys.executable, "-c", DEEP, str(copy.folder)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("deep.json") == 4
    assert done.stdout.splitlines()[-1] == "1 100000"
