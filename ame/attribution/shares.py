"""Attribution's second half: measurements and sales become a table in money and the assets' weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import factorial, lcm

from ame.arithmetic import shapley_numerators
from ame.attribution.policies import (
    Policies,
    check_signal,
    clip_and_renormalise,
    egalitarian_table,
    from_log,
    minimum_signal,
)
from ame.errors import InputError, SignalError
from ame.records import MICRO, Measurement, Shares, UsageRecord, check_integer


def shares(measurements: Mapping[str, Measurement], usage: Iterable[UsageRecord]) -> Shares:
    """What the epoch's sales say, in integers; every step exact, each result rounded down once.

    table: V(S) = floor(sum over pipelines p of r_p u_p(S)), with r_p the pipeline's sales and u_p its
    normalised table.
    asset weight: floor(10^6 x sum over p of r_p x stage share_p x share inside the stage_p).
    Linear in sales (Shapley is linear), so sales are summed per pipeline first. Raises InputError for an
    unknown pipeline, SignalError for a table with too little signal.
    """
    revenue = _revenue(measurements, usage)
    sold = [(measurements[name], amount) for name, amount in sorted(revenue.items())]
    stages = sold[0][0].stages
    table = [Fraction(0)] * (1 << len(stages))
    weights: list[dict[str, Fraction]] = [{} for _ in stages]
    for measurement, amount in sold:
        if measurement.stages != stages:
            raise InputError(
                f"pipeline {measurement.pipeline}: expected the stages {list(stages)}, "
                f"got {list(measurement.stages)}"
            )
        normalised = normalised_table(measurement)
        parts = asset_shares(measurement, stage_shares(normalised))
        for coalition, value in enumerate(normalised):
            table[coalition] += amount * value
        for stage, part in enumerate(parts):
            for asset, share in part.items():
                weights[stage][asset] = weights[stage].get(asset, Fraction(0)) + amount * share
    return Shares(
        stages=stages,
        table=tuple(_floor(value) for value in table),
        asset_weights=tuple(
            {asset: _floor(MICRO * share) for asset, share in sorted(stage.items())} for stage in weights
        ),
    )


def normalised_table(measurement: Measurement) -> tuple[Fraction, ...]:
    """u(S) = (v(S) - v(0)) / (v(all) - v(0)), then the egalitarian mixture; u(0) = 0 and u(all) = 1."""
    policies = from_log(measurement.policies)
    values = measurement.stage_table_ppm
    gain = values[-1] - values[0]
    check_signal(gain, policies, measurement.pipeline)
    return egalitarian_table(
        [Fraction(value - values[0], gain) for value in values], policies.egalitarian_alpha
    )


def stage_shares(normalised: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Shapley values of a normalised table, negatives clipped; they sum to 1."""
    players = len(normalised).bit_length() - 1
    common = lcm(*(value.denominator for value in normalised))
    numerators = shapley_numerators([int(value * common) for value in normalised])
    scale = common * factorial(players)
    return clip_and_renormalise([Fraction(value, scale) for value in numerators])


def asset_shares(
    measurement: Measurement, shares_of_stages: Sequence[Fraction]
) -> tuple[dict[str, Fraction], ...]:
    """Per stage: asset -> its share of the pipeline's revenue; all together sum to 1."""
    policies = from_log(measurement.policies)
    result = []
    for stage, assets, values, errors, share in zip(
        measurement.stages,
        measurement.assets,
        measurement.inner,
        measurement.standard_errors,
        shares_of_stages,
        strict=True,
    ):
        try:
            inside = _inside(values, errors, policies) if share else [Fraction(0)] * len(assets)
        except SignalError as error:
            raise SignalError(f"pipeline {measurement.pipeline}: {stage}: {error}") from None
        result.append({asset: share * part for asset, part in zip(assets, inside, strict=True)})
    return tuple(result)


def _inside(values: Sequence[Fraction], errors: Sequence[int], policies: Policies) -> Sequence[Fraction]:
    """Shares inside one stage that is paid; they sum to 1.

    The egalitarian mixture stays outside: per asset it would pay for splitting oneself into many.
    """
    if policies.egalitarian_alpha and not any(value > 0 for value in values):
        # Only the mixture pays this stage; what it pays is the equal split.
        return [Fraction(1, len(values))] * len(values)
    return clip_and_renormalise(minimum_signal(values, errors, policies.minimum_signal))


def _revenue(measurements: Mapping[str, Measurement], usage: Iterable[UsageRecord]) -> dict[str, int]:
    revenue: dict[str, int] = {}
    for record in usage:
        if record.pipeline not in measurements:
            raise InputError(
                f"usage {record.id!r}: pipeline: expected one of {sorted(measurements)}, "
                f"got {record.pipeline!r}"
            )
        revenue[record.pipeline] = revenue.get(record.pipeline, 0) + record.amount
    if not any(revenue.values()):
        raise InputError("expected at least one sale with a positive amount")
    check_integer(sum(revenue.values()), "revenue of the epoch")
    return {name: amount for name, amount in revenue.items() if amount}


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator
