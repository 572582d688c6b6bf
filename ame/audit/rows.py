"""The parts with a row per contributor, in columns: a million of them must be read in seconds and fit in memory."""

from __future__ import annotations

import re
import sys
from array import array
from binascii import unhexlify
from collections.abc import Iterator
from hashlib import sha256
from itertools import accumulate
from json.encoder import encode_basestring
from pathlib import Path
from typing import NamedTuple

from ame.audit.fields import canonical_line, fields, integer, text, texts
from ame.bundle import LEDGER_RECORD_BYTES
from ame.encoding import to_bytes
from ame.errors import FileError
from ame.records import MAX_AMOUNT, AllocationLine

_KEYS = {"stage", "contributor_id", "name", "weight", "amount", "reasons"}
CHUNK_BYTES = 2**20
# A line that looks like this is canonical if it is plain: printable ASCII without backslashes, and no line break inside.
_PLAIN = bytes(set(range(0x20, 0x7F)) - {ord("\\")} | {ord("\n")})
_TEXT = rb'"[^"]*"'
_BEFORE = b'{"amount":"",'  # what stands before and between the amount and the rest
_LINE = re.compile(
    rb'\{"amount":"(0|[1-9][0-9]{0,38})",("contributor_id":"0x([0-9a-f]{64})","name":(null|' + _TEXT + rb"),"
    rb'"reasons":\[(?:' + _TEXT + rb"(?:," + _TEXT + rb')*)?\],"stage":"([A-Za-z0-9_-]{1,64})",'
    rb'"weight":"(0|[1-9][0-9]{0,38})"\}\n)'
)


class LedgerRows(NamedTuple):
    """ledger/<stage>.bin, by leaf index. Nothing is promised of the ids: duplicates are for the checks to find."""

    ids: list[bytes]
    cumulatives: list[int]
    weights: list[int]


def ledger_rows(data: bytes, where: Path) -> LedgerRows:
    """Of ledger/<stage>.bin."""
    if len(data) % LEDGER_RECORD_BYTES:
        raise FileError(f"expected a multiple of {LEDGER_RECORD_BYTES} bytes, got {len(data)}", file=where)
    starts, number = range(0, len(data), LEDGER_RECORD_BYTES), int.from_bytes
    return LedgerRows(
        [data[at : at + 32] for at in starts],
        [number(data[at + 32 : at + 48]) for at in starts],
        [number(data[at + 48 : at + 64]) for at in starts],
    )


class Row(NamedTuple):
    """A line of allocation.jsonl."""

    stage: str
    contributor_id: bytes
    name: str | None
    weight: int
    amount: int
    reasons: tuple[str, ...]


class AllocationRows:
    """allocation.jsonl in columns, without the reasons: those stay on the disk, and `row` gets them from there.

    digests: SHA-256 of each line but its amount, so that a line can be compared without being kept.
    """

    def __init__(self, data: bytes, file: Path) -> None:
        self.file = file
        self.stages: list[str] = []
        self.ids: list[bytes] = []
        self.names: list[str | None] = []
        self.weights: list[int] = []
        self.amounts: list[int] = []
        self.digests: list[bytes] = []
        self._starts = array("Q")
        at = 0
        while at < len(data):
            end = data.find(b"\n", at + CHUNK_BYTES) + 1 or len(data)
            self._read(data[at:end], at)
            at = end

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, position: int) -> Row:
        """One whole line. FileError if it is not what was read before."""
        with self.file.open("rb") as stream:
            stream.seek(self._starts[position])
            line = stream.readline()
        if _digest(_but_amount(line)) != self.digests[position]:
            raise FileError("was changed while it was read", file=self.file, line=position + 1)
        return _row(line[:-1], f"{self.file}:{position + 1}")

    def rows_of(self, contributor_id: bytes) -> Iterator[Row]:
        """All lines of one contributor."""
        return (self.row(at) for at, found in enumerate(self.ids) if found == contributor_id)

    def _read(self, chunk: bytes, start: int) -> None:
        """Whole lines, which start at this byte of the file."""
        found = [] if chunk.translate(None, _PLAIN) else _LINE.findall(chunk)
        amounts, rests, ids, names, stages, weights = zip(*found, strict=True) if found else ((),) * 6
        lengths = [
            len(_BEFORE) + len(amount) + len(rest) for amount, rest in zip(amounts, rests, strict=True)
        ]
        if sum(lengths) != len(chunk) or len(found) != chunk.count(b"\n"):  # something looks otherwise
            self._read_slowly(chunk, start)
            return
        self._starts.extend(accumulate(lengths[:-1], initial=start))
        self.stages += [sys.intern(stage.decode()) for stage in stages]  # the same few words a million times
        self.ids += map(unhexlify, ids)
        self.names += [None if name == b"null" else name[1:-1].decode() for name in names]
        self.weights += map(int, weights)
        self.amounts += map(int, amounts)
        self.digests += map(_digest, rests)
        if max(map(max, (self.weights[-len(found) :], self.amounts[-len(found) :]))) > MAX_AMOUNT:
            raise FileError(f"expected amounts up to {MAX_AMOUNT}", file=self.file)

    def _read_slowly(self, chunk: bytes, start: int) -> None:
        at = 0
        while at < len(chunk):
            end, number = chunk.find(b"\n", at), len(self) + 1
            if end < 0:
                raise FileError("expected a line break at the end", file=self.file, line=number)
            row = _row(chunk[at:end], f"{self.file}:{number}")
            self._starts.append(start + at)
            self.stages.append(row.stage)
            self.ids.append(row.contributor_id)
            self.names.append(row.name)
            self.weights.append(row.weight)
            self.amounts.append(row.amount)
            self.digests.append(_digest(_but_amount(chunk[at : end + 1])))
            at = end + 1


def digest_of(stage: str, name: str | None, line: AllocationLine) -> bytes:
    """What AllocationRows keeps of the line that says this."""
    quoted = "null" if name is None else encode_basestring(name)
    reasons = ",".join(map(encode_basestring, line.reasons))
    rest = (
        f'"contributor_id":"0x{line.contributor_id.hex()}","name":{quoted},"reasons":[{reasons}],'
        f'"stage":"{stage}","weight":"{line.weight}"}}\n'
    )
    return _digest(rest.encode())


def _digest(rest: bytes) -> bytes:
    return sha256(rest).digest()


def _but_amount(line: bytes) -> bytes:
    """The amount comes first, and has no comma."""
    return line.partition(b",")[2]


def _row(data: bytes, where: str) -> Row:
    said = fields(canonical_line(data, where), _KEYS, where)
    name = said["name"]
    return Row(
        sys.intern(text(said["stage"], where, "stage")),
        to_bytes(said["contributor_id"], 32, f"{where}: contributor_id"),
        None if name is None else text(name, where, "name"),
        integer(said["weight"], where, "weight", 0, MAX_AMOUNT),
        integer(said["amount"], where, "amount", 0, MAX_AMOUNT),
        texts(said["reasons"], where, "reasons"),
    )
