"""What a bundle says, for people: all of it in short, and one contributor's money in full."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from string import hexdigits
from typing import Any

from ame.audit.independent import split
from ame.audit.reading import Contents, read_files
from ame.bundle import Token, canonical_time
from ame.errors import CannotTell, FileError, InputError
from ame.mapping.allocate import percent

NAMES_SHOWN = 8
MOST_COMPARED = 10_000
# Amounts in reasons are base units, with up to six digits after the point: `12.5 because ... x 25 for x/y (...)`.
_UNITS = re.compile(r"(?<!\S)([0-9]+)(?:\.[0-9]{1,6})?(?= because | for | as )")


def summary_of(folder: Path) -> dict[str, Any]:
    """Manifest, stages and totals. Raises FileError where a part is not what the manifest lists."""
    contents = _whole(folder)
    manifest, head = contents.files.manifest, contents.head
    return {
        "format": manifest["format"],
        "chain_id": manifest["chain_id"],
        "pool": manifest["pool"],
        "number": manifest["number"],
        "previous": manifest["previous"],
        "evidence": contents.files.sha256,
        "created_by": manifest["created_by"],
        "parts": manifest["parts"],
        "token": {
            "address": head.token.address,
            "symbol": head.token.symbol,
            "decimals": head.token.decimals,
        },
        "rights_at": canonical_time(head.at),
        "sales": len(contents.usage),
        "revenue": str(head.table[-1]),
        "pipelines": {
            name: {"method": one.method, "seed": str(one.seed), "evaluations": one.evaluations}
            for name, one in sorted(contents.measurements.items())
        },
        "stages": [
            {
                "stage": stage,
                "amount": str(amount),
                "contributors_paid": sum(part > 0 for part in _parts(contents, position)),
                "leaves": len(rows.ids),
                "total": str(update.afterwards.total),
                "root": "0x" + update.afterwards.root.hex(),
            }
            for position, (stage, amount, rows, update) in enumerate(
                zip(head.stages, head.amounts, contents.ledgers, head.updates, strict=True)
            )
        ],
    }


def summary_text(summary: Mapping[str, Any]) -> str:
    """The same for a terminal."""
    token = Token(**summary["token"])
    lines = [
        f"{summary['format']}: settlement {summary['number']} of pool {summary['pool']}",
        f"chain      {summary['chain_id']}",
        f"evidence   {summary['evidence']}",
        f"previous   {summary['previous'] or 'none, the first'}",
        f"revenue    {token.text(int(summary['revenue']))} from {summary['sales']} sales",
        f"rights at  {summary['rights_at']}",
    ]
    for name, one in summary["pipelines"].items():
        lines.append(
            f"pipeline   {name}: {one['method']}, seed {one['seed']}, {one['evaluations']} coalitions"
        )
    for stage in summary["stages"]:
        lines.append(
            f"stage      {stage['stage']}: {token.text(int(stage['amount']))} to {stage['contributors_paid']} "
            f"of {stage['leaves']} contributors; {token.text(int(stage['total']))} so far"
        )
    for name, part in summary["parts"].items():
        lines.append(f"part       {name}: {part['bytes']:,} bytes, SHA-256 {part['sha256']}")
    return "\n".join(lines)


def statement_of(folders: Sequence[Path], contributor: str) -> dict[str, Any]:
    """Per settlement and stage: amount, why, and what stands in the ledger. InputError for somebody unknown."""
    bundles = [_whole(folder) for folder in folders]
    settlements = []
    for contents in bundles:
        head, wanted, token = contents.head, _id(contents, contributor), contents.head.token
        stages = [] if wanted is None else _stages(contents, wanted)
        settlements.append(
            {
                "number": contents.files.manifest["number"],
                "pool": contents.files.manifest["pool"],
                "chain_id": contents.files.manifest["chain_id"],
                "revenue": str(head.table[-1]),
                "token": {"address": token.address, "symbol": token.symbol, "decimals": token.decimals},
                "contributor_id": None if wanted is None else "0x" + wanted.hex(),
                "stages": stages,
                "amount": str(sum(int(str(stage["amount"])) for stage in stages)),
            }
        )
    if not any(settlement["stages"] for settlement in settlements):
        raise InputError(
            "expected the name, address or id of somebody in the ledgers of these bundles, "
            f"got {contributor[:100]!a}; "
            f"{_those_known(bundles, contributor)}"
        )
    return {"contributor": contributor, "settlements": settlements}


def _stages(contents: Contents, wanted: bytes) -> list[dict[str, Any]]:
    head, lines = contents.head, {row.stage: row for row in contents.allocation.rows_of(wanted)}
    found = []
    for position, (stage, amount, rows) in enumerate(
        zip(head.stages, head.amounts, contents.ledgers, strict=True)
    ):
        if wanted not in rows.ids:
            continue
        index = rows.ids.index(wanted)
        found.append(
            {
                "stage": stage,
                "stage_amount": str(amount),
                "amount": str(_parts(contents, position)[index]),
                "weight": str(rows.weights[index]),
                "weight_total": str(sum(rows.weights)),
                "cumulative": str(rows.cumulatives[index]),
                "index": index,
                "reasons": list(lines[stage].reasons) if stage in lines else [],
            }
        )
    return found


def statement_text(found: Mapping[str, Any]) -> str:
    """The same for a terminal."""
    lines = [f"Statement for {found['contributor']}"]
    for settlement in found["settlements"]:
        token = Token(**settlement["token"])
        lines.append(
            f"\nSettlement {settlement['number']} of pool {settlement['pool']} on chain {settlement['chain_id']}: "
            f"{token.text(int(settlement['amount']))} of {token.text(int(settlement['revenue']))} revenue"
        )
        for stage in settlement["stages"]:
            lines.append(
                f"  {stage['stage']}: {token.text(int(stage['amount']))}, "
                f"{percent(int(stage['weight']), int(stage['weight_total']))} of the stage's "
                f"{token.text(int(stage['stage_amount']))}"
            )
            lines += [f"      {reason_text(reason, token)}" for reason in stage["reasons"]]
            lines.append(
                f"      ledger: leaf {stage['index']}, {token.text(int(stage['cumulative']))} from all settlements so far"
            )
        if not settlement["stages"]:
            lines.append("  nothing yet")
    return "\n".join(lines)


def reason_text(reason: str, token: Token) -> str:
    """A reason of allocation.jsonl, whose amounts are base units, as people write amounts; rounded down."""
    return _UNITS.sub(lambda match: token.text(int(match[1])), reason)


def _parts(contents: Contents, stage: int) -> list[int]:
    return split(contents.head.amounts[stage], contents.ledgers[stage].weights)


def _id(contents: Contents, contributor: str) -> bytes | None:
    """Of a name that this bundle knows, an address, or an id in hex; None for what is none of them."""
    if contributor in contents.rights.contributors:
        return contents.rights.contributors[contributor].id
    digits = contributor.removeprefix("0x")
    if len(digits) not in (40, 64) or not set(digits) <= set(hexdigits):
        return None
    return bytes.fromhex(digits).rjust(32, b"\0")


def _those_known(bundles: Sequence[Contents], contributor: str) -> str:
    """Names that are there: those most like the one that was asked for, or the first few."""
    names = sorted({name for contents in bundles for name in contents.allocation.names if name is not None})
    if len(names) <= MOST_COMPARED and (like := get_close_matches(contributor[:100], names, NAMES_SHOWN)):
        return f"did you mean {' or '.join(like)}?"
    rest = f" and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return f"they name {', '.join(names[:NAMES_SHOWN]) or 'nobody'}{rest}"


def _whole(folder: Path) -> Contents:
    files = read_files(folder)
    if files.altered:
        raise FileError(f"not what the manifest lists: {files.altered[0]}", file=folder)
    if files.missing:
        raise CannotTell(f"{folder / files.missing[0]}: the part is missing")
    return Contents(files)
