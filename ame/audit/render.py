"""A report for people and for programs: HTML in one file, Markdown, text, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ame.audit import pictures
from ame.audit.report import REPORT_FORMAT, Report, Verdict
from ame.bundle import Token

HEADLINES = {
    Verdict.TRUE: "Every number holds",
    Verdict.FALSE: "Something is false",
    Verdict.UNKNOWN: "Not everything can be told",
}
DOUBTS = {
    Verdict.FALSE: "As the bundle says, in which something is false: see the checks.",
    Verdict.UNKNOWN: "As the bundle says, of which not everything can be told: see the checks.",
}
SIGNS = {Verdict.TRUE: "✓", Verdict.FALSE: "✗", Verdict.UNKNOWN: "?"}


def to_json(report: Report) -> str:
    """Everything, with sorted keys: the same report gives the same text."""
    document = {
        "format": REPORT_FORMAT,
        "verdict": report.verdict.value,
        "sentence": report.sentence,
        "subject": dict(report.subject),
        "checks": [{**check._asdict(), "verdict": check.verdict.value} for check in report.checks],
        "figures": report.figures,
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)


def to_text(report: Report) -> str:
    """Verdict first, then each check on a line."""
    lines = [f"{HEADLINES[report.verdict]}: {_said(report)}"]
    for check in report.checks:
        lines.append(f"  {SIGNS[check.verdict]} {check.name:<12} {_finding(check._asdict())}")
    return "\n".join(lines)


def to_markdown(report: Report) -> str:
    """Verdict, money, stages, contributors, checks."""
    lines = [f"# {HEADLINES[report.verdict]}", "", _cell(_said(report)), ""]
    lines += [f"- {name}: `{_cell(value)}`" for name, value in report.subject.items()]
    money = _money(report.figures)
    settlement, people = report.figures.get("settlement"), report.figures.get("contributors")
    if "pool" in report.figures:
        lines += ["", "## Money", "", "| | |", "|---|---|"]
        lines += [
            f"| {name} | {_cell(money(amount))} |"
            for name, amount in report.figures["pool"].items()
            if name not in ("status", "active_at")
        ]
    doubt = [] if report.is_true else ["", DOUBTS[report.verdict]]
    if settlement is not None:
        lines += ["", "## Stages", *doubt, "", "| stage | amount | share | error |", "|---|---|---|---|"]
        lines += [
            f"| {stage['stage']} | {_cell(money(stage['amount']))} | {percent(stage['ppm'])} "
            f"| ±{percent(stage['error_ppm'])} |"
            for stage in settlement["stages"]
        ]
    if people is not None:
        lines += ["", "## Contributors", *doubt, "", "| contributor | amount | share |", "|---|---|---|"]
        lines += [
            f"| {_cell(one['name'])} | {_cell(money(one['amount']))} | {percent(one['ppm'])} |"
            for one in people["top"]
        ]
        lines += ["", (f"{people['count']} contributors; Gini {people['gini_ppm'] / 10**6:.3f}, "
                  f"Herfindahl {people['herfindahl_ppm'] / 10**6:.3f}.")]  # fmt: skip
    lines += ["", "## Checks", "", "| check | verdict | |", "|---|---|---|"]
    lines += [
        f"| {check.name} | {check.verdict.value} | {_cell(_finding(check._asdict()))} |"
        for check in report.checks
    ]
    return "\n".join(lines) + "\n"


def to_html(report: Report) -> str:
    """One file without scripts and links, so that it can be handed on and kept."""
    environment = Environment(
        loader=PackageLoader("ame.audit"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    money = _money(report.figures)
    return environment.get_template("report.html.j2").render(
        report=report,
        headline=HEADLINES[report.verdict],
        sentence=_said(report),
        signs=SIGNS,
        doubts=DOUBTS,
        figures=report.figures,
        money=money,
        percent=percent,
        pictures=pictures,
        finding=lambda check: _finding(check._asdict()),
    )


def percent(ppm: int) -> str:
    """`12.34 %`"""
    return f"{ppm / 10**4:.2f} %"


def _said(report: Report) -> str:
    """The sentence under a headline that has said already what the verdict is."""
    return report.sentence.removeprefix("false: ").removeprefix("cannot tell: ")


def _money(figures: Mapping[str, Any]) -> Any:
    token = figures.get("settlement", {}).get("token")

    def text(amount: str | int) -> str:
        return f"{amount} base units" if token is None else Token(**token).text(int(amount))

    return text


def _finding(check: Mapping[str, Any]) -> str:
    if check["verdict"] is Verdict.FALSE:
        where = f"at {check['where']}: " if check["where"] else ""
        return f"{where}expected {check['expected']}, found {check['found']}"
    return str(check["found"])


def _cell(text: str) -> str:
    """What a bundle says must not become Markdown or HTML of its own."""
    cleaned = "".join(letter if letter.isprintable() else "�" for letter in text)
    for letter in "\\|`<>*_[]":
        cleaned = cleaned.replace(letter, "\\" + letter)
    return cleaned
