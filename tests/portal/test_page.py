"""The claim page in a browser: the main flows."""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ame.encoding import named_id
from tests.portal.devnet import ALICE, BOB, OUTSIDER, REGISTRAR, World, environment, native, person
from tests.portal.wallet import TestWallet

pytestmark = pytest.mark.browser

Serve = Callable[[Path], str]
Open = Callable[..., Page]
# Creation code of a contract that refuses all ETH: its code is PUSH0 PUSH0 REVERT.
REFUSES_ETH = "0x625f5ffd5f526003601df3"


def connect(page: Page, name: str = "Pocket") -> None:
    page.get_by_role("button", name=f"Connect {name}").click()
    expect(page.locator("#figure-claimable")).to_be_visible()


def confirm(page: Page, said: str = "Paid:") -> None:
    page.get_by_role("button", name="Confirm in the wallet").click()
    expect(page.locator("dialog .progress")).to_contain_text(said)


def figure(page: Page, name: str) -> Any:
    return page.locator(f"#figure-{name} dd .money")


def shown(amount: int) -> str:
    """An amount of 6 decimals as the page writes it."""
    return f"{amount // 10**6}.{amount % 10**6:06}".rstrip("0").rstrip(".") + " USDC"


def test_contributor_connects_and_claims_everything(world: World, serve: Serve, open_page: Open) -> None:
    world.settle([person(ALICE), person(BOB, 1, 5, 0, 4)], 1000 * world.unit)
    page = open_page(serve(world.export()), TestWallet(world.net, [ALICE]))

    connect(page)
    expect(figure(page, "claimable")).to_have_text("439.5 USDC")
    page.get_by_role("button", name="Claim all").click()
    expect(page.locator("dialog .facts")).to_contain_text(world.pool.address)
    expect(page.locator("dialog .facts")).to_contain_text("439.5 USDC")
    confirm(page, "Paid: 439.5 USDC")

    expect(figure(page, "claimable")).to_have_text("0 USDC")
    expect(figure(page, "claimed")).to_have_text("439.5 USDC")
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".payments li")).to_have_count(3)
    assert world.coin.functions.balanceOf(ALICE.address).call() == 439_500_000


def test_one_stage_is_claimed_alone(world: World, serve: Serve, open_page: Open) -> None:
    world.settle([person(ALICE)], 1000 * world.unit)
    page = open_page(serve(world.export()), TestWallet(world.net, [ALICE]))

    connect(page)
    page.get_by_role("button", name="Claim Prompt").click()
    confirm(page)

    paid = world.published[0].bundle.settlement.amounts[3]
    assert world.coin.functions.balanceOf(ALICE.address).call() == paid


def test_pending_money_is_not_claimable_until_its_time(world: World, serve: Serve, open_page: Open) -> None:
    world.settle([person(ALICE, 1, 0, 0, 0)], 1000 * world.unit)
    second = world.propose([person(ALICE, 1, 0, 0, 0)], 500 * world.unit)
    first = world.published[0].bundle.settlement.amounts[0]
    page = open_page(serve(world.export()), TestWallet(world.net, [ALICE]))

    connect(page)
    expect(figure(page, "claimable")).to_have_text(shown(first))
    expect(figure(page, "pending")).to_have_text(shown(second.settlement.amounts[0]))
    expect(page.locator("#figure-pending small")).to_contain_text("claimable in")
    world.activate()
    page.reload()

    expect(figure(page, "claimable")).to_have_text(shown(first + second.settlement.amounts[0]))
    expect(figure(page, "pending")).to_have_text("0 USDC")


def test_explanation_leads_from_sales_to_amount(world: World, serve: Serve, open_page: Open) -> None:
    world.settle([person(ALICE, 3, 0, 0, 1), person(BOB, 1, 5, 0, 4)], 1000 * world.unit)
    page = open_page(serve(world.export()), TestWallet(world.net, [ALICE]))

    connect(page)
    page.locator(".why summary", has_text="Settlement 1").click()

    steps = page.locator(".steps")
    expect(steps).to_contain_text("portrait: 6 sales")
    expect(steps).to_contain_text("Training data: 75.00 % of")
    expect(steps).to_contain_text("holds 60.00 % of it")
    expect(steps).to_contain_text("computed again by this page")
    expect(steps).to_contain_text("✓ The same table, amounts and evidence stand on the chain.")
    steps.locator("summary", has_text="Value table").click()
    expect(steps.locator(".values tbody tr")).to_have_count(16)


