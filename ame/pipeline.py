"""The story of one epoch, told once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ame.attribution.shares import shares as attribute
from ame.bundle import Bundle, Token
from ame.execution.ledger import StageLedger
from ame.execution.settlement import settle as execute
from ame.mapping.allocate import allocate
from ame.mapping.rights import parse_rights
from ame.records import Measurement, Terms, UsageRecord


@dataclass(frozen=True)
class Epoch:
    """What one settlement is made from."""

    chain_id: int
    pool: str
    number: int
    terms: Terms
    token: Token
    measurements: Mapping[str, Measurement]
    usage: tuple[UsageRecord, ...]
    rights: bytes
    at: datetime
    ledgers: Sequence[StageLedger]
    previous: str | None = None


def settle(epoch: Epoch) -> Bundle:
    """Usage and measurements -> Shares -> Allocation -> Settlement, in a bundle."""
    shares = attribute(epoch.measurements, epoch.usage)
    rights = parse_rights(epoch.rights.decode())
    allocation = allocate(shares, rights, epoch.at)
    books = execute(allocation, epoch.ledgers, chain_id=epoch.chain_id, pool=epoch.pool, number=epoch.number)
    return Bundle(
        books=books,
        token=epoch.token,
        terms=epoch.terms,
        usage=epoch.usage,
        measurements=epoch.measurements,
        shares=shares,
        rights=epoch.rights,
        at=epoch.at,
        allocation=allocation,
        previous=epoch.previous,
    )
