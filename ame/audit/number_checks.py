"""Do the numbers follow from each other: sales -> table -> stage amounts, values -> shares -> allocation?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction

from ame.attribution.measure import derive_errors, derive_inner, is_two_levels
from ame.attribution.policies import from_log
from ame.attribution.shares import shares as attribute
from ame.audit import independent
from ame.audit.case import Case, differ, same
from ame.audit.reading import AllocationRows, Row, decoded
from ame.audit.rows import digest_of
from ame.errors import CannotTell, InputError
from ame.mapping.allocate import allocated_lines
from ame.mapping.rights import moment_of
from ame.records import AllocationLine, Measurement, Shares


def usage(case: Case) -> str:
    """The sales sum to the settlement's revenue; each is counted once and is of a measured pipeline."""
    records, head = decoded(lambda: case.contents.usage), decoded(lambda: case.contents.head)
    seen: set[str] = set()
    for number, record in enumerate(records, 1):
        if record.id in seen:
            differ("each sale once", f"{record.id} again", f"usage.jsonl:{number}: id")
        seen.add(record.id)
    pipelines = decoded(lambda: case.contents.measurements)
    for number, record in enumerate(records, 1):
        if record.pipeline not in pipelines:
            differ(
                f"one of {', '.join(sorted(pipelines))}", record.pipeline, f"usage.jsonl:{number}: pipeline"
            )
    total = sum(record.amount for record in records)
    same(head.table[-1], total, "usage.jsonl: sum of the amounts, against the table's last value")
    if case.facts_or_none is not None:
        same(case.proposal.args["table"][-1], total, "usage.jsonl: sum of the amounts, against the chain")
    return f"{len(records)} sales sum to {total}"


def measurement(case: Case) -> str:
    """The value of every asset follows from the measured coalitions."""
    pipelines, skipped = decoded(lambda: case.contents.measurements), []
    for name, one in sorted(pipelines.items()):
        from_log(one.policies)
        if one.evaluations != len(one.values_ppm):
            differ(len(one.values_ppm), one.evaluations, f"coalitions.json: {name}: evaluations")
        players = sum(map(len, one.assets))
        for coalition in one.values_ppm:
            if coalition >> players:
                differ(
                    f"coalitions of {players} assets", hex(coalition), f"coalitions.json: {name}: values_ppm"
                )
        try:
            expected = _inner(one)
        except KeyError as error:
            skipped.append(f"{name}: the value of coalition {error} is not in the bundle")
            continue
        for stage, assets, due, found in zip(one.stages, one.assets, expected, one.inner, strict=True):
            for asset, value, other in zip(assets, due, found, strict=True):
                same(value, other, f"coalitions.json: {name}: inner value of {asset} in {stage}, in ppm")
        _check_errors(one)
    if skipped:
        raise CannotTell(skipped[0])
    return f"values of {len(pipelines)} pipelines follow from their coalitions"


def _check_errors(one: Measurement) -> None:
    """Error bars move no money, but people judge by them. One ppm off is another machine's rounding."""
    due: Sequence[Sequence[int]] = [[0] * len(assets) for assets in one.assets]
    if not is_two_levels(one):
        due = derive_errors(one)
    for assets, expected, found in zip(one.assets, due, one.standard_errors, strict=True):
        for asset, error, other in zip(assets, expected, found, strict=True):
            if abs(error - other) > 1:
                differ(error, other, f"coalitions.json: {one.pipeline}: standard error of {asset}, in ppm")


def _inner(one: Measurement) -> list[list[Fraction]]:
    """Owen values redone; KeyError where the bundle does not have a coalition that they need."""
    if is_two_levels(one):
        sizes = [len(assets) for assets in one.assets]
        return [independent.owen(one.values_ppm, sizes, stage) for stage in range(len(sizes))]
    return [list(values) for values in derive_inner(one)]


def table(case: Case) -> str:
    """The value table in money follows from the sales and the coalitions."""
    head, due = decoded(lambda: case.contents.head), _shares(case)
    for coalition, (expected, found) in enumerate(zip(due.table, head.table, strict=True)):
        same(expected, found, f"settlement.json: table[{coalition}], in base units")
    same(head.table, decoded(lambda: case.contents.shares).table, "shares.json: table")
    return f"{len(head.table)} values of coalitions"