def test_claim_goes_to_another_address(world: World, serve: Serve, open_page: Open) -> None:
    world.settle([person(ALICE)], 1000 * world.unit)
    page = open_page(serve(world.export()), TestWallet(world.net, [ALICE]))

    connect(page)
    page.get_by_role("button", name="Claim to another address").click()
    page.get_by_label("Recipient").fill("0x1234")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("dialog .progress")).to_contain_text("expected an address")
    page.get_by_label("Recipient").fill(BOB.address)
    page.get_by_role("button", name="Go on").click()
    confirm(page)

    assert world.coin.functions.balanceOf(BOB.address).call() > 0


def test_claim_is_signed_here_and_sent_by_somebody_else(
    world: World, serve: Serve, open_page: Open, tmp_path: Path
) -> None:
    world.settle([person(ALICE)], 1000 * world.unit)
    url = serve(world.export())
    holder = TestWallet(world.net, [ALICE])
    page = open_page(url, holder)
    connect(page)
    page.get_by_role("button", name="Let somebody else send it").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Sign in the wallet").click()
    download.value.save_as(tmp_path / "signed.json")
    assert holder.sent == []
    assert holder.signed[0]["primaryType"] == "ClaimTo"

    other = open_page(url, TestWallet(world.net, [OUTSIDER]))
    connect(other)
    other.get_by_role("button", name="Send a signed claim").click()
    other.get_by_label("The file").set_input_files(tmp_path / "signed.json")
    other.get_by_role("button", name="Go on").click()
    confirm(other, "Sent:")

    assert world.coin.functions.balanceOf(ALICE.address).call() > 0


def test_name_is_bound_by_the_registrars_link(world: World, serve: Serve, open_page: Open) -> None:
    name = "hf:alice"
    world.settle([(named_id(REGISTRAR.address, name), name, (1, 0, 0, 1))], 1000 * world.unit)
    link = base64.urlsafe_b64encode(json.dumps(world.voucher(name, ALICE)).encode()).decode().rstrip("=")
    page = open_page(serve(world.export()) + f"#voucher={link}", TestWallet(world.net, [ALICE]))

    page.get_by_role("button", name="Connect Pocket").click()
    expect(page.locator("dialog .facts")).to_contain_text(name)
    page.get_by_role("button", name="Sign in the wallet").click()
    confirm(page, "The name is bound to your wallet.")
    page.get_by_role("button", name="Close").click()

    expect(page.get_by_role("heading", level=1)).to_have_text(f"Earnings of {name}")
    page.get_by_role("button", name="Claim all").click()
    confirm(page)
    assert world.coin.functions.balanceOf(ALICE.address).call() > 0


def test_name_is_bound_by_the_registrars_file_and_paid_elsewhere(
    world: World, serve: Serve, open_page: Open, tmp_path: Path
) -> None:
    name = "hf:alice"
    world.settle([(named_id(REGISTRAR.address, name), name, (1, 0, 0, 1))], 1000 * world.unit)
    voucher, other = tmp_path / "voucher.json", tmp_path / "other.json"
    voucher.write_text(json.dumps(world.voucher(name, ALICE)))
    other.write_text("{}")
    wallet = TestWallet(world.net, [ALICE])
    page = open_page(serve(world.export()), wallet)

    connect(page)
    page.get_by_role("button", name="Bind a name").click()
    page.get_by_label("The registrar’s voucher").set_input_files(other)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("dialog .progress")).to_contain_text("voucher: format")
    page.get_by_label("The registrar’s voucher").set_input_files(voucher)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("dialog .facts")).to_contain_text(REGISTRAR.address)
    page.get_by_label("Pay me at").fill(BOB.address)
    page.get_by_role("button", name="Sign in the wallet").click()
    confirm(page, "The name is bound to your wallet.")

    assert wallet.signed[0]["primaryType"] == "Bind"
    assert world.registry.functions.payoutOf(named_id(REGISTRAR.address, name)).call() == BOB.address


