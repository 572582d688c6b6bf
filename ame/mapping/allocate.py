"""Shares + rights at a time -> Allocation: whose money each stage's weights are, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import TypeAlias

from ame.arithmetic import telescoping_split
from ame.errors import InputError, InternalError
from ame.mapping.collector import paused_collector
from ame.mapping.conflicts import find_conflicts
from ame.mapping.lineage_pay import Receipts, receipts_of
from ame.mapping.rights import Rights, copies, holders_of, holdings_at
from ame.records import MICRO, Allocation, AllocationLine, Shares

REASONS_SHOWN = 8


# One contributor's part of what one asset's holders get: her name, the weight, and why; the words are shared by all
# whose reason is the same.
_Part: TypeAlias = tuple[str, int, str]


def allocate(shares: Shares, rights: Rights, at: datetime) -> Allocation:
    """Split every stage's weights among the holders at the time `at`.

    Lines are sorted by contributor id, each id once per stage; per stage they sum exactly to the shares'
    weights.
    InputError where an asset is unknown, stands in another stage or has no holder yet, or a licence forbids
    the payment.
    """
    with paused_collector():
        lines = tuple(tuple(stage_lines) for _, stage_lines in allocated_lines(shares, rights, at))
        paid = {line.contributor_id for stage_lines in lines for line in stage_lines}
        by_id: dict[bytes, str] = {}
        for contributor in rights.contributors.values():
            if contributor.id in paid:
                by_id.setdefault(contributor.id, contributor.name)
        return Allocation(shares.stages, shares.table, lines, by_id)


def allocated_lines(
    shares: Shares, rights: Rights, at: datetime
) -> Iterator[tuple[str, Iterator[AllocationLine]]]:
    """The lines of `allocate`, stage by stage, for whoever looks at each once: reasons of a million take much room."""
    if at.tzinfo is None:
        raise InputError(f"allocate: at: expected a time with its zone, got {at.isoformat()}")
    used = {asset for weights in shares.asset_weights for asset in weights}
    for stage, weights in zip(shares.stages, shares.asset_weights, strict=True):
        _check_stage(stage, weights, rights)
    held = _held_back(rights, used)
    _hold_copies(rights, used, held)
    for stage, weights in zip(shares.stages, shares.asset_weights, strict=True):
        yield stage, _stage_lines(stage, weights, rights, held, at)


def _check_stage(stage: str, weights: Mapping[str, int], rights: Rights) -> None:
    for asset in weights:
        known = rights.assets.get(asset)
        if known is None:
            raise InputError(
                f"{rights.file}: expected the rights to the asset {asset!r} ({stage}), found none"
            )
        if known.stage != stage:
            raise rights.asset_error(
                asset, f"expected the stage {stage}, where it was measured, got {known.stage}"
            )


def _hold_copies(rights: Rights, used: set[str], held: dict[str, tuple[str, str]]) -> None:
    """One content under two names, both measured: whose is it? The policy says; InputError where it refuses."""
    policy = rights.policies["copy"]
    for copy in copies(rights):
        if copy.same_holders or not {copy.asset, copy.other} <= used:
            continue
        if policy.action == "refuse":
            raise rights.asset_error(
                copy.asset,
                f"has the same content as {copy.other} of other holders: mark them contested, or drop one",
            )
        if policy.reserve is not None:
            why = f"held in reserve {policy.reserve}: {copy.asset} has the same content as {copy.other}"
            for asset in (copy.asset, copy.other):
                held.setdefault(asset, (rights.reserves[policy.reserve], why))


def _held_back(rights: Rights, used: set[str]) -> dict[str, tuple[str, str]]:
    """Asset -> (contributor of the reserve, why). InputError where a policy refuses the payment."""
    held: dict[str, tuple[str, str]] = {}
    refused = []
    reserves = set(rights.reserves.values())
    for conflict in find_conflicts(rights, used):
        policy = rights.policies[conflict.kind]
        if policy.action == "refuse":
            refused.append(conflict)
        # What a reserve holds already is not moved to another one.
        elif policy.reserve is not None and not holders_of(rights.assets[conflict.asset]) <= reserves:
            why = f"held in reserve {policy.reserve}: {conflict}"
            held.setdefault(conflict.asset, (rights.reserves[policy.reserve], why))
    if refused:
        worst = next((conflict for conflict in refused if conflict.asset in used), refused[0])
        more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise rights.asset_error(worst.asset, f"{worst}{more} (policy: refuse)")
    return held


def _stage_lines(
    stage: str,
    weights: Mapping[str, int],
    rights: Rights,
    held: Mapping[str, tuple[str, str]],
    at: datetime,
) -> Iterator[AllocationLine]:
    total = sum(weights.values())
    parts_of: dict[bytes, list[tuple[int, str]]] = {}
    contributors, allocated = rights.contributors, 0
    for asset, receipts in receipts_of(weights, rights):
        for contributor, weight, why in _parts(stage, asset, receipts, total, rights, held, at):
            contributor_id = contributors[contributor].id
            allocated += weight
            if contributor_id in parts_of:
                parts_of[contributor_id].append((weight, why))
            else:
                parts_of[contributor_id] = [(weight, why)]
    if allocated != total:
        raise InternalError(f"{stage}: {allocated} of {total} allocated")
    for contributor_id in sorted(parts_of):
        parts = parts_of.pop(contributor_id)
        reasons = tuple([f"{units(weight)} because {why}" for weight, why in parts])
        yield AllocationLine(contributor_id, sum([weight for weight, _ in parts]), reasons)


def _parts(
    stage: str,
    asset: str,
    receipts: Receipts,
    total: int,
    rights: Rights,
    held: Mapping[str, tuple[str, str]],
    at: datetime,
) -> list[_Part]:
    source = f"{units(receipts.kept)} for {asset} ({_sources(stage, receipts, total)})"
    if rights.assets[asset].contested:
        if rights.escrow is None:
            raise rights.asset_error(asset, "is contested: expected an escrow reserve in the rights file")
        why = f"held in escrow {rights.escrow}: the content is contested"
        return [(rights.reserves[rights.escrow], receipts.kept, f"{source} x {why}")]
    if asset in held:
        reserve, why = held[asset]
        return [(reserve, receipts.kept, f"{source} x {why}")]
    holdings = holdings_at(rights.assets[asset], at)
    if not holdings:
        raise rights.asset_error(asset, f"nobody holds it at {at.isoformat()}")
    if len(holdings) == 1:
        [holding] = holdings
        return [(holding.contributor, receipts.kept, f"split {percent(holding.ppm, 10**6)} x {source}")]
    parts = telescoping_split(receipts.kept, [holding.ppm for holding in holdings])
    whys = {ppm: f"split {percent(ppm, 10**6)} x {source}" for ppm in {holding.ppm for holding in holdings}}
    return [
        (holding.contributor, part, whys[holding.ppm]) for holding, part in zip(holdings, parts, strict=True)
    ]


def _sources(stage: str, receipts: Receipts, total: int) -> str:
    """`41.2 % of fine_tuning, and 3.5 as 5 % upstream (absolute) from acme/lora`"""
    if len(receipts.sources) == 1:
        [source] = receipts.sources
        if source.child is None:
            return f"{percent(source.weight, total)} of {stage}"
    texts = []
    for source in sorted(receipts.sources, key=lambda source: (source.child is not None, -source.weight)):
        if source.child is None:
            texts.append(f"{percent(source.weight, total)} of {stage}")
        else:
            upstream = f"{percent(source.ppm, 10**6)} upstream ({source.scope}) from {source.child}"
            texts.append(f"{units(source.weight)} as {upstream}")
        if len(texts) == REASONS_SHOWN:
            break
    more = len(receipts.sources) - len(texts)
    return ", and ".join(texts or [f"0 % of {stage}"]) + (f", and from {more} more" if more else "")


def units(weight: int) -> str:
    """`12.000345`: a weight in base units."""
    whole, rest = divmod(weight, MICRO)
    return f"{whole}.{rest:06}".rstrip("0") if rest else str(whole)


@cache
def percent(part: int, whole: int) -> str:
    """`41.2 %`, rounded down to six digits after the point; 0 of 0 is 0 %."""
    micro = part * 10**8 // whole if whole else 0
    digits = f"{micro // 10**6}.{micro % 10**6:06}".rstrip("0").rstrip(".")
    return f"{digits} %"
