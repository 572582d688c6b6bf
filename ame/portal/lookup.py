"""What a browser looks up of one contributor among a million: her place, her leaves, her lines. docs/portal.md.

Neighbouring leaves share a file, and in it the upper part of their proofs; the browser hashes the lower part itself. So a
ledger on disk is hardly larger than its leaves, and nobody downloads more than a few such files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from ame.bundle import Bundle
from ame.execution.ledger import StageLedger
from ame.execution.merkle_sum import SIBLING_BYTES

File = tuple[str, bytes]
IDS_PER_FILE = 256
LEAF_BITS = 6  # 64 leaves of 48 bytes share a file; a browser hashes them in milliseconds
LINES_PER_FILE = 512
MAX_ID_DIGITS = 8
KEY_DIGITS = 16  # of an id's 64: enough to find it, and the leaf names it in full


def id_digits(contributors: int) -> int:
    """How many hex digits of an id name its file."""
    digits = 0
    while contributors > IDS_PER_FILE << 4 * digits and digits < MAX_ID_DIGITS:
        digits += 1
    return digits


def line_bits(epochs: int) -> int:
    """How many neighbouring leaves, as a power of two, share a file of lines: fewer, the longer the history."""
    return max(0, (LINES_PER_FILE // max(1, epochs)).bit_length() - 1)


def id_files(bundles: Sequence[Bundle], digits: int) -> Iterator[File]:
    """ids/<last digits of the id>.json: {last 16 digits: [name, leaf index or null for each stage]}.

    Where the last 16 digits of ids agree, their entries follow each other in the one list.
    """
    ledgers = bundles[-1].books.ledgers  # they hold all who were ever allocated anything
    names: dict[bytes, str] = {}
    for bundle in bundles:
        names.update(bundle.allocation.names)
    known = sorted(
        {one for ledger in ledgers for one in ledger.ids}, key=lambda one: (_tail(one, digits), one)
    )
    for _, group in groupby(known, key=lambda one: _tail(one, digits)):
        entries: dict[str, list[Any]] = {}
        for one in group:
            entry = entries.setdefault(one.hex()[-KEY_DIGITS:], [])
            entry += [names.get(one, ""), *(ledger.index_of.get(one) for ledger in ledgers)]
        name = one.hex()[64 - digits :] or "all"
        yield f"ids/{name}.json", compact(entries)


def _tail(contributor_id: bytes, digits: int) -> int:
    return int.from_bytes(contributor_id[-MAX_ID_DIGITS // 2 :]) & ((1 << 4 * digits) - 1)


def leaf_files(bundle: Bundle) -> Iterator[File]:
    """leaves/<settlement>/<stage>/<bucket>: the siblings above the bucket from the bottom up, then its leaves.

    Both are 48 bytes each: hash ‖ uint128 sum, and id ‖ uint128 cumulative.
    """
    for stage, ledger in enumerate(bundle.books.ledgers):
        for first in range(0, len(ledger.ids), 1 << LEAF_BITS):
            name = f"leaves/{bundle.settlement.number}/{stage}/{first >> LEAF_BITS}"
            yield name, bucket(ledger, first)


def bucket(ledger: StageLedger, first: int) -> bytes:
    """The leaves from `first` on that share a file, and above them the siblings of their common root."""
    part = slice(first, first + (1 << LEAF_BITS))
    above = ledger.tree.proof(first)[LEAF_BITS * SIBLING_BYTES :]
    leaves = zip(ledger.ids[part], ledger.cumulatives[part], strict=True)
    return above + b"".join(one + cumulative.to_bytes(16) for one, cumulative in leaves)


def line_files(bundles: Sequence[Bundle], bits: int) -> Iterator[File]:
    """lines/<stage>/<block>.json: what each settlement gave to neighbouring leaves, and the words for it.

    {"texts": [...], "lines": [[leaf index, settlement, weight, amount, numbers of texts...], ...]}
    """
    for stage, ledger in enumerate(bundles[-1].books.ledgers):
        indexed = [_indexed(bundle, stage) for bundle in bundles]
        for first in range(0, len(ledger.ids), 1 << bits):
            texts: dict[str, int] = {}
            lines = [
                [
                    index,
                    number,
                    str(weight),
                    str(amount),
                    *(texts.setdefault(text, len(texts)) for text in reasons),
                ]
                for index in range(first, min(first + (1 << bits), len(ledger.ids)))
                for number, weight, amount, reasons in (found[index] for found in indexed if index in found)
            ]
            yield f"lines/{stage}/{first >> bits}.json", compact({"lines": lines, "texts": list(texts)})


def _indexed(bundle: Bundle, stage: int) -> dict[int, tuple[int, int, int, tuple[str, ...]]]:
    """By leaf index: settlement, weight, amount, reasons."""
    settlement, index_of = bundle.settlement, bundle.books.ledgers[stage].index_of
    parts = bundle.books.weights[stage].parts(settlement.amounts[stage])
    found = {}
    for line in bundle.allocation.lines[stage]:
        index = index_of[line.contributor_id]
        found[index] = (settlement.number, line.weight, parts[index], line.reasons)
    return found


def compact(document: object) -> bytes:
    """JSON, the same bytes for the same content."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
