import pytest

from ame.errors import ChainError
from ame.execution.refunds import hash_with, next_refund
from ame.records import Deposit

ALICE, BOB = "0x" + "A1" * 20, "0x" + "B0" * 20
MADE = [Deposit(ALICE, 10), Deposit(BOB, 20), Deposit(ALICE, 30)]


def hash_of(deposits):
    found = bytes(32)
    for one in deposits:
        found = hash_with(found, one)
    return found


@pytest.mark.parametrize(
    ("back", "unallocated", "expected"),
    [(0, 30, 1), (0, 31, 2), (0, 60, 3), (0, 1, 1), (0, 0, 0), (1, 20, 1), (1, 21, 2), (3, 0, 0)],
)
def test_the_latest_deposits_that_hold_what_is_left(back, unallocated, expected):
    kept = MADE[: len(MADE) - back]
    before, latest = next_refund(MADE, hash_of(kept), unallocated)
    assert list(latest) == kept[len(kept) - expected :]
    assert before == hash_of(kept[: len(kept) - expected])


def test_at_most_so_many_at_once():
    before, latest = next_refund(MADE, hash_of(MADE), 60, most=2)
    assert (before, latest) == (hash_of(MADE[:1]), tuple(MADE[1:]))


def test_deposits_that_the_pool_has_not_counted_are_refused():
    with pytest.raises(ChainError, match=r"expected deposits of hash 0x.* got 2 others"):
        next_refund(MADE[1:], hash_of(MADE), 60)
