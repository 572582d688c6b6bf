"""Bundles from strangers: every part is read by itself and strictly, so that one bad file does not hide the others."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import rfc8785

from ame.bundle import (
    BUNDLE_FORMAT,
    COALITIONS_FORMAT,
    LEDGER_RECORD_BYTES,
    SETTLEMENT_FORMAT,
    SHARES_FORMAT,
    Token,
    canonical_time,
    parse_json,
)
from ame.encoding import to_bytes
from ame.errors import CannotTell, FileError, InputError
from ame.mapping.rights import Rights, parse_rights, to_time
from ame.records import MAX_AMOUNT, LedgerCommitment, Measurement, Shares, StageUpdate, Terms, UsageRecord

MAX_PART_BYTES = 2**31
MAX_NESTING = 32
SINGLE_PARTS = (
    "settlement.json",
    "usage.jsonl",
    "coalitions.json",
    "shares.json",
    "rights.yaml",
    "allocation.jsonl",
)
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,77}", re.ASCII)
_HEX_MASK = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,1023})", re.ASCII)
_FRACTION = re.compile(r"(0|-?[1-9][0-9]{0,999})/([1-9][0-9]{0,999})", re.ASCII)
_ROW_KEYS = {"stage", "contributor_id", "name", "weight", "amount", "reasons"}
_STAGE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class Head(NamedTuple):
    """settlement.json."""

    stages: tuple[str, ...]
    table: tuple[int, ...]
    amounts: tuple[int, ...]
    updates: tuple[StageUpdate, ...]
    token: Token
    terms: Terms
    at: datetime


class Row(NamedTuple):
    """A line of allocation.jsonl."""

    stage: str
    contributor_id: bytes
    name: str | None
    weight: int
    amount: int
    reasons: tuple[str, ...]


class LedgerRows(NamedTuple):
    """ledger/<stage>.bin, by leaf index. Nothing is promised of the ids: duplicates are for the checks to find."""

    ids: list[bytes]
    cumulatives: list[int]
    weights: list[int]


@dataclass(frozen=True)
class Files:
    """A bundle's files as they lie on the disk: bytes of what could be read, and what was wrong with the rest."""

    folder: Path
    manifest_bytes: bytes
    manifest: Mapping[str, Any]
    parts: dict[str, bytes]
    missing: tuple[str, ...]
    altered: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Of the manifest: the evidence."""
        return hashlib.sha256(self.manifest_bytes).hexdigest()


def read_files(folder: Path) -> Files:
    """Read the manifest and what it lists. FileError: the manifest is none; CannotTell: there is none."""
    data, manifest = _read_manifest(folder)
    parts: dict[str, bytes] = {}
    missing, altered = [], []
    for name, entry in manifest["parts"].items():
        path = folder / name
        if not path.exists() and not path.is_symlink():
            missing.append(name)
            continue
        parts[name] = _read(folder, name)
        found = hashlib.sha256(parts[name]).hexdigest()
        if entry["sha256"] != found or entry["bytes"] != len(parts[name]):
            altered.append(
                f"{name}: SHA-256 {found} and {len(parts[name])} bytes, "
                f"the manifest says {entry['sha256']} and {entry['bytes']}"
            )
    return Files(folder, data, manifest, parts, tuple(missing), tuple(altered))


def listed_parts(folder: Path) -> dict[str, int]:
    """Names and sizes of the parts that the folder's manifest lists."""
    _, manifest = _read_manifest(folder)
    return {name: entry["bytes"] for name, entry in manifest["parts"].items()}


