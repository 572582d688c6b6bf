from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from ame import records
from ame.errors import InputError
from ame.records import (
    MAX_AMOUNT,
    Allocation,
    AllocationLine,
    Measurement,
    Shares,
    UsageRecord,
    check_contributor_id,
    check_integer,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALICE, BOB = bytes(31) + b"\x01", bytes(31) + b"\x02"
SOLIDITY = Path(__file__).resolve().parent.parent / "contracts" / "Records.sol"


@pytest.mark.parametrize("value", [True, 1.0, "1", None, -1, MAX_AMOUNT + 1])
def test_an_amount_is_an_exact_integer_of_its_range(value: object) -> None:
    with pytest.raises(InputError, match=rf"amount: expected an integer from 0 to {MAX_AMOUNT}, got"):
        check_integer(value, "amount")


def test_the_ends_of_the_range_are_accepted() -> None:
    check_integer(0, "amount")
    check_integer(MAX_AMOUNT, "amount")


@pytest.mark.parametrize("value", [bytes(32), bytes(31), b"\x01" * 33, "0x" + "01" * 32, bytearray(ALICE)])
def test_a_contributor_id_is_32_bytes_and_not_zero(value: object) -> None:
    with pytest.raises(InputError, match="contributor id: expected 32 bytes that are not all zero"):
        check_contributor_id(value)


def test_a_usage_record_needs_a_time_with_its_zone() -> None:
    with pytest.raises(InputError, match="usage 's1': time: expected a time with its zone"):
        UsageRecord("s1", "cats", 1, datetime(2026, 1, 1))


@pytest.mark.parametrize("amount", [-1, 1.5, True])
def test_a_usage_record_needs_a_whole_amount(amount: int) -> None:
    with pytest.raises(InputError, match="usage 's1': amount: expected an integer"):
        UsageRecord("s1", "cats", amount, NOW)


def measurement(values: dict[int, int], inner: int = 2) -> Measurement:
    return Measurement(
        pipeline="cats",
        stages=("data", "model"),
        assets=(("a", "b"), ("m",)),
        values_ppm=values,
        inner=((Fraction(1), Fraction(2)), (Fraction(3),))[:inner],
        standard_errors=((0, 0), (0,)),
        method="exact",
        seed=0,
        evaluations=4,
        inputs_sha256="00" * 32,
    )


def test_the_stage_table_reads_unions_of_whole_stages() -> None:
    one = measurement({0: 1, 0b011: 20, 0b100: 30, 0b111: 60})
    assert one.stage_mask(0b01) == 0b011
    assert one.stage_mask(0b10) == 0b100
    assert one.stage_table_ppm == (1, 20, 30, 60)


@pytest.mark.parametrize("value", [0.5, True, 2**63])
def test_a_measurement_holds_integers(value: int) -> None:
    with pytest.raises(InputError, match="pipeline cats: value_ppm: expected an integer"):
        measurement({0: value})


def test_a_measurement_has_an_entry_per_stage() -> None:
    with pytest.raises(InputError, match="expected one entry per stage"):
        measurement({0: 0}, inner=1)


def test_shares_know_their_revenue() -> None:
    assert Shares(("a", "b"), (0, 1, 2, 7), ({"x": 1}, {"y": 2})).revenue == 7


@pytest.mark.parametrize(
    ("table", "weights", "message"),
    [
        ((0, 1, 2), ({}, {}), "table of 2\\^stages values"),
        ((0, 1, 2, 3), ({},), "one map of weights per stage"),
        ((0, 1, 2, MAX_AMOUNT + 1), ({}, {}), "shares: table: expected an integer"),
        ((0, 1, 2, 3), ({"x": -1}, {}), "shares: weight of x: expected an integer"),
    ],
)
def test_shares_refuse(table: tuple[int, ...], weights: tuple[dict[str, int], ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Shares(("a", "b"), table, weights)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            (AllocationLine(ALICE, 1), AllocationLine(ALICE, 2)),
            "allocation: a: expected each contributor once",
        ),
        ((AllocationLine(bytes(32), 1),), "contributor id: expected 32 bytes"),
        ((AllocationLine(BOB, -1),), "allocation: a: weight: expected an integer"),
    ],
)
def test_an_allocation_refuses(lines: tuple[AllocationLine, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Allocation(("a",), (0, 1), (lines,))


TWINS = {"Ledger": "LedgerCommitment"}


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


@pytest.mark.parametrize(
    "name",
    ["Terms", "Ledger", "StageUpdate", "StageProposal", "Claim", "RangeClaim", "LeafProof", "WeightProof"],
)
def test_a_twin_has_the_same_fields_in_the_same_order(name: str) -> None:
    found = re.search(rf"struct {name} {{(.*?)}}", SOLIDITY.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    fields = re.findall(r"^\s+\S+ (\w+);", found[1], re.MULTILINE)
    assert fields == [camel(field) for field in getattr(records, TWINS.get(name, name))._fields]
