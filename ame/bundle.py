"""Bundles: the published files from which anyone can rebuild and check a settlement (docs/bundle.md)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import rfc8785

import ame
from ame.encoding import to_bytes, to_hex
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

BUNDLE_FORMAT = "ame-bundle/1"
SETTLEMENT_FORMAT = "ame-settlement/1"
COALITIONS_FORMAT = "ame-coalitions/1"
SHARES_FORMAT = "ame-shares/1"
T = TypeVar("T")
LEDGER_RECORD_BYTES = 64  # id ‖ uint128 cumulative ‖ uint128 weight


@dataclass(frozen=True)
class Token:
    """How a pool's money is written: address 0x0 is the chain's own coin."""

    address: str
    symbol: str
    decimals: int

    def text(self, amount: int) -> str:
        """An amount of base units as people write it, exactly."""
        whole, rest = divmod(abs(amount), 10**self.decimals)
        point = f".{rest:0{self.decimals}d}" if self.decimals else ""
        return f"{'-' if amount < 0 else ''}{whole:,}{point} {self.symbol}"


@dataclass(frozen=True)
class Bundle:
    """Everything that stands behind one settlement."""

    books: Books
    token: Token
    terms: Terms
    usage: tuple[UsageRecord, ...]
    measurements: Mapping[str, Measurement]
    shares: Shares
    rights: bytes  # the rights file, byte for byte
    at: datetime  # as of when the rights were read
    allocation: Allocation
    previous: str | None  # SHA-256 of the previous bundle's manifest

    @property
    def settlement(self) -> Settlement:
        """The settlement that the bundle is about."""
        return self.books.settlement


def canonical_time(time: datetime) -> str:
    """RFC 3339 in UTC, to the second or microsecond."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def encode_parts(bundle: Bundle) -> dict[str, bytes]:
    """The files of a bundle, without the manifest. Same bundle, same bytes."""
    settlement, allocation = bundle.settlement, bundle.allocation
    parts = {
        "settlement.json": rfc8785.dumps(
            {
                "format": SETTLEMENT_FORMAT,
                "stages": list(settlement.stages),
                "table": [str(value) for value in settlement.table],
                "amounts": [str(amount) for amount in settlement.amounts],
                "updates": [_update_to_json(update) for update in settlement.updates],
                "token": {
                    "address": bundle.token.address,
                    "symbol": bundle.token.symbol,
                    "decimals": bundle.token.decimals,
                },
                "terms": _terms_to_json(bundle.terms),
                "rights_at": canonical_time(bundle.at),
            }
        ),
        "usage.jsonl": _lines(
            {
                "id": record.id,
                "pipeline": record.pipeline,
                "amount": str(record.amount),
                "time": canonical_time(record.time),
            }
            for record in bundle.usage
        ),
        "coalitions.json": encode_measurements(bundle.measurements),
        "shares.json": encode_shares(bundle.shares),
        "rights.yaml": bundle.rights,
        "allocation.jsonl": _lines(_allocation_rows(bundle.books, allocation)),
    }
    for stage, ledger, weights in zip(
        settlement.stages, bundle.books.ledgers, bundle.books.weights, strict=True
    ):
        parts[f"ledger/{stage}.bin"] = b"".join(
            contributor_id + cumulative.to_bytes(16) + weight.to_bytes(16)
            for contributor_id, cumulative, weight in zip(
                ledger.ids, ledger.cumulatives, weights.weights, strict=True
            )
        )
    return parts


def encode_measurements(measurements: Mapping[str, Measurement]) -> bytes:
    """The file coalitions.json."""
    pipelines = {name: _measurement_to_json(one) for name, one in measurements.items()}
    return rfc8785.dumps({"format": COALITIONS_FORMAT, "pipelines": pipelines})


def encode_shares(shares: Shares) -> bytes:
    """The file shares.json."""
    return rfc8785.dumps(
        {
            "format": SHARES_FORMAT,
            "stages": list(shares.stages),
            "table": [str(value) for value in shares.table],
            "asset_weights": [
                {asset: str(weight) for asset, weight in weights.items()} for weights in shares.asset_weights
            ],
        }
    )


