from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from ame.bundle import (
    LEDGER_RECORD_BYTES,
    Bundle,
    Token,
    encode_parts,
    evidence_of,
    parse_json,
    read_bundle,
    write_bundle,
)
from ame.errors import FileError, InputError
from ame.pipeline import settle
from tests.audit.synthetic import POOL, random_epoch

Change = Callable[[Any], Any]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """One epoch of two pipelines, three stages, six people."""
    return settle(random_epoch(random.Random(5), 1, 1_000_003))


@pytest.fixture
def folder(bundle: Bundle, tmp_path: Path) -> Path:
    write_bundle(tmp_path / "bundle", bundle)
    return tmp_path / "bundle"


def manifest_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return document


def rewrite_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = manifest_of(folder)
    change(document)
    (folder / "manifest.json").write_bytes(rfc8785.dumps(document))


def put(folder: Path, name: str, data: bytes) -> None:
    """A liar's part: the manifest lists it rightly."""
    (folder / name).write_bytes(data)
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    rewrite_manifest(folder, lambda document: document["parts"].update({name: entry}))


def rewrite(folder: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / name).read_bytes())
    change(document)
    put(folder, name, rfc8785.dumps(document))


def rewrite_line(folder: Path, name: str, number: int, change: Callable[[dict[str, Any]], object]) -> None:
    lines = (folder / name).read_bytes().splitlines()
    row = json.loads(lines[number - 1])
    change(row)
    lines[number - 1] = rfc8785.dumps(row)
    put(folder, name, b"".join(line + b"\n" for line in lines))


