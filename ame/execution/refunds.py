"""What goes back from an abandoned pool. What was deposited first was spent first, so the rest belongs to the latest
deposits; a pool keeps one hash over all of them, which Deposits.sol describes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from eth_abi.abi import encode

from ame.encoding import keccak
from ame.errors import ChainError
from ame.records import Deposit

MOST_AT_ONCE = 200  # of about 50,000 gas each


def hash_with(before: bytes, deposit: Deposit) -> bytes:
    """keccak256(abi.encode(hash of those before, depositor, amount))."""
    return keccak(encode(["bytes32", "address", "uint256"], [before, *deposit]))


def next_refund(
    deposits: Sequence[Deposit], deposits_hash: bytes, unallocated: int, most: int = MOST_AT_ONCE
) -> tuple[bytes, tuple[Deposit, ...]]:
    """Arguments of the next `refund`: the hash before, and the latest deposits that have not gone back.

    deposits: all that the pool's events tell, in order. As many as hold `unallocated`, at most `most`. Raises ChainError
    where the deposits are not those that the pool has counted.
    """
    hashes = list(accumulate(deposits, hash_with, initial=bytes(32)))
    if deposits_hash not in hashes:
        raise ChainError(
            f"expected deposits of hash 0x{deposits_hash.hex()}, got {len(deposits)} others: are events missing?"
        )
    last = hashes.index(deposits_hash)
    first = last
    while first > max(0, last - most) and sum(one.amount for one in deposits[first:last]) < unallocated:
        first -= 1
    return hashes[first], tuple(deposits[first:last])