def test_payout_address_is_changed(world: World, serve: Serve, open_page: Open) -> None:
    world.settle([person(ALICE)], 1000 * world.unit)
    page = open_page(serve(world.export()), TestWallet(world.net, [ALICE]))

    connect(page)
    page.get_by_role("button", name="Change payout address").click()
    page.get_by_label("New payout address").fill(BOB.address)
    page.get_by_role("button", name="Go on").click()
    confirm(page, "The payout address was changed.")
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".summary")).to_contain_text(f"Paid to {BOB.address}")
    page.get_by_role("button", name="Claim all").click()
    expect(page.locator("dialog .facts")).to_contain_text(BOB.address)
    confirm(page)

    assert world.coin.functions.balanceOf(BOB.address).call() == 630_000_000


def test_pool_is_picked_from_several(world: World, serve: Serve, open_page: Open, tmp_path: Path) -> None:
    second = World(world.net, tmp_path / "second", symbol="EURX", decimals=2)
    world.settle([person(ALICE)], 1000 * world.unit)
    second.settle([person(ALICE)], 70 * second.unit)
    page = open_page(
        serve(world.export([*world.published, *second.published], title="")), TestWallet(world.net, [ALICE])
    )

    connect(page)
    picker = page.get_by_label("Pool", exact=True)
    options = picker.locator("option").all_inner_texts()
    assert len(options) == 2
    euros = next(title for title in options if "EURX" in title)
    picker.select_option(label=euros)
    expect(figure(page, "claimable")).to_have_text("44.1 EURX")
    page.get_by_role("button", name="Claim all").click()
    expect(page.locator("dialog .facts")).to_contain_text(second.pool.address)
    confirm(page, "Paid: 44.1 EURX")
    page.get_by_role("button", name="Close").click()
    picker.select_option(label=next(title for title in options if "USDC" in title))
    expect(figure(page, "claimable")).to_have_text("630 USDC")


def test_refused_ether_is_withdrawn_to_another_address(world: World, serve: Serve, open_page: Open) -> None:
    pool = World(world.net, world.folder, eth=True)
    pool.settle([person(ALICE, 1, 0, 0, 0)], 10**18)
    refuses = pool.net.deploy_plain(REFUSES_ETH)
    alice = person(ALICE)[0]
    pool.net.send(pool.registry.functions.setPayout(alice, refuses), ALICE)
    pool.net.send(pool.pool.functions.claimBatch([tuple(pool.ledgers[0].claim(0, alice))]))
    owed = pool.pool.functions.owed(alice).call()
    assert owed > 0
    page = open_page(serve(pool.export()), TestWallet(pool.net, [ALICE]))

    connect(page)
    expect(page.locator(".owed")).to_contain_text("that your payout address refused")
    page.get_by_role("button", name="Withdraw").click()
    fresh = pool.net.web3.to_checksum_address("0x" + "ab" * 20)
    before = pool.net.web3.eth.get_balance(fresh)
    page.get_by_label("Recipient").fill(fresh)
    page.get_by_role("button", name="Go on").click()
    confirm(page)

    assert pool.net.web3.eth.get_balance(fresh) - before == owed


