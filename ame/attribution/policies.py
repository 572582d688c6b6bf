"""What is done to measured values before money follows: pure functions, each with its source, each logged.

Policies act after the raw signed values, which stay in the Measurement. `Policies.log()` is written into it,
and `shares` reads it back from there: what an auditor sees is what was applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ame.errors import InputError, SignalError


@dataclass(frozen=True)
class Policies:
    """Parameters of all policies; every default has its reason.

    egalitarian_alpha: 0, plain Shapley; mixing in the equal split is the operator's decision (see
    docs/attribution.md).
    minimum_signal: 0, off; in standard errors. Needed only where values are sampled.
    table_floor_ppm: 1,000; below a gain of 0.1 % of the utility's unit, ppm rounding alone moves shares by
    0.1 %.
    table_noise_ppm: standard error of one utility as the pipeline knows it (0: deterministic).
    table_signal: 3 standard errors of noise, below which a gain is not told from zero.
    clusters: groups of asset ids that count as one (near-duplicates).
    """

    egalitarian_alpha: Fraction = Fraction(0)
    minimum_signal: Fraction = Fraction(0)
    table_floor_ppm: int = 1_000
    table_noise_ppm: int = 0
    table_signal: Fraction = Fraction(3)
    clusters: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.egalitarian_alpha <= 1:
            raise InputError(f"egalitarian alpha: expected 0 to 1, got {self.egalitarian_alpha}")
        if self.minimum_signal < 0 or self.table_signal < 0:
            raise InputError("signal: expected at least 0 standard errors")
        if self.table_floor_ppm < 0 or self.table_noise_ppm < 0:
            raise InputError("table signal: expected a floor and a noise of at least 0 ppm")

    def log(self) -> tuple[Mapping[str, object], ...]:
        """As records for JSON, in the order in which they act."""
        return (
            {"policy": "duplicate_clusters", "clusters": [list(group) for group in self.clusters]},
            {
                "policy": "table_signal",
                "floor_ppm": str(self.table_floor_ppm),
                "noise_ppm": str(self.table_noise_ppm),
                "standard_errors": str(self.table_signal),
            },
            {"policy": "egalitarian", "alpha": str(self.egalitarian_alpha)},
            {"policy": "minimum_signal", "standard_errors": str(self.minimum_signal)},
            {"policy": "clip_and_renormalise"},
        )


PLAIN = Policies()
# How a measurement was made, where not the usual way; read by `measure.derive_inner`, no parameters of `shares`.
NOTED = frozenset({"duplicate_search", "hierarchy", "limits", "stage_scores"})


def from_log(log: Iterable[Mapping[str, object]]) -> Policies:
    """The parameters that a log tells; an unknown policy or a missing one is refused."""
    found: dict[str, Mapping[str, object]] = {}
    noted: set[str] = set()
    for entry in log:
        name = str(entry.get("policy"))
        if name in NOTED and name not in noted:
            noted.add(name)
            continue
        if name in found:
            raise InputError(f"policies: expected each once, got {name} twice")
        found[name] = entry
    expected = {str(entry["policy"]) for entry in Policies().log()}
    if set(found) != expected:
        raise InputError(f"policies: expected {sorted(expected)}, got {sorted(found)}")
    try:
        table = found["table_signal"]
        clusters = found["duplicate_clusters"]["clusters"]
        if not isinstance(clusters, Sequence):
            raise InputError("policies: duplicate_clusters: expected a list of lists")
        return Policies(
            egalitarian_alpha=Fraction(str(found["egalitarian"]["alpha"])),
            minimum_signal=Fraction(str(found["minimum_signal"]["standard_errors"])),
            table_floor_ppm=int(str(table["floor_ppm"])),
            table_noise_ppm=int(str(table["noise_ppm"])),
            table_signal=Fraction(str(table["standard_errors"])),
            clusters=tuple(tuple(group) for group in clusters),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"policies: expected complete parameters: {error}") from None


def clip_and_renormalise(values: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Negative values count as zero, the others share in proportion; sums to 1.

    Somebody who made the output worse is not paid, and nobody can be made to pay in (Ghorbani and Zou 2019,
    "Data Shapley", keep the sign for valuation; paying needs it gone). Raises SignalError where nothing is
    positive.
    """
    positive = [max(value, Fraction(0)) for value in values]
    total = sum(positive, Fraction(0))
    if total == 0:
        raise SignalError(f"expected at least one positive value, got {[str(value) for value in values]}")
    return tuple(value / total for value in positive)


def minimum_signal(
    values: Sequence[Fraction], standard_errors: Sequence[int], k: Fraction
) -> tuple[Fraction, ...]:
    """A value below k standard errors counts as zero: the rest of the stage shares it after renormalising.

    One-sided significance as a gate, not a correction: what passes is not shrunk.
    """
    return tuple(
        value if value >= k * error else Fraction(0)
        for value, error in zip(values, standard_errors, strict=True)
    )


def egalitarian_table(table: Sequence[Fraction], alpha: Fraction) -> tuple[Fraction, ...]:
    """(1 - alpha) v(S) + alpha v(all) |S|/n, whose Shapley value is the egalitarian Shapley value.

    Joosten (1996); van den Brink, Funaki and Ju (2013), "Reconciling marginalism with egalitarianism".
    Because the Shapley value
    is linear, mixing the table mixes the values: whoever computes Shapley from this table pays the mixture.
    """
    players = len(table).bit_length() - 1
    return tuple(
        (1 - alpha) * value + alpha * table[-1] * Fraction(coalition.bit_count(), players)
        for coalition, value in enumerate(table)
    )


def egalitarian(values: Sequence[Fraction], alpha: Fraction) -> tuple[Fraction, ...]:
    """The same mixture for values: (1 - alpha) x value + alpha x equal part of their sum."""
    equal = sum(values, Fraction(0)) / len(values)
    return tuple((1 - alpha) * value + alpha * equal for value in values)


def check_signal(gain_ppm: int, policies: Policies, name: str) -> None:
    """Refuse a table that gains too little between nobody and all: shares of nothing are noise.

    The gain is a difference of two utilities, hence noise x sqrt(2); compared squared, in exact numbers.
    """
    noise_squared = 2 * (policies.table_signal * policies.table_noise_ppm) ** 2
    if gain_ppm < policies.table_floor_ppm or gain_ppm <= 0 or gain_ppm**2 < noise_squared:
        raise SignalError(
            f"pipeline {name}: v(all) - v(empty) is {gain_ppm} ppm; "
            f"expected at least {policies.table_floor_ppm} ppm, and {policies.table_signal} standard errors "
            f"of its noise ({policies.table_noise_ppm} ppm per value): shares of so small a gain are noise"
        )