def encode_manifest(bundle: Bundle, parts: Mapping[str, bytes]) -> bytes:
    """manifest.json; its SHA-256 is the settlement's evidence on chain."""
    return rfc8785.dumps(
        {
            "format": BUNDLE_FORMAT,
            "chain_id": str(bundle.settlement.chain_id),
            "pool": bundle.settlement.pool,
            "number": str(bundle.settlement.number),
            "previous": bundle.previous,
            "created_by": {"ame": ame.__version__},
            "parts": {
                name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
                for name, data in parts.items()
            },
        }
    )


def write_bundle(folder: Path, bundle: Bundle) -> bytes:
    """Write the bundle whole or not at all; gives the evidence, the manifest's SHA-256.

    Raises InputError if the folder exists with other content.
    """
    parts = encode_parts(bundle)
    manifest = encode_manifest(bundle, parts)
    evidence = hashlib.sha256(manifest).digest()
    if folder.exists():
        if (folder / "manifest.json").is_file() and evidence_of(folder) == evidence:
            return evidence
        raise InputError(
            f"{folder}: expected a folder that does not exist yet: a bundle is never overwritten"
        )
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        for name, data in {**parts, "manifest.json": manifest}.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return evidence


def evidence_of(folder: Path) -> bytes:
    """SHA-256 of the folder's manifest. Raises FileError where there is none."""
    return hashlib.sha256(_read_file(folder, "manifest.json")).digest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, as it is: the parts' hashes are checked by read_bundle."""
    path = folder / "manifest.json"
    manifest = parse_json(_read_file(folder, "manifest.json"), path)
    _expect_format(manifest, BUNDLE_FORMAT, path)
    return manifest


def read_parts(folder: Path) -> dict[str, bytes]:
    """All parts that the manifest lists, each with the SHA-256 that it says."""
    manifest, parts = read_manifest(folder), {}
    listed = _field(manifest, "parts", dict, folder / "manifest.json")
    for name, entry in listed.items():
        if name.startswith("/") or "\\" in name or any(part in ("", ".", "..") for part in name.split("/")):
            raise FileError(
                f"expected a plain relative name, got {name!r}", file=folder / "manifest.json", field="parts"
            )
        data = _read_file(folder, name)
        found = hashlib.sha256(data).hexdigest()
        if not isinstance(entry, dict) or entry.get("sha256") != found or entry.get("bytes") != len(data):
            raise FileError(
                f"expected what the manifest lists, {entry}, got SHA-256 {found} and {len(data)} bytes",
                file=folder / name,
            )
        parts[name] = data
    return parts


def read_bundle(folder: Path, *, chain_id: int | None = None, pool: str | None = None) -> Bundle:
    """Read and check a bundle; `chain_id` and `pool`, where given, must be its own.

    Raises FileError for whatever is missing, altered, unknown or not in canonical form.
    """
    manifest, parts = read_manifest(folder), read_parts(folder)
    where = folder / "manifest.json"
    if chain_id is not None and manifest.get("chain_id") != str(chain_id):
        raise FileError(
            f"expected a bundle of chain {chain_id}, got {manifest.get('chain_id')!r}",
            file=where,
            field="chain_id",
        )
    if pool is not None and manifest.get("pool") != pool:
        raise FileError(
            f"expected a bundle of pool {pool}, got {manifest.get('pool')!r}", file=where, field="pool"
        )
    try:
        bundle = _decode(manifest, parts, folder)
    except FileError:
        raise
    except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(
            f"not a bundle of {BUNDLE_FORMAT}: {type(error).__name__}: {error}", file=folder
        ) from error
    for name, data in encode_parts(bundle).items():
        if parts.get(name) != data:
            raise FileError("expected the canonical form of what it says", file=folder / name)
    extra = sorted(set(parts) - set(encode_parts(bundle)))
    if extra:
        raise FileError(f"expected no other parts, got {extra}", file=where, field="parts")
    again = parse_json(encode_manifest(bundle, parts), where) | {"created_by": manifest.get("created_by")}
    if rfc8785.dumps(again) != _read_file(folder, "manifest.json"):
        raise FileError("expected the canonical form of what it says", file=where)
    return bundle


