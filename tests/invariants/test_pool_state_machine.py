"""Random lives of a pool, against a model of its books: see pool_machine.py."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.invariants.pool_machine import PoolMachine


class TokenPool(PoolMachine):
    """An ERC-20 pool."""


class EtherPool(PoolMachine):
    """An ETH pool, where receivers may refuse and bonds stand beside deposits."""

    ether = True


QUIET = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)


@pytest.mark.parametrize("machine", [TokenPool, EtherPool])
def test_a_pool_keeps_the_books_of_its_model(machine: type[PoolMachine]) -> None:
    profile = settings(
        max_examples=10, stateful_step_count=50, deadline=None, suppress_health_check=QUIET, derandomize=True
    )
    run_state_machine_as_test(machine, settings=profile)


@pytest.mark.deep
@pytest.mark.parametrize("machine", [TokenPool, EtherPool])
def test_a_pool_keeps_the_books_of_its_model_for_long(machine: type[PoolMachine]) -> None:
    profile = settings(max_examples=500, stateful_step_count=100, deadline=None, suppress_health_check=QUIET)
    run_state_machine_as_test(machine, settings=profile)
