"""The story of one epoch: usage and measurements in, a bundle whose every unit is accounted for out."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ame.arithmetic import stage_amounts
from ame.errors import InputError
from ame.pipeline import settle
from tests.audit.synthetic import random_epoch

SEEDS = st.integers(0, 10**6)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1_000, 10**24))
def test_what_was_sold_is_what_is_allocated(seed: int, revenue: int) -> None:
    bundle = settle(random_epoch(random.Random(seed), 1, revenue))
    assert bundle.settlement.table[-1] == sum(record.amount for record in bundle.usage) == revenue
    assert list(bundle.settlement.amounts) == stage_amounts(bundle.settlement.table)
    for ledger, amount in zip(bundle.books.ledgers, bundle.settlement.amounts, strict=True):
        assert sum(ledger.cumulatives) == amount


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_a_second_epoch_stands_on_the_first(seed: int) -> None:
    drawn = random.Random(seed)
    first = settle(random_epoch(drawn, 1, 10**9))
    epoch = replace(random_epoch(drawn, 2, 10**7, people=8), ledgers=first.books.ledgers, previous="ab" * 32)
    second = settle(epoch)
    assert second.previous == "ab" * 32
    assert [u.before for u in second.settlement.updates] == [u.afterwards for u in first.settlement.updates]
    assert sum(sum(ledger.cumulatives) for ledger in second.books.ledgers) == 10**9 + 10**7


def test_the_same_epoch_gives_the_same_bundle() -> None:
    assert settle(random_epoch(random.Random(3), 1, 10**6)) == settle(
        random_epoch(random.Random(3), 1, 10**6)
    )


def test_a_sale_of_an_unknown_pipeline_is_refused() -> None:
    epoch = random_epoch(random.Random(3), 1, 10**6)
    record = replace(epoch.usage[0], pipeline="dogs")
    with pytest.raises(
        InputError, match=r"usage 'sale-1-0': pipeline: expected one of \['a', 'b'\], got 'dogs'"
    ):
        settle(replace(epoch, usage=(record, *epoch.usage[1:])))


def test_an_asset_without_rights_is_refused() -> None:
    epoch = random_epoch(random.Random(3), 1, 10**6)
    rights = epoch.rights.replace(b"id: a/prompt/0", b"id: a/prompt/9")
    with pytest.raises(InputError, match="expected the rights to the asset 'a/prompt/0'"):
        settle(replace(epoch, rights=rights))


def test_a_pool_of_other_stages_is_refused() -> None:
    epoch = random_epoch(random.Random(3), 1, 10**6)
    with pytest.raises(InputError, match="expected a ledger for each of 3 stages, got 2"):
        settle(replace(epoch, ledgers=epoch.ledgers[:2]))
