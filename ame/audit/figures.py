"""What people want to see of a settlement: money flow, stages, contributors, concentration. Plain values for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from operator import mul
from typing import Any

from ame.audit.case import Case
from ame.audit.facts import ACTIVE
from ame.errors import AmeError, CannotTell

TOP = 10


def figures_of(case: Case) -> dict[str, Any]:
    """All figures that the parts at hand allow; amounts are decimal strings in base units."""
    found: dict[str, Any] = {}
    for name, figure in (("settlement", _settlement), ("contributors", _contributors), ("pool", _pool)):
        try:
            found[name] = figure(case)
        except (AmeError, ArithmeticError, LookupError, ValueError, TypeError):
            continue  # the checks say what is wrong with the part
    return found


def _settlement(case: Case) -> dict[str, Any]:
    head = case.contents.head
    sales: dict[str, int] = {}
    for record in case.contents.usage:
        sales[record.pipeline] = sales.get(record.pipeline, 0) + record.amount
    return {
        "token": head.token._asdict() if hasattr(head.token, "_asdict") else vars(head.token),
        "revenue": str(head.table[-1]),
        "sales": len(case.contents.usage),
        "pipelines": {name: str(amount) for name, amount in sorted(sales.items())},
        "stages": [
            {
                "stage": stage,
                "amount": str(amount),
                "ppm": amount * 10**6 // head.table[-1] if head.table[-1] > 0 else 0,
                "error_ppm": _error_ppm(case, position),
                "leaves": len(rows.ids),
            }
            for position, (stage, amount, rows) in enumerate(
                zip(head.stages, head.amounts, case.contents.ledgers, strict=True)
            )
        ],
    }


def _error_ppm(case: Case, stage: int) -> int:
    """Standard error of the stage's part, weighted by sales; 0 where every value was enumerated.

    Errors inside a stage do not move its amount, so this is the largest single asset's error, as parts of the gain.
    """
    worst = 0
    for one in case.contents.measurements.values():
        gain = one.stage_table_ppm[-1] - one.stage_table_ppm[0]
        if gain > 0 and one.standard_errors[stage]:
            worst = max(worst, max(one.standard_errors[stage]) * 10**6 // gain)
    return worst


def _contributors(case: Case) -> dict[str, Any]:
    amounts: dict[bytes, int] = {}
    rows = case.contents.allocation
    for contributor_id, amount in zip(rows.ids, rows.amounts, strict=True):
        amounts[contributor_id] = amounts.get(contributor_id, 0) + amount
    ascending = sorted(amounts.values())
    total, least = sum(ascending), ascending[-TOP:][0] if ascending else 0
    most = sorted((-amount, known) for known, amount in amounts.items() if amount >= least)[:TOP]
    return {
        "count": len(ascending),
        "top": [
            {
                "id": "0x" + contributor_id.hex(),
                "name": rows.names[rows.ids.index(contributor_id)] or "0x" + contributor_id.hex(),
                "amount": str(-negative),
                "ppm": -negative * 10**6 // total if total else 0,
            }
            for negative, contributor_id in most
        ],
        "lorenz": _lorenz(ascending, total),
        "gini_ppm": _gini_ppm(ascending, total),
        "herfindahl_ppm": sum(map(mul, ascending, ascending)) * 10**6 // (total * total) if total else 0,
    }


def _lorenz(ascending: list[int], total: int) -> list[list[int]]:
    """Points (contributors in ppm, money in ppm), poorest first, at most 101 of them."""
    if not total:
        return []
    count, reached = len(ascending), list(accumulate(ascending, initial=0))
    places = sorted({count * part // 100 for part in range(101)})
    return [[place * 10**6 // count, reached[place] * 10**6 // total] for place in places]


def _gini_ppm(ascending: list[int], total: int) -> int:
    """0: all the same; near 10^6: one has all (Gini 1912)."""
    if not total:
        return 0
    count = len(ascending)
    weighted: int = sum(map(mul, range(1, count + 1), ascending))
    return (2 * weighted - (count + 1) * total) * 10**6 // (count * total)


def _pool(case: Case) -> Mapping[str, Any]:
    if case.facts_or_none is None:
        raise CannotTell("no chain was asked")
    facts = case.facts
    return {
        "deposited": str(sum(event.args["amount"] for event in facts.named("Deposited"))),
        "allocated": str(
            sum(
                event.args["table"][-1]
                for event in facts.named("Proposed")
                if facts.status(event.args["number"]) == ACTIVE
            )
        ),
        "pending": str(facts.books.pending_revenue),
        "unallocated": str(facts.books.unallocated),
        "claimed": str(sum(event.args["amount"] for event in facts.named("Claimed"))),
        "unclaimed": str(facts.books.unclaimed),
        "refunded": str(sum(event.args["amount"] for event in facts.named("Refunded"))),
        "status": facts.status(case.number),
        "active_at": facts.books.active_at,
    }
