"""What a check looks at, and how a check says what it found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from ame.audit.facts import ChainFacts, PoolEvent
from ame.audit.reading import Contents, LedgerRows, decoded
from ame.audit.report import Check, Verdict
from ame.errors import AmeError, CannotTell


class Differs(Exception):  # noqa: N818 - a finding, not a fault
    """A check found something that is not as it should be; the first place is enough."""

    def __init__(self, expected: object, found: object, where: str = "") -> None:
        self.expected, self.found, self.where = str(expected), str(found), where
        super().__init__(f"{where}: expected {expected}, found {found}")


@dataclass
class Case:
    """A bundle, the chain's facts, and the bundles before it, oldest first."""

    contents: Contents
    facts_or_none: ChainFacts | None
    older: Sequence[Contents] = ()

    @property
    def facts(self) -> ChainFacts:
        """The chain's facts. CannotTell without a chain."""
        if self.facts_or_none is None:
            raise CannotTell("no chain was asked")
        return self.facts_or_none

    @property
    def number(self) -> int:
        """The settlement that the bundle is about."""
        return int(self.contents.files.manifest["number"])

    @property
    def proposal(self) -> PoolEvent:
        """Its Proposed event. CannotTell where the chain has none in the blocks that were read."""
        event = self.facts.proposal(self.number)
        if event is None and not self.facts.complete:
            raise CannotTell(f"Proposed({self.number}) is not in the blocks from {self.facts.first_block} on")
        if event is None:
            raise Differs(f"settlement {self.number} on chain", "no such Proposed event", "Proposed")
        return event

    @cached_property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """Per stage what each leaf gets of the declared amount, by the ledger's weights."""
        from ame.audit.independent import split

        head, ledgers = decoded(lambda: self.contents.head), self.ledgers
        return tuple(
            tuple(split(update.afterwards.total - update.before.total, rows.weights))
            for update, rows in zip(head.updates, ledgers, strict=True)
        )

    @cached_property
    def names(self) -> dict[bytes, str]:
        """Name by id of all whom the rights file knows; of several with one id, the first."""
        contributors = decoded(lambda: self.contents.rights).contributors.values()
        return {contributor.id: contributor.name for contributor in reversed(contributors)}

    @cached_property
    def ledgers(self) -> tuple[LedgerRows, ...]:
        """The ledgers, for checks about something else."""
        ledgers: tuple[LedgerRows, ...] = decoded(lambda: self.contents.ledgers)
        return ledgers


def run(name: str, test: Callable[[], str]) -> Check:
    """One check. `test` returns what it found true, or raises Differs (false) or CannotTell (unknown)."""
    try:
        return Check(name, Verdict.TRUE, "", test())
    except Differs as difference:
        return Check(name, Verdict.FALSE, difference.expected, difference.found, difference.where)
    except CannotTell as error:
        return Check(name, Verdict.UNKNOWN, "evidence", str(error))
    except AmeError as error:
        return Check(name, Verdict.FALSE, "a bundle that is what its format says", str(error))
    except Exception as error:  # an auditor must neither stop nor say true because of hostile data
        return Check(name, Verdict.UNKNOWN, "a check that ends", f"{type(error).__name__}: {error}")


def same(expected: object, found: object, where: str) -> None:
    """Differs unless both are equal."""
    if expected != found:
        differ(expected, found, where)


def differ(expected: object, found: object, where: str) -> NoReturn:
    """Say what is false."""
    raise Differs(_text(expected), _text(found), where)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return ", ".join(f"{name} {_text(part)}" for name, part in value._asdict().items())
    text = str(value)
    return text if len(text) <= 300 else text[:297] + "..."
