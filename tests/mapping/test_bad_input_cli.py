"""Every kind of bad input on the command line: exit code 1, and one line that names file, line and field."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ame.cli import main
from tests.mapping import ALICE_WALLET, HEAD, REGISTRAR, asset, text_of

BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
)
RIGHTS = {
    "duplicate asset id": (text_of(asset("a") + "\n" + asset("a")), 12, "assets[1].id", "'a' is given twice"),
    "duplicate contributor": (
        text_of(asset("a"), HEAD.replace("hf:carol", "hf:bob")), 6, "contributors[2].name", "'hf:bob' is given twice",
    ),
    "confusable letter": (
        text_of(asset("a"), HEAD.replace("hf:alice", "hf:\u0430lice")),
        4, "contributors[0].name", r"expected printable ASCII without blanks .* got 'hf:\\u0430lice'",
    ),
    "name that differs in case only": (
        text_of(asset("a"), HEAD.replace("hf:carol", "hf:BOB")),
        6, "contributors[2].name", "'hf:BOB' could be mistaken for 'hf:bob'",
    ),
    "wrong checksum": (
        text_of(asset("a"), HEAD.replace(ALICE_WALLET, ALICE_WALLET.replace("F", "f", 1))),
        4, "contributors[0].wallet", r"expected a checksummed address \(EIP-55\), got",
    ),
    "zero address": (
        text_of(asset("a"), HEAD.replace(ALICE_WALLET, "0x" + "0" * 40)),
        4, "contributors[0].wallet", "expected an address other than zero",
    ),
    "duplicate key": (text_of(asset("a", "stage: prompt, stage: prompt")), 11, "stage", "the key is given twice"),
    "aliases that explode": (BOMB, 1, None, "anchors are not allowed: &a0"),
    "path traversal": (text_of(asset("a", "path: ../../etc/passwd")), 11, r"assets[0].path", "expected a/b/c"),
    "absolute path": (text_of(asset("a", "path: /etc/passwd")), 11, r"assets[0].path", "expected a/b/c"),
    "date without zone": (
        text_of(asset("a").replace("00:00:00Z", "00:00:00")),
        11, "assets[0].holders[0].from", "expected a time with its zone such as 2026-01-01T00:00:00Z, got",
    ),
    "date without time": (
        text_of(asset("a").replace("T00:00:00Z", "")), 11, "assets[0].holders[0].from", "expected a time with its zone",
    ),
}  # fmt: skip
CARDS = {
    "duplicate key": ("license: mit\nlicense: mit", 3, "license", "the key is given twice"),
    "alias": ("a: &x [1]\nb: *x", 2, None, "anchors are not allowed: &x"),
    "path traversal": ("base_model: ../../secret", 2, "base_model", "expected a/b/c"),
    "confusable letter": ("base_model: acme/m\u043edel", 2, "base_model", "expected printable ASCII"),
}


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run `ame`; the one line of its error."""
    monkeypatch.setattr(sys, "argv", ["ame", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    found = capsys.readouterr()
    assert (ended.value.code, found.out) == (1, "")
    assert found.err.isascii()
    [line] = found.err.splitlines()
    return line


def pattern(path: Path, line: int, field: str | None, message: str) -> str:
    where = f"{re.escape(field)}: " if field else ""
    return rf"Error: {re.escape(str(path))}:{line}: {where}{message}"


@pytest.mark.parametrize("command", ["check", "show"])
@pytest.mark.parametrize("case", RIGHTS)
def test_a_bad_rights_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    case: str,
) -> None:
    text, line, field, message = RIGHTS[case]
    path = tmp_path / "rights.yaml"
    path.write_text(text)
    found = fails(monkeypatch, capsys, "rights", command, str(path))
    assert re.match(pattern(path, line, field, message), found), found


@pytest.mark.parametrize("case", CARDS)
def test_a_bad_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    text, line, field, message = CARDS[case]
    path = tmp_path / "acme" / "model" / "README.md"
    path.parent.mkdir(parents=True)
    path.write_text(f"---\n{text}\n---\n")
    found = fails(monkeypatch, capsys, "rights", "import", str(path), "--registrar", REGISTRAR)
    assert re.match(pattern(path, line, field, message), found), found


def test_a_card_of_fifty_megabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(b"---\n" + b"x: " + b"y" * 50 * 2**20)
    found = fails(monkeypatch, capsys, "rights", "import", f"acme/model={path}", "--registrar", REGISTRAR)
    assert found == f"Error: {path}: expected at most 4194304 bytes, got 52428807"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--registrar", REGISTRAR.lower()], "--registrar: expected a checksummed address"),
        (["--registrar", "0x" + "0" * 40], "--registrar: expected an address other than zero"),
        (["--registrar", REGISTRAR, "--since", "2026-01-01"], "--since: expected a time with its zone"),
    ],
)
def test_bad_options(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    path = tmp_path / "README.md"
    path.write_text("---\nlicense: mit\n---\n")
    assert message in fails(monkeypatch, capsys, "rights", "import", f"acme/model={path}", *arguments)


@pytest.mark.parametrize(
    "arguments", [["show", "--svg", "OUTPUT"], ["import", "--registrar", REGISTRAR, "-o", "OUTPUT"]]
)
def test_an_output_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    rights, output = tmp_path / "rights.yaml", tmp_path / "nowhere" / "out"
    rights.write_text(text_of(asset("a")))
    (tmp_path / "hub.jsonl").write_text(
        '{"id": "acme/model", "cardData": {"license": "mit", "datasets": []}}\n'
    )
    source = rights if arguments[0] == "show" else tmp_path / "hub.jsonl"
    filled = [str(output) if one == "OUTPUT" else one for one in arguments]
    monkeypatch.setattr(sys, "argv", ["ame", "rights", *filled, str(source)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"Error: {output}: No such file or directory"