def _decode(manifest: Mapping[str, Any], parts: Mapping[str, bytes], folder: Path) -> Bundle:
    def load(name: str, format_tag: str) -> dict[str, Any]:
        document = parse_json(_part(parts, name, folder), folder / name)
        _expect_format(document, format_tag, folder / name)
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
        document = json.loads(
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


def _read_file(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
            raise FileError("expected a file inside the bundle, got a link that leads elsewhere", file=path)
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}", file=path) from error


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


def _lines(rows: Any) -> bytes:
    return b"".join(rfc8785.dumps(row) + b"\n" for row in rows)


def _field(document: Mapping[str, Any], name: str, kind: type, file: Path) -> Any:
    if not isinstance(document.get(name), kind):
        raise FileError(f"expected {kind.__name__}, got {document.get(name)!r}", file=file, field=name)
    return document[name]


def _expect_format(document: Mapping[str, Any], format_tag: str, file: Path) -> None:
    if document.get("format") != format_tag:
        raise FileError(f"expected {format_tag!r}, got {document.get('format')!r}", file=file, field="format")


def _allocation_rows(books: Books, allocation: Allocation) -> Any:
    for stage, lines, ledger, update, weights in zip(
        allocation.stages,
        allocation.lines,
        books.ledgers,
        books.settlement.updates,
        books.weights,
        strict=True,
    ):
        amount = update.afterwards.total - update.before.total
        parts = weights.parts(amount)
        for line in lines:
            yield {
                "stage": stage,
                "contributor_id": to_hex(line.contributor_id),
                "name": allocation.names.get(line.contributor_id),
                "weight": str(line.weight),
                "amount": str(parts[ledger.index_of[line.contributor_id]]),
                "reasons": list(line.reasons),
            }


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


def _ledger_to_json(ledger: LedgerCommitment) -> dict[str, Any]:
    return {"root": to_hex(ledger.root), "total": str(ledger.total), "depth": ledger.depth}


def _ledger_from_json(value: Mapping[str, Any]) -> LedgerCommitment:
    return LedgerCommitment(to_bytes(value["root"], 32, "root"), int(value["total"]), value["depth"])


def _update_to_json(update: StageUpdate) -> dict[str, Any]:
    return {
        "before": _ledger_to_json(update.before),
        "afterwards": _ledger_to_json(update.afterwards),
        "weight_root": to_hex(update.weight_root),
        "weight_total": str(update.weight_total),
    }


def _update_from_json(value: Mapping[str, Any]) -> StageUpdate:
    return StageUpdate(
        _ledger_from_json(value["before"]),
        _ledger_from_json(value["afterwards"]),
        to_bytes(value["weight_root"], 32, "weight_root"),
        int(value["weight_total"]),
    )


def _terms_to_json(terms: Terms) -> dict[str, Any]:
    return {
        **terms._asdict(),
        "bond_wei": str(terms.bond_wei),
        "demand_bond_wei": str(terms.demand_bond_wei),
        "terms_hash": to_hex(terms.terms_hash),
    }


def _terms_from_json(value: Mapping[str, Any]) -> Terms:
    return Terms(
        **{
            **value,
            "bond_wei": int(value["bond_wei"]),
            "demand_bond_wei": int(value["demand_bond_wei"]),
            "terms_hash": to_bytes(value["terms_hash"], 32, "terms_hash"),
        }
    )


def _measurement_to_json(one: Measurement) -> dict[str, Any]:
    return {
        "stages": list(one.stages),
        "assets": [list(assets) for assets in one.assets],
        "values_ppm": {hex(coalition): str(value) for coalition, value in one.values_ppm.items()},
        "inner": [[f"{v.numerator}/{v.denominator}" for v in values] for values in one.inner],
        "standard_errors": [[str(error) for error in errors] for errors in one.standard_errors],
        "method": one.method,
        "seed": str(one.seed),
        "evaluations": one.evaluations,
        "inputs_sha256": one.inputs_sha256,
        "policies": [dict(policy) for policy in one.policies],
    }


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
