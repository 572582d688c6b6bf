"""Fields of strangers' JSON, strictly: what is not exactly as its format says is a FileError that names the place."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import rfc8785

from ame import bounded_json
from ame.bundle import canonical_time, parse_json
from ame.errors import FileError, InputError
from ame.mapping.rights import to_time

MAX_NESTING = 32
STAGE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,77}", re.ASCII)
_SHA256 = re.compile("[0-9a-f]{64}", re.ASCII)


def canonical_json(data: bytes, where: Path) -> dict[str, Any]:
    """A JSON object in its one canonical form (RFC 8785)."""
    value = parse_json(data, where)
    try:
        _check_nesting(value, MAX_NESTING)
        canonical = rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise FileError(f"not canonical JSON: {error}", file=where) from error
    if canonical != data:
        at = next(
            (at for at, (a, b) in enumerate(zip(canonical, data, strict=False)) if a != b), len(canonical)
        )
        raise FileError(f"expected canonical JSON (RFC 8785), which differs from byte {at} on", file=where)
    return value


_LINE_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def canonical_line(data: bytes, where: str) -> dict[str, Any]:
    """One canonical line. Its keys are ASCII and it has no floats, so the standard library writes RFC 8785 too.

    What is canonical has no key twice and no blanks: writing it again shows that, at a fraction of a strict parse.
    """
    try:
        value = bounded_json.loads(data.decode("utf-8"), parse_constant=_refuse, parse_float=_refuse)
        canonical = _LINE_ENCODER.encode(value).encode()
    except (ValueError, RecursionError) as error:
        raise FileError(f"not the JSON expected here: {error}", file=where) from error
    if canonical != data or not isinstance(value, dict):
        raise FileError("expected a canonical JSON object (RFC 8785)", file=where)
    return value


def _refuse(text: str) -> Any:
    raise InputError(f"expected no {text[:60]}")


def _check_nesting(value: object, left: int) -> None:
    if left == 0:
        raise InputError(f"nested deeper than {MAX_NESTING}")
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        if isinstance(child, dict | list):
            _check_nesting(child, left - 1)


def fields(value: object, keys: set[str], where: object) -> dict[str, Any]:
    """An object with exactly these keys."""
    if not isinstance(value, dict):
        raise FileError(f"expected an object, got {type(value).__name__}", file=where)
    if value.keys() != keys:
        wrong = sorted(value.keys() ^ keys)[0]
        what = "is missing" if wrong in keys else "is unknown"
        raise FileError(f"{what}; expected {', '.join(sorted(keys))}", file=where, field=wrong[:100])
    return value


def items(value: object, where: object, field: str, length: int | None = None) -> list[Any]:
    """A list, of that length where one is given."""
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise FileError(f"expected a list{f' of {length}' if length else ''}", file=where, field=field)
    return value


def integer(value: object, where: object, field: str, low: int = 0, high: int = 2**128 - 1) -> int:
    """An integer that is written as a decimal text."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        number = int(value)
        if low <= number <= high:
            return number
    raise FileError(
        f"expected a decimal text from {low} to {high}, got {str(value)[:60]!r}", file=where, field=field
    )


def integers(value: object, where: object, field: str, length: int, low: int = 0) -> tuple[int, ...]:
    """That many integers, each a decimal text."""
    return tuple(integer(item, where, field, low, 2**127 - 1) for item in items(value, where, field, length))


def small(value: object, where: object, field: str, low: int, high: int) -> int:
    """An integer that is written as a number."""
    if type(value) is not int or not low <= value <= high:
        raise FileError(
            f"expected a number from {low} to {high}, got {str(value)[:60]}", file=where, field=field
        )
    return value


def text(value: object, where: object, field: str, what: str = "a text") -> str:
    """A text."""
    if not isinstance(value, str):
        raise FileError(f"expected {what}, got {str(value)[:60]}", file=where, field=field)
    return value


def texts(value: object, where: object, field: str) -> tuple[str, ...]:
    """A list of texts."""
    found = items(value, where, field)
    if not all(isinstance(item, str) for item in found):
        raise FileError("expected texts", file=where, field=field)
    return tuple(found)


def sha256(value: object, where: object, field: str) -> str:
    """SHA-256 in hex."""
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise FileError("expected 64 hex digits", file=where, field=field)
    return value


def stages(value: object, where: object) -> tuple[str, ...]:
    """Names of 2 to 5 stages."""
    names = texts(value, where, "stages")
    if not 2 <= len(names) <= 5 or len(set(names)) != len(names):
        raise FileError(f"expected 2 to 5 different stages, got {len(names)}", file=where, field="stages")
    for stage in names:
        if not STAGE.fullmatch(stage):
            raise FileError(
                f"expected letters, digits, - and _, got {stage[:60]!r}", file=where, field="stages"
            )
    return names


def time(value: object, where: object, field: str) -> datetime:
    """A time in UTC, in its canonical form."""
    try:
        moment = to_time(value)
    except (ValueError, OverflowError) as error:
        raise FileError(str(error), file=where, field=field) from None
    if canonical_time(moment) != value:
        raise FileError(f"expected {canonical_time(moment)}, got {str(value)[:60]}", file=where, field=field)
    return moment