def _read_manifest(folder: Path) -> tuple[bytes, dict[str, Any]]:
    where = folder / "manifest.json"
    if not where.exists() and not where.is_symlink():
        raise CannotTell(f"{where}: there is no manifest, so there is nothing to check")
    data = _read(folder, "manifest.json")
    manifest = _json(data, where)
    _expect(manifest, {"format", "chain_id", "pool", "number", "previous", "created_by", "parts"}, where)
    if manifest["format"] != BUNDLE_FORMAT:
        raise FileError(f"expected {BUNDLE_FORMAT!r}, got {manifest['format']!r}", file=where, field="format")
    listed = manifest["parts"]
    if not isinstance(listed, dict) or len(listed) > 64:
        raise FileError("expected an object of at most 64 parts", file=where, field="parts")
    for name in ("chain_id", "number"):
        _integer(manifest[name], where, name, 0)
    if not isinstance(manifest["pool"], str) or not isinstance(manifest["created_by"], dict):
        raise FileError("expected an address", file=where, field="pool")
    if manifest["previous"] is not None and not _is_sha256(manifest["previous"]):
        raise FileError("expected 64 hex digits or null", file=where, field="previous")
    for name, entry in listed.items():
        _check_name(name, where)
        if (
            not isinstance(entry, dict)
            or set(entry) != {"sha256", "bytes"}
            or not _is_sha256(entry["sha256"])
        ):
            raise FileError(f"{name}: expected its sha256 and bytes", file=where, field="parts")
        _small(entry["bytes"], where, f"bytes of {name}", 0, MAX_PART_BYTES)
    return data, manifest


class Contents:
    """What the files say; each part raises FileError when it is asked for and is not what its format says."""

    def __init__(self, files: Files) -> None:
        self.files = files

    @cached_property
    def head(self) -> Head:
        """settlement.json"""
        name = "settlement.json"
        where, value = self._where(name), self._document(name, SETTLEMENT_FORMAT)
        _expect(
            value, {"format", "stages", "table", "amounts", "updates", "token", "terms", "rights_at"}, where
        )
        stages = _stages(value["stages"], where)
        return Head(
            stages,
            _integers(value["table"], where, "table", 1 << len(stages), -(2**127)),
            _integers(value["amounts"], where, "amounts", len(stages)),
            tuple(
                _update(update, where) for update in _list(value["updates"], where, "updates", len(stages))
            ),
            _token(value["token"], where),
            _terms(value["terms"], where),
            _time(value["rights_at"], where, "rights_at"),
        )

    @cached_property
    def usage(self) -> tuple[UsageRecord, ...]:
        """usage.jsonl"""
        records = []
        for number, row in self._lines("usage.jsonl"):
            where = f"{self._where('usage.jsonl')}:{number}"
            _expect(row, {"id", "pipeline", "amount", "time"}, where)
            if not isinstance(row["id"], str) or not isinstance(row["pipeline"], str):
                raise FileError("expected texts", file=where, field="id, pipeline")
            amount = _integer(row["amount"], where, "amount", 0, 2**127 - 1)
            records.append(UsageRecord(row["id"], row["pipeline"], amount, _time(row["time"], where, "time")))
        return tuple(records)

    @cached_property
    def measurements(self) -> dict[str, Measurement]:
        """coalitions.json"""
        name = "coalitions.json"
        where, value = self._where(name), self._document(name, COALITIONS_FORMAT)
        _expect(value, {"format", "pipelines"}, where)
        if not isinstance(value["pipelines"], dict):
            raise FileError("expected an object", file=where, field="pipelines")
        return {name: _measurement(name, one, where) for name, one in value["pipelines"].items()}

    @cached_property
    def shares(self) -> Shares:
        """shares.json"""
        name = "shares.json"
        where, value = self._where(name), self._document(name, SHARES_FORMAT)
        _expect(value, {"format", "stages", "table", "asset_weights"}, where)
        stages = _stages(value["stages"], where)
        weights = _list(value["asset_weights"], where, "asset_weights", len(stages))
        if not all(isinstance(stage, dict) for stage in weights):
            raise FileError("expected one object per stage", file=where, field="asset_weights")
        return Shares(
            stages,
            _integers(value["table"], where, "table", 1 << len(stages), -(2**127)),
            tuple({a: _integer(w, where, f"weight of {a}") for a, w in stage.items()} for stage in weights),
        )

    @cached_property
    def rights(self) -> Rights:
        """rights.yaml"""
        data, where = self.part("rights.yaml"), self._where("rights.yaml")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise FileError(f"expected UTF-8: {error.reason}", file=where) from None
        rights = parse_rights(text, where)
        self._release("rights.yaml")
        return rights

    @cached_property
    def allocation(self) -> tuple[Row, ...]:
        """allocation.jsonl"""
        where = str(self._where("allocation.jsonl"))
        rows = tuple(_row(row, f"{where}:{number}") for number, row in self._lines("allocation.jsonl"))
        self._release("allocation.jsonl")
        return rows

    @cached_property
    def ledgers(self) -> tuple[LedgerRows, ...]:
        """ledger/<stage>.bin of all stages"""
        rows = tuple(self._ledger(f"ledger/{stage}.bin") for stage in self.head.stages)
        for stage in self.head.stages:
            self._release(f"ledger/{stage}.bin")
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

    def _document(self, name: str, tag: str) -> dict[str, Any]:
        where, data = self._where(name), self.part(name)
        value = _json(data, where)
        if value.get("format") != tag:
            raise FileError(f"expected {tag!r}, got {value.get('format')!r}", file=where, field="format")
        return value

    def _lines(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Line by line: all at once would take several times the file's size."""
        data, where, at, number = self.part(name), str(self._where(name)), 0, 0
        while at < len(data):
            end, number = data.find(b"\n", at), number + 1
            if end < 0:
                raise FileError("expected a line break at the end", file=where, line=number)
            yield number, _line(data[at:end], f"{where}:{number}")
            at = end + 1

    def _ledger(self, name: str) -> LedgerRows:
        data = self.part(name)
        if len(data) % LEDGER_RECORD_BYTES:
            raise FileError(
                f"expected a multiple of {LEDGER_RECORD_BYTES} bytes, got {len(data)}", file=self._where(name)
            )
        starts = range(0, len(data), LEDGER_RECORD_BYTES)
        return LedgerRows(
            [data[at : at + 32] for at in starts],
            [int.from_bytes(data[at + 32 : at + 48]) for at in starts],
            [int.from_bytes(data[at + 48 : at + 64]) for at in starts],
        )


def _read(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
            raise FileError("expected a file inside the bundle, got a link that leads elsewhere", file=path)
        if not path.is_file():
            raise FileError("expected a plain file", file=path)
        if path.stat().st_size > MAX_PART_BYTES:
            raise FileError(f"expected at most {MAX_PART_BYTES} bytes", file=path)
        return path.read_bytes()
    except OSError as error:
        raise CannotTell(f"{path}: cannot be read: {error.strerror}") from error
    except (RuntimeError, ValueError) as error:  # a loop of links; a zero byte in a name
        raise FileError(f"cannot be read: {error}", file=path) from error


def _check_name(name: str, where: Path) -> None:
    stage = name.removeprefix("ledger/").removesuffix(".bin")
    if name not in SINGLE_PARTS and (name != f"ledger/{stage}.bin" or not _STAGE.fullmatch(stage)):
        raise FileError(
            f"expected the parts of {BUNDLE_FORMAT}, got {name[:100]!r}", file=where, field="parts"
        )


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value, re.ASCII) is not None


def _json(data: bytes, where: Path) -> dict[str, Any]:
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


def _line(data: bytes, where: str) -> dict[str, Any]:
    """One canonical line. Its keys are ASCII and it has no floats, so the standard library writes RFC 8785 too.

    What is canonical has no key twice and no blanks: writing it again shows that, at a fraction of a strict parse.
    """
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse, parse_float=_refuse)
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


def _expect(value: object, keys: set[str], where: object) -> None:
    if not isinstance(value, dict):
        raise FileError(f"expected an object, got {type(value).__name__}", file=where)
    if value.keys() != keys:
        wrong = sorted(value.keys() ^ keys)[0]
        what = "is missing" if wrong in keys else "is unknown"
        raise FileError(f"{what}; expected {', '.join(sorted(keys))}", file=where, field=wrong[:100])