def refusal(folder: Path) -> str:
    with pytest.raises(FileError) as caught:
        read_bundle(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{folder}").removeprefix("/")


def test_what_is_written_is_read(bundle: Bundle, folder: Path) -> None:
    found = read_bundle(folder, chain_id=31337, pool=POOL)
    assert found.settlement == bundle.settlement
    assert found.books.ledgers == bundle.books.ledgers
    assert found.allocation == bundle.allocation
    assert found.measurements == bundle.measurements
    assert (found.usage, found.shares, found.rights) == (bundle.usage, bundle.shares, bundle.rights)
    assert (found.terms, found.token, found.at, found.previous) == (
        bundle.terms,
        bundle.token,
        bundle.at,
        bundle.previous,
    )


def test_the_evidence_is_the_manifests_sha256(bundle: Bundle, tmp_path: Path) -> None:
    evidence = write_bundle(tmp_path / "bundle", bundle)
    assert evidence == hashlib.sha256((tmp_path / "bundle" / "manifest.json").read_bytes()).digest()
    assert evidence == evidence_of(tmp_path / "bundle")


def test_the_same_bundle_gives_the_same_bytes(bundle: Bundle, folder: Path) -> None:
    again = settle(random_epoch(random.Random(5), 1, 1_000_003))
    assert encode_parts(again) == encode_parts(bundle) == encode_parts(read_bundle(folder))


def test_a_ledger_file_is_id_cumulative_weight(bundle: Bundle, folder: Path) -> None:
    stage, ledger = bundle.settlement.stages[0], bundle.books.ledgers[0]
    data = (folder / "ledger" / f"{stage}.bin").read_bytes()
    assert len(data) == LEDGER_RECORD_BYTES * len(ledger.ids)
    assert data[:32] == ledger.ids[0]
    assert int.from_bytes(data[32:48], "big") == ledger.cumulatives[0]
    assert int.from_bytes(data[48:64], "big") == bundle.books.weights[0].weights[0]


def test_writing_again_changes_nothing(bundle: Bundle, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert write_bundle(folder, bundle) == evidence_of(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_another_bundle_is_never_overwritten(bundle: Bundle, folder: Path) -> None:
    other = settle(random_epoch(random.Random(6), 1, 7_000_001))
    with pytest.raises(InputError, match="expected a folder that does not exist yet"):
        write_bundle(folder, other)
    assert read_bundle(folder).settlement == bundle.settlement


def test_a_folder_of_other_things_is_left_alone(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder that does not exist yet"):
        write_bundle(tmp_path, bundle)
    assert not any(tmp_path.iterdir())


KILLED = """
import os, random, signal
from pathlib import Path
from ame.bundle import write_bundle
from ame.pipeline import settle
from tests.audit.synthetic import random_epoch

write, calls = Path.write_bytes, []
def stop(path, data):
    calls.append(path)
    if len(calls) == {calls}:
        write(path, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path, data)
Path.write_bytes = stop
write_bundle(Path({folder!r}), settle(random_epoch(random.Random(5), 1, 1_000_003)))
"""


@pytest.mark.parametrize("calls", [1, 5, 10])
def test_a_kill_in_the_middle_leaves_no_bundle(bundle: Bundle, tmp_path: Path, calls: int) -> None:
    folder = tmp_path / "bundle"
    code = KILLED.format(calls=calls, folder=str(folder))
    killed = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parent.parent)
    assert killed.returncode == -9
    assert not folder.exists()
    write_bundle(folder, bundle)
    assert read_bundle(folder).settlement == bundle.settlement
    assert list(tmp_path.iterdir()) == [folder]  # the draft of the killed one is gone too


def test_a_full_disk_leaves_nothing(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_bundle(tmp_path / "bundle", bundle)
    assert not any(tmp_path.iterdir())


def test_a_bundle_of_another_chain_is_refused(folder: Path) -> None:
    with pytest.raises(
        FileError, match=r"manifest.json: chain_id: expected a bundle of chain 1, got '31337'"
    ):
        read_bundle(folder, chain_id=1)


def test_a_bundle_of_another_pool_is_refused(folder: Path) -> None:
    with pytest.raises(FileError, match=rf"manifest.json: pool: expected a bundle of pool 0x1, got '{POOL}'"):
        read_bundle(folder, pool="0x1")


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"manifest\.json: cannot be read: No such file or directory"):
        read_bundle(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["settlement.json", "usage.jsonl", "coalitions.json", "shares.json", "rights.yaml", "allocation.jsonl"],
)
def test_every_missing_part_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert refusal(folder) == f"{name}: cannot be read: No such file or directory"
    rewrite_manifest(folder, lambda document: document["parts"].pop(name))
    assert refusal(folder) == f"manifest.json: parts: expected the part {name}"


def test_every_flipped_byte_is_found(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.name == "manifest.json":
            continue
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        assert refusal(folder).startswith(f"{path.relative_to(folder)}: expected what the manifest lists")
        path.write_bytes(data)
    read_bundle(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "ledger/../../x", "a\\b", "ledger//x", "./x"])
def test_a_part_outside_of_the_folder_is_refused(folder: Path, name: str) -> None:
    rewrite_manifest(folder, lambda document: document["parts"].update({name: {"sha256": "", "bytes": 0}}))
    assert refusal(folder) == f"manifest.json: parts: expected a plain relative name, got {name!r}"


def test_a_link_that_leads_elsewhere_is_refused(folder: Path, tmp_path: Path) -> None:
    data = (folder / "rights.yaml").read_bytes()
    (tmp_path / "elsewhere").write_bytes(data)
    (folder / "rights.yaml").unlink()
    (folder / "rights.yaml").symlink_to(tmp_path / "elsewhere")
    assert (
        refusal(folder) == "rights.yaml: expected a file inside the bundle, got a link that leads elsewhere"
    )


def test_an_extra_part_is_refused(folder: Path) -> None:
    put(folder, "notes.txt", b"hello")
    assert refusal(folder) == "manifest.json: parts: expected no other parts, got ['notes.txt']"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format="ame-bundle/2"), "manifest.json: format: expected 'ame-bundle/1'"),
        (lambda d: d.update(parts=[]), "manifest.json: parts: expected dict"),
        (lambda d: d.pop("pool"), "not a bundle of ame-bundle/1: KeyError: 'pool'"),
        (lambda d: d.update(number="one"), "not a bundle of ame-bundle/1: ValueError"),
        (lambda d: d.update(number="01"), "manifest.json: expected the canonical form"),
        (lambda d: d.update(note="x"), "manifest.json: expected the canonical form"),
    ],
)
def test_a_wrong_manifest_is_refused(folder: Path, change: Change, message: str) -> None:
    rewrite_manifest(folder, change)
    assert refusal(folder).removeprefix(": ").startswith(message)


