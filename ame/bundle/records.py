"""A bundle as a value, and the names of its formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ame.execution.settlement import Books
from ame.records import Allocation, Measurement, Settlement, Shares, Terms, UsageRecord

BUNDLE_FORMAT = "ame-bundle/1"
SETTLEMENT_FORMAT = "ame-settlement/1"
COALITIONS_FORMAT = "ame-coalitions/1"
SHARES_FORMAT = "ame-shares/1"
LEDGER_RECORD_BYTES = 64  # id ‖ uint128 cumulative ‖ uint128 weight


@dataclass(frozen=True)
class Token:
    """How a pool's money is written: address 0x0 is the chain's own coin."""

    address: str
    symbol: str
    decimals: int

    def text(self, amount: int) -> str:
        """An amount of base units as people write it, exactly."""
        whole, rest = divmod(abs(amount), 10**self.decimals)
        point = f".{rest:0{self.decimals}d}" if self.decimals else ""
        return f"{'-' if amount < 0 else ''}{whole:,}{point} {self.symbol}"


@dataclass(frozen=True)
class Bundle:
    """Everything that stands behind one settlement."""

    books: Books
    token: Token
    terms: Terms
    usage: tuple[UsageRecord, ...]
    measurements: Mapping[str, Measurement]
    shares: Shares
    rights: bytes  # the rights file, byte for byte
    at: datetime  # as of when the rights were read
    allocation: Allocation
    previous: str | None  # SHA-256 of the previous bundle's manifest

    @property
    def settlement(self) -> Settlement:
        """The settlement that the bundle is about."""
        return self.books.settlement


def canonical_time(time: datetime) -> str:
    """RFC 3339 in UTC, to the second or microsecond."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
