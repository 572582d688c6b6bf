"""Chains for the tests of this folder: Ape's own in this process, and anvil. Chain tests run on both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ame.execution.chain import EMBEDDED, Chain, connect


@pytest.fixture(scope="module", params=[EMBEDDED, "ethereum:local:foundry"], ids=["py-evm", "anvil"])
def chain(request: pytest.FixtureRequest) -> Iterator[Chain]:
    with connect(request.param) as opened:
        yield opened


@pytest.fixture
def contributors(chain: Chain) -> Any:
    return chain.deploy("ContributorRegistry", sender=chain.account("TEST::0"))


@pytest.fixture
def registry(chain: Chain, contributors: Any) -> Any:
    return chain.deploy("RightsRegistry", contributors.address, sender=chain.account("TEST::0"))
