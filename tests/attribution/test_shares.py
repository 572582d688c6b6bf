from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from math import lcm

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ame.arithmetic import shapley_numerators, stage_amounts
from ame.attribution.measure import measure
from ame.attribution.policies import (
    PLAIN,
    Policies,
    clip_and_renormalise,
    egalitarian,
    egalitarian_table,
    from_log,
    minimum_signal,
)
from ame.attribution.shares import normalised_table, shares, stage_shares
from ame.errors import InputError, SignalError
from ame.records import MICRO, UsageRecord
from tests.attribution.games import SmallPipeline

TIME = datetime(2026, 1, 1, tzinfo=UTC)
SMALL = measure(SmallPipeline())
OTHER = measure(
    SmallPipeline(name="other", assets=(("a", "d", "e"), ("x", "z"))), policies=Policies(Fraction(1, 3))
)
BOTH = {"small": SMALL, "other": OTHER}
fractions = st.fractions(-10, 10, max_denominator=1000)


def sales(**amounts):
    return [UsageRecord(name, name, amount, TIME) for name, amount in amounts.items()]


@given(st.integers(1, 10**30), st.integers(0, 10**30))
def test_the_table_ends_with_the_revenue_and_weights_say_all_of_it(first, second):
    result = shares(BOTH, sales(small=first, other=second))
    assert (result.table[0], result.revenue) == (0, first + second)
    weights = sum(sum(stage.values()) for stage in result.asset_weights)
    assert 0 <= (first + second) * MICRO - weights <= 8


def test_many_sales_are_as_one():
    many = [UsageRecord(str(number), "small", 7, TIME) for number in range(1000)]
    assert shares(BOTH, many) == shares(BOTH, sales(small=7000))


def test_what_the_chain_computes_is_what_the_weights_say():
    result = shares(BOTH, sales(small=10**12, other=10**12))
    for amount, weights in zip(stage_amounts(result.table), result.asset_weights, strict=True):
        assert amount * MICRO == pytest.approx(sum(weights.values()), rel=1e-9)


def test_an_asset_of_two_pipelines_has_one_weight():
    result = shares(BOTH, sales(small=100, other=100))
    alone = [shares(BOTH, sales(**{name: 100})).asset_weights[0]["a"] for name in BOTH]
    assert result.asset_weights[0]["a"] - sum(alone) in (0, 1)
    assert set(result.asset_weights[0]) == {"a", "b", "c", "d", "e"}


def test_an_unsold_pipeline_says_nothing():
    assert "d" not in shares(BOTH, sales(small=5, other=0)).asset_weights[0]


def test_too_little_signal_is_refused():
    low, *_, _ = SMALL.stage_table_ppm
    weak = replace(SMALL, values_ppm={**SMALL.values_ppm, 31: low + 999})
    with pytest.raises(SignalError, match=r"v\(all\) - v\(empty\) is 999 ppm; expected at least 1000 ppm"):
        shares({"small": weak}, sales(small=5))


def test_a_gain_within_its_noise_is_refused():
    noisy = replace(SMALL, policies=Policies(table_noise_ppm=500_000).log())
    with pytest.raises(SignalError, match="3 standard errors of its noise"):
        shares({"small": noisy}, sales(small=5))


def test_nothing_positive_inside_a_paid_stage_is_refused():
    empty = replace(SMALL, inner=((Fraction(0),) * 3, SMALL.inner[1]))
    with pytest.raises(SignalError, match="training_data: expected at least one positive value"):
        shares({"small": empty}, sales(small=5))


def test_negative_assets_get_nothing_and_the_others_share():
    mixed = replace(SMALL, inner=((Fraction(-5), Fraction(1), Fraction(3)), SMALL.inner[1]))
    weights = shares({"small": mixed}, sales(small=10**9)).asset_weights[0]
    assert weights["a"] == 0
    assert weights["c"] == pytest.approx(3 * weights["b"], abs=3)


@pytest.mark.parametrize(
    ("records", "message"),
    [(sales(nobody=5), "expected one of"), ([], "at least one sale"), (sales(small=0), "at least one sale")],
)
def test_sales_that_cannot_be_paid_are_refused(records, message):
    with pytest.raises(InputError, match=message):
        shares(BOTH, records)


def test_other_stages_are_refused():
    other = replace(OTHER, stages=("data", "prompt"))
    with pytest.raises(InputError, match="expected the stages"):
        shares({"small": SMALL, "other": other}, sales(small=1, other=1))


def test_normalised_table_and_stage_shares_sum_to_one():
    table = normalised_table(SMALL)
    assert (table[0], table[-1]) == (0, 1)
    assert sum(stage_shares(table)) == 1


@given(st.lists(fractions, min_size=8, max_size=8), st.fractions(0, 1, max_denominator=100))
def test_egalitarian_table_gives_egalitarian_values(table, alpha):
    table[0] = Fraction(0)

    def values(one):
        common = lcm(*(value.denominator for value in one))
        return [Fraction(number, 6 * common) for number in shapley_numerators([int(v * common) for v in one])]

    assert values(egalitarian_table(table, alpha)) == list(egalitarian(values(table), alpha))


@given(st.lists(fractions, min_size=1, max_size=6).filter(lambda values: any(value > 0 for value in values)))
def test_clipping_keeps_proportions_and_sums_to_one(values):
    parts = clip_and_renormalise(values)
    assert sum(parts) == 1
    assert all(part == 0 for part, value in zip(parts, values, strict=True) if value <= 0)


def test_minimum_signal_zeroes_what_noise_could_be():
    values = (Fraction(10), Fraction(3), Fraction(-1))
    assert minimum_signal(values, (1, 2, 0), Fraction(2)) == (10, 0, 0)


def test_policies_are_read_back_as_they_were_logged():
    policies = Policies(Fraction(1, 7), Fraction(5, 2), 10, 20, Fraction(4), (("a", "b"),))
    assert from_log(policies.log()) == policies


@pytest.mark.parametrize("log", [(), PLAIN.log()[:-1], (*PLAIN.log(), {"policy": "tithe"}), PLAIN.log() * 2])
def test_a_log_that_is_not_complete_is_refused(log):
    with pytest.raises(InputError, match="policies: expected"):
        from_log(log)


@pytest.mark.parametrize(
    "wrong", [{"egalitarian_alpha": Fraction(2)}, {"minimum_signal": Fraction(-1)}, {"table_floor_ppm": -1}]
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="expected"):
        Policies(**wrong)