def _list(value: object, where: object, field: str, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise FileError(f"expected a list{f' of {length}' if length else ''}", file=where, field=field)
    return value


def _integer(value: object, where: object, field: str, low: int = 0, high: int = 2**128 - 1) -> int:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        number = int(value)
        if low <= number <= high:
            return number
    raise FileError(
        f"expected a decimal text from {low} to {high}, got {str(value)[:60]!r}", file=where, field=field
    )


def _integers(value: object, where: object, field: str, length: int, low: int = 0) -> tuple[int, ...]:
    return tuple(_integer(item, where, field, low, 2**127 - 1) for item in _list(value, where, field, length))


def _small(value: object, where: object, field: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise FileError(
            f"expected a number from {low} to {high}, got {str(value)[:60]}", file=where, field=field
        )
    return value


def _texts(value: object, where: object, field: str) -> tuple[str, ...]:
    items = _list(value, where, field)
    if not all(isinstance(item, str) for item in items):
        raise FileError("expected texts", file=where, field=field)
    return tuple(items)


def _stages(value: object, where: object) -> tuple[str, ...]:
    stages = _texts(value, where, "stages")
    if not 2 <= len(stages) <= 5 or len(set(stages)) != len(stages):
        raise FileError(f"expected 2 to 5 different stages, got {len(stages)}", file=where, field="stages")
    for stage in stages:
        if not _STAGE.fullmatch(stage):
            raise FileError(
                f"expected letters, digits, - and _, got {stage[:60]!r}", file=where, field="stages"
            )
    return stages


def _time(value: object, where: object, field: str) -> datetime:
    try:
        time = to_time(value)
    except ValueError as error:
        raise FileError(str(error), file=where, field=field) from None
    if canonical_time(time) != value:
        raise FileError(f"expected {canonical_time(time)}, got {value}", file=where, field=field)
    return time


def _update(value: object, where: object) -> StageUpdate:
    _expect(value, {"before", "afterwards", "weight_root", "weight_total"}, where)
    assert isinstance(value, dict)  # noqa: S101 - _expect has looked
    return StageUpdate(
        _ledger_commitment(value["before"], where),
        _ledger_commitment(value["afterwards"], where),
        to_bytes(value["weight_root"], 32, f"{where}: weight_root"),
        _integer(value["weight_total"], where, "weight_total", 0, 2**127 - 1),
    )


def _ledger_commitment(value: object, where: object) -> LedgerCommitment:
    _expect(value, {"root", "total", "depth"}, where)
    assert isinstance(value, dict)  # noqa: S101 - _expect has looked
    return LedgerCommitment(
        to_bytes(value["root"], 32, f"{where}: root"),
        _integer(value["total"], where, "total", 0, 2**127 - 1),
        _small(value["depth"], where, "depth", 1, 32),
    )


def _token(value: object, where: object) -> Token:
    _expect(value, {"address", "symbol", "decimals"}, where)
    assert isinstance(value, dict)  # noqa: S101 - _expect has looked
    if not isinstance(value["address"], str) or not isinstance(value["symbol"], str):
        raise FileError("expected an address and a symbol", file=where, field="token")
    return Token(value["address"], value["symbol"], _small(value["decimals"], where, "decimals", 0, 77))


def _terms(value: object, where: object) -> Terms:
    _expect(value, set(Terms._fields), where)
    assert isinstance(value, dict)  # noqa: S101 - _expect has looked
    for name in ("token", "proposer", "arbiter", "registry"):
        if not isinstance(value[name], str):
            raise FileError("expected an address", file=where, field=name)
    return Terms(
        value["token"],
        _small(value["stage_count"], where, "stage_count", 2, 5),
        value["proposer"],
        value["arbiter"],
        value["registry"],
        _small(value["challenge_seconds"], where, "challenge_seconds", 1, 2**32 - 1),
        _small(value["abandon_seconds"], where, "abandon_seconds", 0, 2**32 - 1),
        _integer(value["bond_wei"], where, "bond_wei", 0, 2**96 - 1),
        _integer(value["demand_bond_wei"], where, "demand_bond_wei", 0, 2**96 - 1),
        to_bytes(value["terms_hash"], 32, f"{where}: terms_hash"),
    )


def _row(value: dict[str, Any], where: str) -> Row:
    if value.keys() != _ROW_KEYS:
        _expect(value, _ROW_KEYS, where)
    stage, name, reasons = value["stage"], value["name"], value["reasons"]
    if not isinstance(stage, str) or not (name is None or isinstance(name, str)):
        raise FileError("expected texts", file=where, field="stage, name")
    return Row(
        sys.intern(stage),  # the same few words a million times
        to_bytes(value["contributor_id"], 32, where),
        name,
        _integer(value["weight"], where, "weight", 0, MAX_AMOUNT),
        _integer(value["amount"], where, "amount", 0, MAX_AMOUNT),
        _texts(reasons, where, "reasons"),
    )


def _measurement(name: str, value: object, where: object) -> Measurement:
    keys = {
        "stages",
        "assets",
        "values_ppm",
        "inner",
        "standard_errors",
        "method",
        "seed",
        "evaluations",
        "inputs_sha256",
        "policies",
    }
    _expect(value, keys, where)
    assert isinstance(value, dict)  # noqa: S101 - _expect has looked
    stages = _stages(value["stages"], where)
    count = len(stages)
    if not isinstance(value["values_ppm"], dict) or not isinstance(value["method"], str):
        raise FileError("expected an object and a text", file=where, field="values_ppm, method")
    if not _is_sha256(value["inputs_sha256"]):
        raise FileError("expected 64 hex digits", file=where, field="inputs_sha256")
    policies = _list(value["policies"], where, "policies")
    if not all(isinstance(policy, dict) for policy in policies):
        raise FileError("expected objects", file=where, field="policies")
    assets = tuple(_texts(part, where, "assets") for part in _list(value["assets"], where, "assets", count))
    inner = tuple(
        tuple(_fraction(number, where) for number in _list(part, where, "inner", len(own)))
        for part, own in zip(_list(value["inner"], where, "inner", count), assets, strict=True)
    )
    errors = tuple(
        _integers(part, where, "standard_errors", len(own))
        for part, own in zip(
            _list(value["standard_errors"], where, "standard_errors", count), assets, strict=True
        )
    )
    return Measurement(
        pipeline=name,
        stages=stages,
        assets=assets,
        values_ppm={
            _mask(key, where): _integer(number, where, f"values_ppm of {key[:20]}", -(2**62), 2**62)
            for key, number in value["values_ppm"].items()
        },
        inner=inner,
        standard_errors=errors,
        method=value["method"],
        seed=_integer(value["seed"], where, "seed"),
        evaluations=_small(value["evaluations"], where, "evaluations", 0, 2**53),
        inputs_sha256=value["inputs_sha256"],
        policies=tuple(policies),
    )


def _mask(value: str, where: object) -> int:
    if not _HEX_MASK.fullmatch(value):
        raise FileError(
            f"expected a coalition such as 0x3f, got {value[:60]!r}", file=where, field="values_ppm"
        )
    return int(value, 16)


def _fraction(value: object, where: object) -> Fraction:
    match = _FRACTION.fullmatch(value) if isinstance(value, str) else None
    if match is None or not isinstance(value, str):
        raise FileError(
            f"expected a fraction such as 3/4, got {str(value)[:60]!r}", file=where, field="inner"
        )
    result = Fraction(int(match[1]), int(match[2]))
    if f"{result.numerator}/{result.denominator}" != value:
        raise FileError(
            f"expected the fraction in lowest terms, got {value[:60]!r}", file=where, field="inner"
        )
    return result


def decoded(read: Callable[[], Any]) -> Any:
    """A part for checks about something else: if it cannot be read, they cannot tell."""
    try:
        return read()
    except InputError as error:
        raise CannotTell(f"needs a part that cannot be read: {error}") from error