def test_statement_is_saved_with_every_digit(world: World, serve: Serve, open_page: Open) -> None:
    evil = lambda stage: ('=HYPERLINK("http://x","y")',)  # noqa: E731 - one word of a spreadsheet formula
    world.settle([person(ALICE, 1, 0, 0, 0)], 1000 * world.unit, reasons=evil)
    page = open_page(serve(world.export()), TestWallet(world.net, [ALICE]))

    connect(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save statement (CSV)").click()

    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert rows[0]["base_units"] == str(world.published[0].bundle.settlement.amounts[0])
    assert rows[0]["why"].startswith("'=")


def test_page_shows_anybody_by_address_and_name(world: World, serve: Serve, open_page: Open) -> None:
    name = "hf:alice"
    people = [person(BOB, 1, 0, 0, 0), (named_id(REGISTRAR.address, name), name, (0, 1, 0, 0))]
    world.settle(people, 1000 * world.unit)
    page = open_page(serve(world.export()))

    expect(page.locator("#no-wallet")).to_be_visible()
    page.get_by_label("Look up an address or a name").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator("#why-not")).to_contain_text("not bound to a wallet yet")
    expect(page.locator("#figure-claimable dt")).to_have_text("Waits for binding")
    page.get_by_label("Look up an address or a name").fill(BOB.address)
    page.keyboard.press("Enter")
    expect(page.locator("#why-not")).to_contain_text("Connect a wallet to claim")
    page.get_by_label("Look up an address or a name").fill("hf alice")
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("Type an address")


def test_drawing_again_disturbs_neither_a_selection_nor_a_click(
    world: World, serve: Serve, open_page: Open
) -> None:
    world.settle([person(ALICE), person(BOB)], 1000 * world.unit)
    page = open_page(serve(world.export()), TestWallet(world.net, [ALICE]))
    connect(page)
    expect(page.get_by_text("No payments yet.")).to_be_visible()

    def draw_again() -> None:  # as a page does when another wallet makes itself known
        page.evaluate(
            """() => dispatchEvent(new CustomEvent('eip6963:announceProvider', {
                detail: { info: { uuid: crypto.randomUUID(), name: 'Late', icon: '' }, provider: {} } }))"""
        )

    field = page.get_by_label("Look up an address or a name")
    field.fill("0xalice")
    field.select_text()
    draw_again()
    page.keyboard.insert_text(BOB.address)
    expect(field).to_have_value(BOB.address)
    box = page.get_by_role("button", name="Look up").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    draw_again()
    page.mouse.up()
    expect(page.locator("h1")).to_contain_text(BOB.address[-4:])


def test_false_proof_is_not_believed(world: World, serve: Serve, open_page: Open) -> None:
    world.settle([person(ALICE), person(BOB)], 1000 * world.unit)
    site = world.export()
    leaf = person(ALICE)[0]
    for path in (site / "pools").glob("*/leaves/1/0/*"):
        content = path.read_bytes()
        at = content.index(leaf) + len(leaf)
        amount = 10 * int.from_bytes(content[at : at + 16])
        path.write_bytes(content[:at] + amount.to_bytes(16) + content[at + 16 :])
    page = open_page(serve(site), TestWallet(world.net, [ALICE]))

    connect(page)

    expect(page.locator(".notice.bad")).to_contain_text("A proof is false.")
    expect(page.get_by_role("button", name="Claim Training data")).to_have_count(0)
    expect(page.locator("td.proof.false")).to_have_count(1)


def test_saved_proof_is_claimed_with_plain_cast(
    world: World, serve: Serve, open_page: Open, tmp_path: Path
) -> None:
    """The two ways of docs/portal.md: the file's ready call, and one leaf by hand."""
    world.settle([person(ALICE, 1, 0, 0, 1)], 1000 * world.unit)
    page = open_page(serve(world.export()), TestWallet(world.net, [ALICE]))
    connect(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the proof").click()
    proof = json.loads(download.value.path().read_text())
    leaf = proof["claims"][0]
    fields = ("stage", "index", "contributor_id", "cumulative", "proof")

    one = "({})".format(",".join(str(leaf[name]) for name in fields))
    cast(world, proof["to"], "claim((uint8,uint32,bytes32,uint128,bytes))", one)
    assert world.coin.functions.balanceOf(ALICE.address).call() == int(leaf["cumulative"])
    cast(world, proof["to"], proof["data"])
    assert world.coin.functions.balanceOf(ALICE.address).call() == int(proof["amount"])


def cast(world: World, *arguments: str) -> None:
    key = "0x" + OUTSIDER.key.hex()
    command = [native("cast"), "send", "--rpc-url", world.net.url, "--private-key", key, *arguments]
    subprocess.run(command, env=environment(), check=True, capture_output=True, timeout=60)