def shapley(case: Case) -> str:
    """Stage amounts are the Shapley value of the table, in exact integers."""
    head = decoded(lambda: case.contents.head)
    if head.table[0] != 0 or head.table[-1] <= 0:
        differ(
            "a table from 0 to a positive revenue",
            f"{head.table[0]} to {head.table[-1]}",
            "settlement.json: table",
        )
    due = independent.amounts(head.table)
    for stage, expected, found in zip(head.stages, due, head.amounts, strict=True):
        same(expected, found, f"settlement.json: amount of {stage}")
    for stage, expected, update in zip(head.stages, due, head.updates, strict=True):
        same(
            expected,
            update.afterwards.total - update.before.total,
            f"settlement.json: {stage}: growth of the total",
        )
    return "amounts " + ", ".join(f"{stage} {amount}" for stage, amount in zip(head.stages, due, strict=True))


def shares(case: Case) -> str:
    """The weight of every asset follows from sales, values and policies."""
    due, found = _shares(case), decoded(lambda: case.contents.shares)
    for stage, expected, weights in zip(due.stages, due.asset_weights, found.asset_weights, strict=True):
        for asset in sorted(expected.keys() | weights.keys()):
            same(expected.get(asset), weights.get(asset), f"shares.json: weight of {asset} in {stage}")
    return f"weights of {sum(map(len, due.asset_weights))} assets"


def _shares(case: Case) -> Shares:
    try:
        return attribute(decoded(lambda: case.contents.measurements), decoded(lambda: case.contents.usage))
    except InputError as error:
        differ("measurements that sales can be shared by", error, "coalitions.json, usage.jsonl")


def allocation(case: Case) -> str:
    """Contributors' weights follow from the assets' weights and the rights at the time of the settlement."""
    contents = case.contents
    rights, head = decoded(lambda: contents.rights), decoded(lambda: contents.head)
    _check_time(case, head.at)
    rows: AllocationRows = decoded(lambda: contents.allocation)
    names, digests, at = case.names, rows.digests, 0
    try:
        for stage, lines in allocated_lines(decoded(lambda: contents.shares), rights, head.at):
            for line in lines:
                name = names[line.contributor_id]
                if at >= len(rows):
                    differ(f"0x{line.contributor_id.hex()} in {stage}", "no more lines", "allocation.jsonl")
                if digests[at] != digest_of(stage, name, line):
                    _check_row(stage, line, name, rows.row(at), at + 1)
                at += 1
    except InputError as error:
        differ("rights that shares can be allocated by", error, "rights.yaml")
    if at < len(rows):
        differ("no more lines", f"0x{rows.ids[at].hex()} in {rows.stages[at]}", f"allocation.jsonl:{at + 1}")
    return f"{len(rows)} lines follow from the rights at {head.at.isoformat()}"


def _check_row(stage: str, line: AllocationLine, name: str, row: Row, number: int) -> None:
    where, whom = f"allocation.jsonl:{number}", row.name or row.contributor_id.hex()
    same((stage, line.contributor_id.hex()), (row.stage, row.contributor_id.hex()), f"{where}: contributor")
    if line.weight != row.weight:
        differ(line.weight, f"{row.weight} ({row.weight - line.weight:+d})", f"{where}: weight of {whom}")
    same(line.reasons, row.reasons, f"{where}: reasons of {whom}")
    same(name, row.name, f"{where}: name")


def _check_time(case: Case, at: datetime) -> None:
    """Holders are those of the last sale (or of the block that the rights name); whoever could choose another moment
    could pay those who sold their part before, or bought it since."""
    usage, rights = decoded(lambda: case.contents.usage), decoded(lambda: case.contents.rights)
    if usage:
        expected = moment_of(rights, max(record.time for record in usage))
        same(expected.isoformat(), at.isoformat(), "settlement.json: rights_at")
    event = None if case.facts_or_none is None else case.proposal
    proposed = event.args.get("timestamp") if event is not None else None
    if proposed is not None and at.timestamp() > proposed:
        differ(
            f"at most {datetime.fromtimestamp(proposed, UTC).isoformat()}, when it was proposed",
            at.isoformat(),
            "settlement.json: rights_at",
        )


def rerun(case: Case, values_ppm: Mapping[str, Mapping[int, int]]) -> str:
    """Coalitions that were run again give the published values. values_ppm: pipeline -> coalition -> ppm."""
    pipelines, count = decoded(lambda: case.contents.measurements), 0
    for name, again in sorted(values_ppm.items()):
        if name not in pipelines:
            differ("a pipeline of coalitions.json", name, "coalitions.json")
        for coalition, value in sorted(again.items()):
            published = pipelines[name].values_ppm.get(coalition)
            same(value, published, f"coalitions.json: {name}: value of {coalition:#x} in ppm, run again")
            count += 1
    return f"{count} coalitions run again give the same values"
