"""The result of an audit: named checks, each true, false or unknown, never confused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

REPORT_FORMAT = "ame-report/1"


class Verdict(StrEnum):
    """What one check, or all of them together, says."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


EXIT_CODES = {Verdict.TRUE: 0, Verdict.FALSE: 1, Verdict.UNKNOWN: 2}


class Check(NamedTuple):
    """One claim: where it is false, `where` is the first place that differs."""

    name: str
    verdict: Verdict
    expected: str
    found: str
    where: str = ""


@dataclass(frozen=True)
class Report:
    """All checks of one settlement; `subject` says of which, `figures` what people want to see of it."""

    subject: Mapping[str, str]
    checks: tuple[Check, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """False if anything is false; else unknown if anything is unknown; else true."""
        found = {check.verdict for check in self.checks}
        if Verdict.FALSE in found:
            return Verdict.FALSE
        return Verdict.UNKNOWN if Verdict.UNKNOWN in found or not found else Verdict.TRUE

    @property
    def exit_code(self) -> int:
        """0 all true, 1 something false, 2 cannot tell."""
        return EXIT_CODES[self.verdict]

    @property
    def is_true(self) -> bool:
        """Whether every check holds."""
        return self.verdict is Verdict.TRUE

    @property
    def sentence(self) -> str:
        """The verdict, with the first thing that is not true."""
        first = next((check for check in self.checks if check.verdict is self.verdict), None)
        if first is None or self.is_true:
            return f"all {len(self.checks)} checks hold"
        if self.verdict is Verdict.UNKNOWN:
            return f"cannot tell: {first.name}: {first.found}"
        where = f" at {first.where}" if first.where else ""
        return f"false: {first.name}{where}: expected {first.expected}, found {first.found}"

    @property
    def false(self) -> tuple[Check, ...]:
        """What is false, in the order of the checks."""
        return tuple(check for check in self.checks if check.verdict is Verdict.FALSE)

    def check(self, name: str) -> Check:
        """The check of this name."""
        return next(check for check in self.checks if check.name == name)
