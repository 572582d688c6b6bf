"""What a bundle says, for people: all of it in short, and one contributor's money in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ame.audit.independent import split
from ame.audit.reading import Contents, read_files
from ame.bundle import Token, canonical_time
from ame.errors import CannotTell, FileError, InputError


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
    settlements = []
    for folder in folders:
        contents = _whole(folder)
        head, wanted = contents.head, _id(contents, contributor)
        token = head.token
        stages = []
        for position, (stage, amount, rows) in enumerate(
            zip(head.stages, head.amounts, contents.ledgers, strict=True)
        ):
            if wanted not in rows.ids:
                continue
            index = rows.ids.index(wanted)
            line = next(
                (r for r in contents.allocation if r.stage == stage and r.contributor_id == wanted), None
            )
            stages.append(
                {
                    "stage": stage,
                    "stage_amount": str(amount),
                    "amount": str(_parts(contents, position)[index]),
                    "weight": str(rows.weights[index]),
                    "weight_total": str(sum(rows.weights)),
                    "cumulative": str(rows.cumulatives[index]),
                    "index": index,
                    "reasons": list(line.reasons) if line is not None else [],
                }
            )
        settlements.append(
            {
                "number": contents.files.manifest["number"],
                "pool": contents.files.manifest["pool"],
                "chain_id": contents.files.manifest["chain_id"],
                "revenue": str(head.table[-1]),
                "token": {"address": token.address, "symbol": token.symbol, "decimals": token.decimals},
                "contributor_id": "0x" + wanted.hex(),
                "stages": stages,
                "amount": str(sum(int(str(stage["amount"])) for stage in stages)),
            }
        )
    if not any(settlement["stages"] for settlement in settlements):
        raise InputError(f"{contributor}: expected somebody in these bundles' ledgers, found nobody")
    return {"contributor": contributor, "settlements": settlements}


def statement_text(found: Mapping[str, Any]) -> str:
    """The same for a terminal."""
    lines = [f"Statement for {found['contributor']}"]
    for settlement in found["settlements"]:
        token = Token(**settlement["token"])
        lines.append(
            f"\nSettlement {settlement['number']} of pool {settlement['pool']}: "
            f"{token.text(int(settlement['amount']))} of {token.text(int(settlement['revenue']))} revenue"
        )
        for stage in settlement["stages"]:
            share = int(stage["weight"]) * 10**8 // max(1, int(stage["weight_total"]))
            lines.append(
                f"  {stage['stage']}: {token.text(int(stage['amount']))}, that is {share / 10**6:g} % of the "
                f"stage's {token.text(int(stage['stage_amount']))}"
            )
            lines += [f"      because {reason}" for reason in stage["reasons"]]
            lines.append(
                f"      ledger: leaf {stage['index']}, {token.text(int(stage['cumulative']))} in all settlements"
            )
    return "\n".join(lines)


def _parts(contents: Contents, stage: int) -> list[int]:
    return split(contents.head.amounts[stage], contents.ledgers[stage].weights)


def _id(contents: Contents, contributor: str) -> bytes:
    if contributor in contents.rights.contributors:
        return contents.rights.contributors[contributor].id
    digits = contributor.removeprefix("0x")
    try:
        return bytes.fromhex(digits).rjust(32, b"\0") if len(digits) in (40, 64) else _unknown(contributor)
    except ValueError:
        return _unknown(contributor)


def _unknown(contributor: str) -> bytes:
    raise InputError(f"expected a contributor of the rights file, an address or an id, got {contributor!r}")


def _whole(folder: Path) -> Contents:
    files = read_files(folder)
    if files.altered:
        raise FileError(f"not what the manifest lists: {files.altered[0]}", file=folder)
    if files.missing:
        raise CannotTell(f"{folder / files.missing[0]}: the part is missing")
    return Contents(files)
