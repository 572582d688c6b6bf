"""The bytes of a bundle's files -> Bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from ame import bounded_json
from ame.bundle.records import (
    COALITIONS_FORMAT,
    LEDGER_RECORD_BYTES,
    SETTLEMENT_FORMAT,
    SHARES_FORMAT,
    Bundle,
    Token,
)
from ame.encoding import to_bytes
from ame.errors import FileError, InputError
from ame.execution.ledger import StageLedger, StageWeights
from ame.execution.settlement import Books
from ame.records import (
    Allocation,
    AllocationLine,
    LedgerCommitment,
    Measurement,
    Settlement,
    Shares,
    StageUpdate,
    Terms,
    UsageRecord,
)

T = TypeVar("T")


def decode(manifest: Mapping[str, Any], parts: Mapping[str, bytes], folder: Path) -> Bundle:
    """What manifest and parts say; errors name files as if they lay in `folder`.

    Raises FileError, and KeyError, TypeError, ValueError or AttributeError where a part is not what its format says.
    """

    def load(name: str, format_tag: str) -> dict[str, Any]:
        document = parse_json(_part(parts, name, folder), folder / name)
        expect_format(document, format_tag, folder / name)
        return document

    head = load("settlement.json", SETTLEMENT_FORMAT)
    stages = tuple(head["stages"])
    table = tuple(int(value) for value in head["table"])
    updates = tuple(_update_from_json(update) for update in head["updates"])
    ledgers, weights = _decode_ledgers(stages, updates, parts, folder)
    settlement = Settlement(
        chain_id=int(manifest["chain_id"]),
        pool=manifest["pool"],
        number=int(manifest["number"]),
        stages=stages,
        table=table,
        amounts=tuple(int(amount) for amount in head["amounts"]),
        updates=updates,
    )
    usage = tuple(_each_line(parts, "usage.jsonl", folder, _usage_from_json))
    coalitions = load("coalitions.json", COALITIONS_FORMAT)
    shares = load("shares.json", SHARES_FORMAT)
    rows: dict[str, list[AllocationLine]] = {stage: [] for stage in stages}
    names: dict[bytes, str] = {}
    for stage, name, line in _each_line(parts, "allocation.jsonl", folder, _line_from_json(stages)):
        rows[stage].append(line)
        if name is not None:
            names[line.contributor_id] = name
    return Bundle(
        books=Books(settlement, ledgers, weights),
        token=Token(**head["token"]),
        terms=_terms_from_json(head["terms"]),
        usage=usage,
        measurements={
            name: _measurement_from_json(name, value) for name, value in coalitions["pipelines"].items()
        },
        shares=Shares(
            tuple(shares["stages"]),
            tuple(int(value) for value in shares["table"]),
            tuple({a: int(w) for a, w in weights_.items()} for weights_ in shares["asset_weights"]),
        ),
        rights=_part(parts, "rights.yaml", folder),
        at=datetime.fromisoformat(head["rights_at"]),
        allocation=Allocation(stages, table, tuple(tuple(rows[stage]) for stage in stages), names),
        previous=manifest["previous"],
    )


def _decode_ledgers(
    stages: Sequence[str], updates: Sequence[StageUpdate], parts: Mapping[str, bytes], folder: Path
) -> tuple[tuple[StageLedger, ...], tuple[StageWeights, ...]]:
    ledgers, weights = [], []
    for stage, update in zip(stages, updates, strict=True):
        data = _part(parts, f"ledger/{stage}.bin", folder)
        if len(data) % LEDGER_RECORD_BYTES:
            raise FileError(
                f"expected a multiple of {LEDGER_RECORD_BYTES} bytes, got {len(data)}",
                file=folder / f"ledger/{stage}.bin",
            )
        records = [data[at : at + LEDGER_RECORD_BYTES] for at in range(0, len(data), LEDGER_RECORD_BYTES)]
        ledgers.append(
            StageLedger(
                tuple(record[:32] for record in records),
                tuple(int.from_bytes(record[32:48]) for record in records),
                update.afterwards.depth,
            )
        )
        weights.append(
            StageWeights(tuple(int.from_bytes(record[48:]) for record in records), update.afterwards.depth)
        )
    return tuple(ledgers), tuple(weights)


def parse_json(data: bytes, file: object, line: int | None = None) -> dict[str, Any]:
    """A JSON object, strictly: UTF-8, no duplicate keys, no NaN, no floats, bounded nesting."""

    def refuse(text: str) -> Any:
        raise InputError(f"expected no {text}")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise InputError(f"expected each key once, got {[key for key, _ in pairs]}")
        return dict(pairs)

    try:
        document = bounded_json.loads(
            data.decode("utf-8"),
            object_pairs_hook=unique,
            parse_constant=refuse,
            parse_float=refuse,
        )
    except (ValueError, RecursionError) as error:
        raise FileError(f"not the JSON expected here: {error}", file=file, line=line) from error
    if not isinstance(document, dict):
        raise FileError(f"expected a JSON object, got {type(document).__name__}", file=file, line=line)
    return document


def _part(parts: Mapping[str, bytes], name: str, folder: Path) -> bytes:
    if name not in parts:
        raise FileError(f"expected the part {name}", file=folder / "manifest.json", field="parts")
    return parts[name]


def _each_line(
    parts: Mapping[str, bytes], name: str, folder: Path, decode: Callable[[dict[str, Any]], T]
) -> Iterator[T]:
    """What each line of a JSON Lines part says; a fault names its line."""
    lines = _part(parts, name, folder).split(b"\n")
    if lines.pop() != b"":
        raise FileError("expected a line break at the end", file=folder / name, line=len(lines) + 1)
    for number, line in enumerate(lines, 1):
        row = parse_json(line, folder / name, number)
        try:
            yield decode(row)
        except KeyError as error:
            raise FileError(
                "expected this field", file=folder / name, line=number, field=error.args[0]
            ) from error
        except (TypeError, ValueError) as error:
            raise FileError(str(error), file=folder / name, line=number) from error


def expect_format(document: Mapping[str, Any], format_tag: str, file: Path) -> None:
    """Refuse a document of another format."""
    if document.get("format") != format_tag:
        raise FileError(f"expected {format_tag!r}, got {document.get('format')!r}", file=file, field="format")


def _usage_from_json(row: Mapping[str, Any]) -> UsageRecord:
    return UsageRecord(row["id"], row["pipeline"], int(row["amount"]), datetime.fromisoformat(row["time"]))


def _line_from_json(
    stages: Sequence[str],
) -> Callable[[Mapping[str, Any]], tuple[str, str | None, AllocationLine]]:
    def decode(row: Mapping[str, Any]) -> tuple[str, str | None, AllocationLine]:
        if row["stage"] not in stages:
            raise InputError(f"stage: expected one of {', '.join(stages)}, got {row['stage']!r}")
        contributor_id = to_bytes(row["contributor_id"], 32, "contributor_id")
        return (
            row["stage"],
            row["name"],
            AllocationLine(contributor_id, int(row["weight"]), tuple(row["reasons"])),
        )

    return decode


def _ledger_from_json(value: Mapping[str, Any]) -> LedgerCommitment:
    return LedgerCommitment(to_bytes(value["root"], 32, "root"), int(value["total"]), value["depth"])


def _update_from_json(value: Mapping[str, Any]) -> StageUpdate:
    return StageUpdate(
        _ledger_from_json(value["before"]),
        _ledger_from_json(value["afterwards"]),
        to_bytes(value["weight_root"], 32, "weight_root"),
        int(value["weight_total"]),
    )


def _terms_from_json(value: Mapping[str, Any]) -> Terms:
    return Terms(
        **{
            **value,
            "bond_wei": int(value["bond_wei"]),
            "demand_bond_wei": int(value["demand_bond_wei"]),
            "terms_hash": to_bytes(value["terms_hash"], 32, "terms_hash"),
        }
    )


def _measurement_from_json(name: str, value: Mapping[str, Any]) -> Measurement:
    return Measurement(
        pipeline=name,
        stages=tuple(value["stages"]),
        assets=tuple(tuple(assets) for assets in value["assets"]),
        values_ppm={int(key, 16): int(number) for key, number in value["values_ppm"].items()},
        inner=tuple(tuple(Fraction(number) for number in values) for values in value["inner"]),
        standard_errors=tuple(tuple(int(error) for error in errors) for errors in value["standard_errors"]),
        method=value["method"],
        seed=int(value["seed"]),
        evaluations=value["evaluations"],
        inputs_sha256=value["inputs_sha256"],
        policies=tuple(value["policies"]),
    )
