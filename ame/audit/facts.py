"""What a chain says about one pool, as plain values: whoever has them can audit without a chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ame.mapping.registration import RegistryFacts
from ame.records import Terms

PENDING, ACTIVE, CANCELLED = "pending", "active", "cancelled"
STATUSES = ("none", PENDING, ACTIVE, CANCELLED)  # by the number of ISettlementPool.Status


class PoolEvent(NamedTuple):
    """One event of the pool; `args` by name: ints, bytes, addresses, and for `stages` of Proposed StageUpdates."""

    block: int
    log_index: int
    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class PoolBooks:
    """What the pool's views say, in base units; commitments are (active, previous) per stage."""

    number: int
    current: str
    active_at: int
    active_number: int
    unallocated: int
    pending_revenue: int
    unclaimed: int
    bond_held: bool
    closed: bool
    updates_hash: bytes
    commitments: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class ChainFacts:
    """Everything an audit asks a chain, as of `block`; events since the pool's creation, in their order.

    `balance` is the pool's holding of its token, `ether` of the chain's coin. `complete` is False where events
    before `first_block` were not read. `builds`: runtime code of the shipped contracts, by name. `rights`: what the
    RightsRegistry says as of the block that a bundle's rights name, where it was read.
    """

    chain_id: int
    pool: str
    block: int
    timestamp: int
    terms: Terms
    code: bytes
    registry_code: bytes
    balance: int
    ether: int
    books: PoolBooks
    events: tuple[PoolEvent, ...]
    first_block: int = 0
    complete: bool = True
    builds: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    rights: RegistryFacts | None = None

    def named(self, name: str) -> Iterator[PoolEvent]:
        """All events of one name."""
        return (event for event in self.events if event.name == name)

    def proposal(self, number: int) -> PoolEvent | None:
        """The Proposed event of a settlement."""
        return next((event for event in self.named("Proposed") if event.args["number"] == number), None)

    def status(self, number: int) -> str:
        """Status of a settlement as of the block."""
        if any(event.args["number"] == number for event in self.named("Cancelled")):
            return CANCELLED
        if number == self.books.number:
            return self.books.current
        return ACTIVE if 0 < number < self.books.number else STATUSES[0]

    def active_before(self, number: int) -> PoolEvent | None:
        """The Proposed event of the last settlement before `number` that was not cancelled."""
        earlier = [
            event
            for event in self.named("Proposed")
            if event.args["number"] < number and self.status(event.args["number"]) == ACTIVE
        ]
        return earlier[-1] if earlier else None
