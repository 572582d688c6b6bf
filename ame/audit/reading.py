"""Bundles from strangers: every part is read by itself and strictly, so that one bad file does not hide the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from ame.audit.documents import Head, head_from, measurements_from, sale_from, shares_from
from ame.audit.fields import canonical_json, canonical_line
from ame.audit.files import SINGLE_PARTS, Files, listed_parts, most_bytes, read_files
from ame.audit.rows import AllocationRows, LedgerRows, Row, ledger_rows
from ame.bundle import COALITIONS_FORMAT, SETTLEMENT_FORMAT, SHARES_FORMAT
from ame.errors import AmeError, CannotTell, FileError, InputError
from ame.mapping.rights import Rights, parse_rights
from ame.records import Measurement, Shares, UsageRecord

__all__ = [
    "SINGLE_PARTS",
    "AllocationRows",
    "Contents",
    "Files",
    "Head",
    "LedgerRows",
    "Row",
    "decoded",
    "listed_parts",
    "most_bytes",
    "read_files",
]

T = TypeVar("T")


class _Once(Generic[T]):
    """A property that is worked out once; an error is kept as well: what is wrong is not read again by every check."""

    def __init__(self, read: Callable[[Any], T]) -> None:
        self.read, self.__doc__ = read, read.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Contents, owner: type) -> T:
        if self.name not in instance.kept:
            try:
                instance.kept[self.name] = self.read(instance)
            except AmeError as error:
                instance.kept[self.name] = error
        found = instance.kept[self.name]
        if isinstance(found, AmeError):
            raise found.with_traceback(None)
        return found  # type: ignore[no-any-return]


class Contents:
    """What the files say; each part raises FileError when it is asked for and is not what its format says."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.kept: dict[str, Any] = {}

    @_Once
    def head(self) -> Head:
        """settlement.json"""
        return head_from(*self._document("settlement.json", SETTLEMENT_FORMAT))

    @_Once
    def usage(self) -> tuple[UsageRecord, ...]:
        """usage.jsonl"""
        where = self._where("usage.jsonl")
        return tuple(sale_from(row, f"{where}:{number}") for number, row in self._lines("usage.jsonl"))

    @_Once
    def measurements(self) -> dict[str, Measurement]:
        """coalitions.json"""
        return measurements_from(*self._document("coalitions.json", COALITIONS_FORMAT))

    @_Once
    def shares(self) -> Shares:
        """shares.json"""
        return shares_from(*self._document("shares.json", SHARES_FORMAT))

    @_Once
    def rights(self) -> Rights:
        """rights.yaml"""
        where = self._where("rights.yaml")
        try:
            text = self.part("rights.yaml").decode("utf-8")
        except UnicodeDecodeError as error:
            raise FileError(f"expected UTF-8: {error.reason}", file=where) from None
        self._release("rights.yaml")
        return parse_rights(text, where)

    @_Once
    def allocation(self) -> AllocationRows:
        """allocation.jsonl"""
        rows = AllocationRows(self.part("allocation.jsonl"), self._where("allocation.jsonl"))
        self._release("allocation.jsonl")
        return rows

    @_Once
    def ledgers(self) -> tuple[LedgerRows, ...]:
        """ledger/<stage>.bin of all stages"""
        names = [f"ledger/{stage}.bin" for stage in self.head.stages]
        rows = tuple(ledger_rows(self.part(name), self._where(name)) for name in names)
        for name in names:
            self._release(name)
        return rows

    def part(self, name: str) -> bytes:
        """The bytes of a part. CannotTell if it is not there."""
        if name not in self.files.parts:
            raise CannotTell(f"{self._where(name)}: the part is missing")
        return self.files.parts[name]

    def _release(self, name: str) -> None:
        """Decoded once, the bytes are not needed again: of a million contributors they take half a gigabyte."""
        del self.files.parts[name]

    def _where(self, name: str) -> Path:
        return self.files.folder / name

    def _document(self, name: str, tag: str) -> tuple[dict[str, Any], Path]:
        where = self._where(name)
        value = canonical_json(self.part(name), where)
        if value.get("format") != tag:
            raise FileError(
                f"expected {tag!r}, got {str(value.get('format'))[:60]!r}", file=where, field="format"
            )
        return value, where

    def _lines(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line by line: all at once would take several times the file's size."""
        data, where, at, number = self.part(name), str(self._where(name)), 0, 0
        while at < len(data):
            end, number = data.find(b"\n", at), number + 1
            if end < 0:
                raise FileError("expected a line break at the end", file=where, line=number)
            yield number, canonical_line(data[at:end], f"{where}:{number}")
            at = end + 1


def decoded(read: Callable[[], Any]) -> Any:
    """A part for checks about something else: if it cannot be read, they cannot tell."""
    try:
        return read()
    except InputError as error:
        raise CannotTell(f"needs a part that cannot be read: {error}") from error
