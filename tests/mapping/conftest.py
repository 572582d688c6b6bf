"""Chains for the tests of this folder: Ape's own in this process, and under `make test-deep` anvil as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ame.execution.chain import EMBEDDED, Chain, connect

CHAINS = [
    pytest.param(EMBEDDED, id="py-evm"),
    pytest.param("ethereum:local:foundry", id="anvil", marks=pytest.mark.deep),
]


@pytest.fixture(scope="module", params=CHAINS)
def chain(request: pytest.FixtureRequest) -> Iterator[Chain]:
    with connect(request.param) as opened:
        yield opened


@pytest.fixture
def contributors(chain: Chain) -> Any:
    return chain.deploy("ContributorRegistry", sender=chain.account("TEST::0"))


@pytest.fixture
def registry(chain: Chain, contributors: Any) -> Any:
    return chain.deploy("RightsRegistry", contributors.address, sender=chain.account("TEST::0"))
