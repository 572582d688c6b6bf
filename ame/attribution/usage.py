"""Usage records from a file: every line is either right or refused with `file:line: field: reason`."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from ame import bounded_json
from ame.errors import FileError, InputError
from ame.records import MAX_AMOUNT, UsageRecord

FIELDS = ("id", "pipeline", "amount", "time")
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,38}", re.ASCII)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def read_usage(path: str | Path, pipelines: Collection[str] | None = None) -> list[UsageRecord]:
    """The sales in `path`: CSV with the header `id,pipeline,amount,time` (.csv), or JSON Lines (.jsonl,
    .ndjson).

    Amounts are base units: plain digits in CSV, decimal strings in JSON. Times are RFC 3339 with their zone.
    Ids are unique; with `pipelines` given, each pipeline must be one of them. Raises FileError at the first
    fault.
    """
    path = Path(path)
    readers = {".csv": _read_csv, ".jsonl": _read_json_lines, ".ndjson": _read_json_lines}
    if path.suffix not in readers:
        raise FileError("expected a name that ends in .csv, .jsonl or .ndjson", file=path)
    known = None if pipelines is None else frozenset(pipelines)
    records: list[UsageRecord] = []
    first_seen: dict[str, int] = {}
    for line, row in readers[path.suffix](path):
        record = _to_record(row, known, path, line)
        if record.id in first_seen:
            raise FileError(
                f"expected each id once, got {record.id!r} again (first on line {first_seen[record.id]})",
                file=path,
                line=line,
                field="id",
            )
        first_seen[record.id] = line
        records.append(record)
    if not records:
        raise FileError("expected at least one usage record, got none", file=path)
    return records


def _to_record(row: dict[str, object], known: frozenset[str] | None, path: Path, line: int) -> UsageRecord:
    def refuse(field: str, expected: str) -> FileError:
        return FileError(f"expected {expected}, got {row[field]!r}", file=path, line=line, field=field)

    texts = {}
    for field in FIELDS:
        value = row[field]
        if type(value) is not str or not value:
            raise refuse(field, 'decimal digits such as "1500000"' if field == "amount" else "a text")
        texts[field] = value
    for field in ("id", "pipeline"):
        if texts[field] != texts[field].strip() or not texts[field].isprintable():
            raise refuse(field, "a printable text without blanks around it")
    if known is not None and texts["pipeline"] not in known:
        raise refuse("pipeline", "one of " + ", ".join(sorted(known)))
    if not _AMOUNT.fullmatch(texts["amount"]) or int(texts["amount"]) > MAX_AMOUNT:
        raise refuse("amount", f"a whole number of base units from 0 to {MAX_AMOUNT}")
    if not _TIME.fullmatch(texts["time"]):
        raise refuse("time", "a time with its zone such as 2026-01-31T12:00:00Z")
    try:
        time = datetime.fromisoformat(texts["time"])
    except ValueError:
        raise refuse("time", "a time that exists") from None
    return UsageRecord(texts["id"], texts["pipeline"], int(texts["amount"]), time)


def _read_csv(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    lines = csv.reader((text for _, text in _lines(path)), strict=True)
    try:
        for cells in lines:
            line = lines.line_num
            if line == 1:
                if sorted(cells) != sorted(FIELDS):
                    raise FileError(
                        f"expected the header {','.join(FIELDS)}, got {','.join(cells)}", file=path, line=1
                    )
                header = cells
                continue
            if len(cells) != len(header):
                raise FileError(f"expected {len(header)} cells, got {len(cells)}", file=path, line=line)
            yield line, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise FileError(f"expected CSV: {error}", file=path, line=lines.line_num) from None


def _read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    for line, text in _lines(path):
        try:
            row = bounded_json.loads(text, object_pairs_hook=_once, parse_constant=_refuse_constant)
        except (InputError, RecursionError, ValueError) as error:
            raise FileError(f"expected one JSON object: {error}", file=path, line=line) from None
        if not isinstance(row, dict):
            raise FileError(f"expected one JSON object, got {text[:60]!r}", file=path, line=line)
        for field in FIELDS:
            if field not in row:
                raise FileError("expected this field, got none", file=path, line=line, field=field)
        for field in row:
            if field not in FIELDS:
                raise FileError(f"expected only {', '.join(FIELDS)}", file=path, line=line, field=field)
        yield line, row


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise InputError("a field stands twice")
    return row


def _refuse_constant(name: str) -> float:
    raise InputError(f"{name} is not JSON")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                try:
                    yield number, raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    raise FileError(f"expected UTF-8: {error.reason}", file=path, line=number) from None
    except OSError as error:
        raise FileError(error.strerror or str(error), file=path) from None
