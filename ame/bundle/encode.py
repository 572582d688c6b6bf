"""Bundle -> the bytes of its files. Same bundle, same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import rfc8785

import ame
from ame.bundle.records import (
    BUNDLE_FORMAT,
    COALITIONS_FORMAT,
    SETTLEMENT_FORMAT,
    SHARES_FORMAT,
    Bundle,
    canonical_time,
)
from ame.encoding import to_hex
from ame.execution.settlement import Books
from ame.records import Allocation, LedgerCommitment, Measurement, Shares, StageUpdate, Terms


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


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(rfc8785.dumps(row) + b"\n" for row in rows)


def _allocation_rows(books: Books, allocation: Allocation) -> Iterator[dict[str, Any]]:
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


def _ledger_to_json(ledger: LedgerCommitment) -> dict[str, Any]:
    return {"root": to_hex(ledger.root), "total": str(ledger.total), "depth": ledger.depth}


def _update_to_json(update: StageUpdate) -> dict[str, Any]:
    return {
        "before": _ledger_to_json(update.before),
        "afterwards": _ledger_to_json(update.afterwards),
        "weight_root": to_hex(update.weight_root),
        "weight_total": str(update.weight_total),
    }


def _terms_to_json(terms: Terms) -> dict[str, Any]:
    return {
        **terms._asdict(),
        "bond_wei": str(terms.bond_wei),
        "demand_bond_wei": str(terms.demand_bond_wei),
        "terms_hash": to_hex(terms.terms_hash),
    }


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
