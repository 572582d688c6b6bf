"""Rows in bulk are the rows one by one."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import rfc8785

from ame.audit import rows
from ame.audit.rows import AllocationRows, digest_of
from ame.errors import FileError
from ame.records import MAX_AMOUNT, AllocationLine

COLUMNS = ("stages", "ids", "names", "weights", "amounts", "digests", "_starts")
TEXTS = (
    "hf:ada",
    "",
    " ",
    'with "quotes"',
    "back\\slash",
    "tab\t",
    "\x7f",
    "ümlaut",
    "\u2028",
    "😀",
    '","name":"x',
    "[]{}",
)


class Slowly(AllocationRows):
    """Each line by itself."""

    def _read(self, chunk: bytes, start: int) -> None:
        self._read_slowly(chunk, start)


def random_row(chance: random.Random, texts: tuple[str, ...]) -> dict[str, object]:
    return {
        "stage": chance.choice(["data", "model"]),
        "contributor_id": "0x" + chance.randbytes(32).hex(),
        "name": chance.choice([None, *texts]),
        "weight": str(chance.choice([0, 7, MAX_AMOUNT, chance.randrange(10**30)])),
        "amount": str(chance.choice([0, 7, MAX_AMOUNT, chance.randrange(10**24)])),
        "reasons": [chance.choice(texts) for _ in range(chance.randrange(4))],
    }


@pytest.mark.parametrize("texts", [TEXTS[:3], TEXTS], ids=["plain", "any"])
@pytest.mark.parametrize("chunk", [1, 300, 2**20])
def test_bulk_and_single_reading_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: tuple[str, ...], chunk: int
) -> None:
    monkeypatch.setattr(rows, "CHUNK_BYTES", chunk)
    chance = random.Random(1)
    said = [random_row(chance, texts) for _ in range(200)]
    data = b"".join(rfc8785.dumps(row) + b"\n" for row in said)
    file = tmp_path / "allocation.jsonl"
    file.write_bytes(data)
    bulk, single = AllocationRows(data, file), Slowly(data, file)
    for column in COLUMNS:
        assert getattr(bulk, column) == getattr(single, column)
    for at, row in enumerate(said):
        found = bulk.row(at)
        assert [found.name, str(found.weight), list(found.reasons)] == [
            row["name"],
            row["weight"],
            row["reasons"],
        ]
        line = AllocationLine(found.contributor_id, found.weight, found.reasons)
        assert digest_of(found.stage, found.name, line) == bulk.digests[at]


BROKEN = (
    lambda line: line.replace(b'"weight":"', b'"weight":"0'),
    lambda line: line.replace(b'"amount":"', b'"amount": "'),
    lambda line: line.replace(b'"stage":"data"', b'"stage":"da\nta"'),
    lambda line: line.replace(b'"stage":"data"', b'"stage":"d\\u0061ta"'),
    lambda line: line.replace(b"}", b',"x":"y"}'),
    lambda line: line.replace(b"}", b"} "),
    lambda line: line[:-1],
    lambda line: line + b"\n",
    lambda line: b" " + line,
    lambda line: line.replace(b"\n", b"\r\n"),
    lambda line: line.replace(b'"amount":"5"', b'"amount":"' + str(MAX_AMOUNT + 1).encode() + b'"'),
    lambda line: line.replace(b'"amount":"5",', b'"amount":"5","amount":"5",'),
)


@pytest.mark.parametrize("change", BROKEN, ids=range(len(BROKEN)))
def test_what_is_not_canonical_is_refused_in_bulk_too(tmp_path: Path, change: object) -> None:
    row = {**random_row(random.Random(2), TEXTS[:1]), "amount": "5", "stage": "data"}
    line = json.dumps(row, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert len(AllocationRows(line * 3, tmp_path)) == 3
    with pytest.raises(FileError):
        AllocationRows(line + change(line), tmp_path)  # type: ignore[operator]


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    line = rfc8785.dumps(random_row(random.Random(3), TEXTS[:1])) + b"\n"
    file = tmp_path / "allocation.jsonl"
    file.write_bytes(line.replace(b'"weight":"', b'"weight":"1'))
    with pytest.raises(FileError, match="was changed while it was read"):
        AllocationRows(line, file).row(0)