def test_a_manifest_that_is_not_canonical_is_refused(folder: Path) -> None:
    document = manifest_of(folder)
    (folder / "manifest.json").write_text(json.dumps(document, indent=1))
    assert refusal(folder) == "manifest.json: expected the canonical form of what it says"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("settlement.json", lambda d: d.update(format="x"), "settlement.json: format: expected"),
        ("settlement.json", lambda d: d.pop("table"), ": not a bundle of ame-bundle/1: KeyError: 'table'"),
        (
            "settlement.json",
            lambda d: d["token"].update(logo="x"),
            ": not a bundle of ame-bundle/1: TypeError",
        ),
        ("settlement.json", lambda d: d["terms"].pop("bond_wei"), ": not a bundle of ame-bundle/1: KeyError"),
        ("settlement.json", lambda d: d.update(note="x"), "settlement.json: expected the canonical form"),
        (
            "settlement.json",
            lambda d: d["table"].__setitem__(1, "0" + d["table"][1]),
            "settlement.json: expected the canonical form",
        ),
        ("coalitions.json", lambda d: d.update(format="x"), "coalitions.json: format: expected"),
        (
            "coalitions.json",
            lambda d: d["pipelines"]["a"].pop("seed"),
            ": not a bundle of ame-bundle/1: KeyError",
        ),
        (
            "coalitions.json",
            lambda d: d["pipelines"]["a"]["values_ppm"].update({"0x0": "many"}),
            ": not a bundle of ame-bundle/1: ValueError",
        ),
        (
            "shares.json",
            lambda d: d["table"].pop(),
            ": not a bundle of ame-bundle/1: InputError: shares: expected",
        ),
        ("shares.json", lambda d: d.update(format="x"), "shares.json: format: expected"),
    ],
)
def test_a_wrong_document_is_refused(folder: Path, name: str, change: Change, message: str) -> None:
    rewrite(folder, name, change)
    assert refusal(folder).startswith(message)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("usage.jsonl", lambda d: d.pop("amount"), "usage.jsonl:2: amount: expected this field"),
        (
            "usage.jsonl",
            lambda d: d.update(amount="-1"),
            "usage.jsonl:2: usage 'sale-1-1': amount: expected an",
        ),
        ("usage.jsonl", lambda d: d.update(amount="1.5"), "usage.jsonl:2: invalid literal"),
        (
            "usage.jsonl",
            lambda d: d.update(time="2026-01-01T00:00:00"),
            "usage.jsonl:2: usage 'sale-1-1': time:",
        ),
        ("usage.jsonl", lambda d: d.update(note="x"), "usage.jsonl: expected the canonical form"),
        ("allocation.jsonl", lambda d: d.update(stage="music"), "allocation.jsonl:2: stage: expected one of"),
        ("allocation.jsonl", lambda d: d.update(contributor_id="0x1"), "allocation.jsonl:2: contributor_id:"),
        ("allocation.jsonl", lambda d: d.update(amount="1"), "allocation.jsonl: expected the canonical form"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number(folder: Path, name: str, change: Change, message: str) -> None:
    rewrite_line(folder, name, 2, change)
    assert refusal(folder).startswith(message)


def test_lines_end(folder: Path) -> None:
    put(folder, "usage.jsonl", (folder / "usage.jsonl").read_bytes()[:-1])
    assert refusal(folder).startswith("usage.jsonl:4: expected a line break at the end")


def test_a_malformed_line_is_refused_by_its_number(folder: Path) -> None:
    put(folder, "usage.jsonl", b"{}}\n" + (folder / "usage.jsonl").read_bytes())
    assert refusal(folder).startswith("usage.jsonl:1: not the JSON expected here")


def test_half_a_ledger_record_is_refused(bundle: Bundle, folder: Path) -> None:
    name = f"ledger/{bundle.settlement.stages[0]}.bin"
    data = (folder / name).read_bytes()
    put(folder, name, data[:-1])
    assert refusal(folder) == f"{name}: expected a multiple of 64 bytes, got {len(data) - 1}"


def test_one_id_twice_in_a_ledger_is_refused(bundle: Bundle, folder: Path) -> None:
    name = f"ledger/{bundle.settlement.stages[0]}.bin"
    data = (folder / name).read_bytes()
    put(folder, name, data + data[:LEDGER_RECORD_BYTES])
    assert "ledger: expected each contributor id once" in refusal(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":1,"a":2}', "expected each key once"),
        ('{"a":NaN}', "expected no NaN"),
        ('{"a":Infinity}', "expected no Infinity"),
        ('{"a":1.0}', "expected no 1.0"),
        ("[]", "expected a JSON object, got list"),
        ("{", "not the JSON expected here"),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "not the JSON expected here"),
        ("\ufeff{}", "not the JSON expected here"),
    ],
)
def test_json_is_read_strictly(text: str, message: str) -> None:
    with pytest.raises(FileError, match=message) as caught:
        parse_json(text.encode(), Path("x.json"))
    assert str(caught.value).startswith("x.json: ")


def test_json_is_utf_8() -> None:
    with pytest.raises(FileError, match="not the JSON expected here"):
        parse_json(b'{"a":"\xff"}', Path("x.json"))


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.000000 USDX"), (1, "0.000001 USDX"), (-1_234_567_890, "-1,234.567890 USDX")],
)
def test_money_is_written_exactly(amount: int, text: str) -> None:
    assert Token("0x", "USDX", 6).text(amount) == text


def test_a_token_without_decimals_has_no_point() -> None:
    assert Token("0x", "PTS", 0).text(1_234) == "1,234 PTS"
