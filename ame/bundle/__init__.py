"""Bundles: the published files from which anyone can rebuild and check a settlement (docs/bundle.md)."""

from ame.bundle.decode import parse_json
from ame.bundle.encode import encode_manifest, encode_measurements, encode_parts, encode_shares
from ame.bundle.folder import evidence_of, read_bundle, read_manifest, read_parts, write_bundle
from ame.bundle.records import (
    BUNDLE_FORMAT,
    COALITIONS_FORMAT,
    LEDGER_RECORD_BYTES,
    SETTLEMENT_FORMAT,
    SHARES_FORMAT,
    Bundle,
    Token,
    canonical_time,
)

__all__ = [
    "BUNDLE_FORMAT",
    "COALITIONS_FORMAT",
    "LEDGER_RECORD_BYTES",
    "SETTLEMENT_FORMAT",
    "SHARES_FORMAT",
    "Bundle",
    "Token",
    "canonical_time",
    "encode_manifest",
    "encode_measurements",
    "encode_parts",
    "encode_shares",
    "evidence_of",
    "parse_json",
    "read_bundle",
    "read_manifest",
    "read_parts",
    "write_bundle",
]
