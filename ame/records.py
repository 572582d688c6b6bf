"""The nouns that cross borders: Attribution makes Shares, Mapping makes an Allocation, Execution a Settlement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from ame.errors import InputError

DEFAULT_STAGES = ("training_data", "base_model", "fine_tuning", "prompt")
MICRO = 10**6
MAX_AMOUNT = 2**127 - 1


def check_integer(value: object, name: str, low: int = 0, high: int = MAX_AMOUNT) -> None:
    """Refuse whatever is not an exact int within low..high; bool is not an int here."""
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{name}: expected an integer from {low} to {high}, got {value!r}")


@dataclass(frozen=True)
class UsageRecord:
    """One sale or use of a pipeline; `amount` in base units, `time` with its zone."""

    id: str
    pipeline: str
    amount: int
    time: datetime

    def __post_init__(self) -> None:
        check_integer(self.amount, f"usage {self.id!r}: amount")
        if self.time.tzinfo is None:
            raise InputError(
                f"usage {self.id!r}: time: expected a time with its zone, got {self.time.isoformat()}"
            )


@dataclass(frozen=True)
class Measurement:
    """What was measured of one pipeline, in integers: floats ended before this record.

    assets: per stage the asset ids; together, in this order, they are the players (bits) of the game.
    values_ppm: coalition (bit mask over all assets; a stage is absent when none of its bits is set) -> utility in
        parts per million. Must hold every union of whole stages.
    inner: per stage the hierarchical value of each asset, a Fraction in ppm, before any policy.
    standard_errors: per stage, per asset, in ppm; 0 where exact.
    """

    pipeline: str
    stages: tuple[str, ...]
    assets: tuple[tuple[str, ...], ...]
    values_ppm: Mapping[int, int]
    inner: tuple[tuple[Fraction, ...], ...]
    standard_errors: tuple[tuple[int, ...], ...]
    method: str
    seed: int
    evaluations: int
    inputs_sha256: str
    policies: tuple[Mapping[str, object], ...] = ()

    def __post_init__(self) -> None:
        for value in self.values_ppm.values():
            check_integer(value, f"pipeline {self.pipeline}: value_ppm", -(2**62), 2**62)
        if not len(self.stages) == len(self.assets) == len(self.inner) == len(self.standard_errors):
            raise InputError(
                f"pipeline {self.pipeline}: expected one entry per stage in assets, inner, standard_errors"
            )

    def stage_mask(self, coalition: int) -> int:
        """The players of a union of whole stages, given as a bit mask over the stages."""
        mask, first = 0, 0
        for stage, assets in enumerate(self.assets):
            if coalition >> stage & 1:
                mask |= ((1 << len(assets)) - 1) << first
            first += len(assets)
        return mask

    @property
    def stage_table_ppm(self) -> tuple[int, ...]:
        """The outer game: 2^S utilities, in ppm."""
        return tuple(
            self.values_ppm[self.stage_mask(coalition)] for coalition in range(1 << len(self.stages))
        )


@dataclass(frozen=True)
class Shares:
    """Border noun of Attribution: `table` is V in money; weights in base units x 10^6, rounded down."""

    stages: tuple[str, ...]
    table: tuple[int, ...]
    asset_weights: tuple[Mapping[str, int], ...]

    def __post_init__(self) -> None:
        if len(self.table) != 1 << len(self.stages) or len(self.asset_weights) != len(self.stages):
            raise InputError("shares: expected a table of 2^stages values and one map of weights per stage")
        for value in self.table:
            check_integer(value, "shares: table", -MAX_AMOUNT)
        for weights in self.asset_weights:
            for asset, weight in weights.items():
                check_integer(weight, f"shares: weight of {asset}")

    @property
    def revenue(self) -> int:
        """What the epoch earned, in base units."""
        return self.table[-1]


class AllocationLine(NamedTuple):
    """One contributor's part of one stage; `reasons` say in words how the weight came about."""

    contributor_id: bytes
    weight: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Allocation:
    """Border noun of Mapping: per stage each contributor's weight, in base units x 10^6."""

    stages: tuple[str, ...]
    table: tuple[int, ...]
    lines: tuple[tuple[AllocationLine, ...], ...]
    names: Mapping[bytes, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for stage, lines in zip(self.stages, self.lines, strict=True):
            ids = [line.contributor_id for line in lines]
            if len(set(ids)) != len(ids):
                raise InputError(f"allocation: {stage}: expected each contributor once")
            for line in lines:
                check_contributor_id(line.contributor_id)
                check_integer(line.weight, f"allocation: {stage}: weight")


def check_contributor_id(contributor_id: object) -> None:
    """Refuse what is not 32 bytes, and zero."""
    if type(contributor_id) is not bytes or len(contributor_id) != 32 or not any(contributor_id):
        raise InputError(f"contributor id: expected 32 bytes that are not all zero, got {contributor_id!r}")


class LedgerCommitment(NamedTuple):
    """Twin of Ledger in contracts/Records.sol."""

    root: bytes
    total: int
    depth: int


class StageUpdate(NamedTuple):
    """Twin of StageUpdate in contracts/Records.sol."""

    before: LedgerCommitment
    afterwards: LedgerCommitment
    weight_root: bytes
    weight_total: int


class StageProposal(NamedTuple):
    """Twin of StageProposal in contracts/Records.sol."""

    root: bytes
    depth: int
    weight_root: bytes
    weight_total: int


class Terms(NamedTuple):
    """Twin of Terms in contracts/Records.sol; addresses checksummed."""

    token: str
    stage_count: int
    proposer: str
    arbiter: str
    registry: str
    challenge_seconds: int
    abandon_seconds: int
    bond_wei: int
    demand_bond_wei: int
    terms_hash: bytes


class Deposit(NamedTuple):
    """Twin of Deposit in contracts/Records.sol."""

    depositor: str
    amount: int


class Claim(NamedTuple):
    """Twin of Claim in contracts/Records.sol."""

    stage: int
    index: int  # type: ignore[assignment]  # shadows tuple.index(), which nobody needs here
    contributor_id: bytes
    cumulative: int
    proof: bytes


class RangeClaim(NamedTuple):
    """Twin of RangeClaim in contracts/Records.sol."""

    stage: int
    contributor_ids: tuple[bytes, ...]
    cumulatives: tuple[int, ...]
    first: int
    depth: int
    proof: bytes


class LeafProof(NamedTuple):
    """Twin of LeafProof in contracts/Records.sol."""

    contributor_id: bytes
    cumulative: int
    proof: bytes


class WeightProof(NamedTuple):
    """Twin of WeightProof in contracts/Records.sol."""

    weight: int
    proof: bytes


@dataclass(frozen=True)
class Settlement:
    """Border noun of Execution: one epoch's allocation of a pool's revenue, as it is proposed on chain."""

    chain_id: int
    pool: str
    number: int
    stages: tuple[str, ...]
    table: tuple[int, ...]
    amounts: tuple[int, ...]
    updates: tuple[StageUpdate, ...]
