"""What the JSON parts of a bundle say, decoded strictly."""

from __future__ import annotations

import re
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from ame.audit.fields import fields, integer, integers, items, sha256, small, stages, text, texts, time
from ame.bundle import Token
from ame.encoding import to_bytes
from ame.errors import FileError
from ame.records import LedgerCommitment, Measurement, Shares, StageUpdate, Terms, UsageRecord

_MASK = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,1023})", re.ASCII)
_FRACTION = re.compile(r"(0|-?[1-9][0-9]{0,999})/([1-9][0-9]{0,999})", re.ASCII)


class Head(NamedTuple):
    """settlement.json."""

    stages: tuple[str, ...]
    table: tuple[int, ...]
    amounts: tuple[int, ...]
    updates: tuple[StageUpdate, ...]
    token: Token
    terms: Terms
    at: datetime


def head_from(value: object, where: object) -> Head:
    """Of settlement.json."""
    keys = {"format", "stages", "table", "amounts", "updates", "token", "terms", "rights_at"}
    said = fields(value, keys, where)
    names = stages(said["stages"], where)
    return Head(
        names,
        integers(said["table"], where, "table", 1 << len(names), -(2**127)),
        integers(said["amounts"], where, "amounts", len(names)),
        tuple(_update(update, where) for update in items(said["updates"], where, "updates", len(names))),
        _token(said["token"], where),
        _terms(said["terms"], where),
        time(said["rights_at"], where, "rights_at"),
    )


def sale_from(value: object, where: object) -> UsageRecord:
    """Of a line of usage.jsonl."""
    said = fields(value, {"id", "pipeline", "amount", "time"}, where)
    return UsageRecord(
        text(said["id"], where, "id"),
        text(said["pipeline"], where, "pipeline"),
        integer(said["amount"], where, "amount", 0, 2**127 - 1),
        time(said["time"], where, "time"),
    )


def measurements_from(value: object, where: object) -> dict[str, Measurement]:
    """Of coalitions.json."""
    said = fields(value, {"format", "pipelines"}, where)
    if not isinstance(said["pipelines"], dict):
        raise FileError("expected an object", file=where, field="pipelines")
    return {name: _measurement(name, one, where) for name, one in said["pipelines"].items()}


def shares_from(value: object, where: object) -> Shares:
    """Of shares.json."""
    said = fields(value, {"format", "stages", "table", "asset_weights"}, where)
    names = stages(said["stages"], where)
    weights = items(said["asset_weights"], where, "asset_weights", len(names))
    if not all(isinstance(stage, dict) for stage in weights):
        raise FileError("expected one object per stage", file=where, field="asset_weights")
    return Shares(
        names,
        integers(said["table"], where, "table", 1 << len(names), -(2**127)),
        tuple({a: integer(w, where, f"weight of {a[:60]}") for a, w in stage.items()} for stage in weights),
    )


def _update(value: object, where: object) -> StageUpdate:
    said = fields(value, {"before", "afterwards", "weight_root", "weight_total"}, where)
    return StageUpdate(
        _ledger_commitment(said["before"], where),
        _ledger_commitment(said["afterwards"], where),
        to_bytes(said["weight_root"], 32, f"{where}: weight_root"),
        integer(said["weight_total"], where, "weight_total", 0, 2**127 - 1),
    )


def _ledger_commitment(value: object, where: object) -> LedgerCommitment:
    said = fields(value, {"root", "total", "depth"}, where)
    return LedgerCommitment(
        to_bytes(said["root"], 32, f"{where}: root"),
        integer(said["total"], where, "total", 0, 2**127 - 1),
        small(said["depth"], where, "depth", 1, 32),
    )


def _token(value: object, where: object) -> Token:
    said = fields(value, {"address", "symbol", "decimals"}, where)
    address = text(said["address"], where, "token.address", "an address")
    return Token(
        address,
        text(said["symbol"], where, "token.symbol"),
        small(said["decimals"], where, "decimals", 0, 77),
    )


def _terms(value: object, where: object) -> Terms:
    said = fields(value, set(Terms._fields), where)
    return Terms(
        text(said["token"], where, "token", "an address"),
        small(said["stage_count"], where, "stage_count", 2, 5),
        text(said["proposer"], where, "proposer", "an address"),
        text(said["arbiter"], where, "arbiter", "an address"),
        text(said["registry"], where, "registry", "an address"),
        small(said["challenge_seconds"], where, "challenge_seconds", 1, 2**32 - 1),
        small(said["abandon_seconds"], where, "abandon_seconds", 0, 2**32 - 1),
        integer(said["bond_wei"], where, "bond_wei", 0, 2**96 - 1),
        integer(said["demand_bond_wei"], where, "demand_bond_wei", 0, 2**96 - 1),
        to_bytes(said["terms_hash"], 32, f"{where}: terms_hash"),
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
    said = fields(value, keys, where)
    names = stages(said["stages"], where)
    count = len(names)
    if not isinstance(said["values_ppm"], dict):
        raise FileError("expected an object", file=where, field="values_ppm")
    policies = items(said["policies"], where, "policies")
    if not all(isinstance(policy, dict) for policy in policies):
        raise FileError("expected objects", file=where, field="policies")
    assets = tuple(texts(part, where, "assets") for part in items(said["assets"], where, "assets", count))
    inner = tuple(
        tuple(_fraction(number, where) for number in items(part, where, "inner", len(own)))
        for part, own in zip(items(said["inner"], where, "inner", count), assets, strict=True)
    )
    errors = tuple(
        integers(part, where, "standard_errors", len(own))
        for part, own in zip(
            items(said["standard_errors"], where, "standard_errors", count), assets, strict=True
        )
    )
    return Measurement(
        pipeline=name,
        stages=names,
        assets=assets,
        values_ppm={
            _mask(key, where): integer(number, where, f"values_ppm of {key[:20]}", -(2**62), 2**62)
            for key, number in said["values_ppm"].items()
        },
        inner=inner,
        standard_errors=errors,
        method=text(said["method"], where, "method"),
        seed=integer(said["seed"], where, "seed"),
        evaluations=small(said["evaluations"], where, "evaluations", 0, 2**53),
        inputs_sha256=sha256(said["inputs_sha256"], where, "inputs_sha256"),
        policies=tuple(policies),
    )


def _mask(value: str, where: object) -> int:
    if not _MASK.fullmatch(value):
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
