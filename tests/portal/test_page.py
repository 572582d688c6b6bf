"""The claim page in a browser: the main flows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.portal.devnet import ALICE, BOB, World, person
from tests.portal.wallet import TestWallet

pytestmark = pytest.mark.browser


def test_contributor_connects_and_claims_everything(
    world: World, serve: Callable[..., str], open_page: Callable[..., Any]
) -> None:
    world.settle([person(ALICE), person(BOB, 1, 5, 0, 4)], 1000 * world.unit)
    wallet = TestWallet(world.net, [ALICE])
    page = open_page(serve(world.export()), wallet)

    page.get_by_role("button", name="Connect Pocket").click()
    expect(page.locator("#figure-claimable")).not_to_contain_text("0 USDC", timeout=10_000)
    page.screenshot(path="/tmp/p1.png", full_page=True)
    page.get_by_role("button", name="Claim all").click()
    page.get_by_role("button", name="Confirm in the wallet").click()

    expect(page.locator("dialog .progress")).to_contain_text("Paid:")
    expect(page.locator("#figure-claimable dd")).to_have_text("0 USDC")
    paid = sum(
        ledger.cumulatives[ledger.index_of[person(ALICE)[0]]]
        for ledger in world.ledgers
        if person(ALICE)[0] in ledger.index_of
    )
    assert world.coin.functions.balanceOf(ALICE.address).call() == paid > 0
