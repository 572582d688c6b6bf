"""Takes the pictures of docs/screenshots: python -m tests.portal.screenshots [FOLDER]."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from ame.encoding import named_id
from ame.portal.serve import make_server
from tests.portal.conftest import FLAGS, find_chromium
from tests.portal.devnet import ALICE, BOB, REGISTRAR, ROOT, Devnet, World, devnet, person
from tests.portal.wallet import TestWallet

NAME = "hf:alice"
PHONE = {"width": 390, "height": 844}
REASONS = {
    "training_data": ("digits/zeros-and-ones: 41.20 % of the stage's value; held 60.00 %, from 2026-01-01",),
    "base_model": ("digits/encoder: 100.00 % of the stage's value; held 25.00 %, from 2026-01-01",),
    "fine_tuning": ("styles/oil: 35.10 % of the stage's value; held 100.00 %, from 2026-01-01",),
    "prompt": ("prompts/portrait-at-dusk: 12.00 % of the stage's value; held 100.00 %, from 2026-02-01",),
}


@contextmanager
def served(world: World, **site: Any) -> Iterator[str]:
    with make_server(world.export(**site)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def studio(net: Devnet, folder: Path) -> World:
    """Two active settlements and a pending one."""
    folder.mkdir(parents=True)
    world = World(net, folder)
    people = [person(ALICE, 3, 1, 2, 1), person(BOB, 4, 3, 0, 6)]
    for revenue in (18_240_500_000, 21_907_310_000):
        world.settle(people, revenue, reasons=REASONS.get)
    world.propose(people, 16_402_750_000, reasons=REASONS.get)
    return world


class Studio:
    """A browser that takes pictures."""

    def __init__(self, browser: Browser, out: Path) -> None:
        self.browser, self.out = browser, out

    def page(self, url: str, *wallets: TestWallet, **context: Any) -> Page:
        options = {"viewport": {"width": 1000, "height": 700}, "device_scale_factor": 1, **context}
        page = self.browser.new_context(**options).new_page()
        for wallet in wallets:
            wallet.install(page)
        page.goto(url)
        return page

    def shoot(self, page: Page, name: str, *, whole: bool = True) -> None:
        page.wait_for_timeout(250)
        page.screenshot(path=self.out / f"{name}.png", full_page=whole)

    def connected(self, url: str, wallet: TestWallet, **context: Any) -> Page:
        page = self.page(url, wallet, **context)
        page.get_by_role("button", name="Connect Pocket").click()
        expect(page.locator("#history-title")).to_be_visible()
        return page


def main_states(studio_: Studio, net: Devnet, folder: Path) -> None:
    world = studio(net, folder)
    with served(world) as url:
        start = studio_.page(url, TestWallet(net, [ALICE]), TestWallet(net, [BOB], name="Vault"))
        expect(start.locator(".wallet")).to_have_count(2)
        studio_.shoot(start, "start", whole=False)
        nobody = studio_.page(url, viewport=PHONE)
        expect(nobody.locator("#no-wallet")).to_be_visible()
        studio_.shoot(nobody, "no-wallet-phone", whole=False)

        page = studio_.connected(url, TestWallet(net, [ALICE]))
        studio_.shoot(page, "earnings")
        page.locator(".why summary", has_text="Settlement 2").click()
        expect(page.locator("[data-check]")).to_contain_text("✓")
        studio_.shoot(page, "why")

        dark = studio_.connected(url, TestWallet(net, [ALICE]), viewport=PHONE, color_scheme="dark")
        studio_.shoot(dark, "earnings-phone-dark")
        away = studio_.connected(url, TestWallet(net, [ALICE], chain_id=1))
        expect(away.locator(".notice.warn")).to_be_visible()
        studio_.shoot(away, "wrong-chain", whole=False)

        away.close()
        offline = studio_.page(url)
        offline.route(f"{net.url}/**", lambda route: route.abort())
        offline.get_by_label("Look up an address or a name").fill(ALICE.address)
        offline.keyboard.press("Enter")
        expect(offline.locator(".notice.bad")).to_be_visible()
        studio_.shoot(offline, "node-away", whole=False)

        wallet = TestWallet(net, [ALICE])
        page = studio_.connected(url, wallet)
        page.get_by_role("button", name="Claim all").click()
        expect(page.get_by_role("button", name="Confirm in the wallet")).to_be_visible()
        studio_.shoot(page, "confirm", whole=False)
        wallet.declines = True
        page.get_by_role("button", name="Confirm in the wallet").click()
        expect(page.locator("dialog .progress")).to_contain_text("declined")
        studio_.shoot(page, "declined", whole=False)
        wallet.declines = False
        page.get_by_role("button", name="Confirm in the wallet").click()
        expect(page.locator("dialog .progress")).to_contain_text("Paid:")
        studio_.shoot(page, "paid", whole=False)
        page.get_by_role("button", name="Close").click()
        page.get_by_role("button", name="Let somebody else send it").wait_for(state="detached")
        net.send(world.pool.functions.cancel(), REGISTRAR)
        page.reload()
        expect(page.locator(".notice.warn")).to_be_visible()
        studio_.shoot(page, "cancelled")
        for opened in page.locator(".why > details > summary").all():
            opened.click()
        page.emulate_media(media="print")
        studio_.shoot(page, "statement-print")


def other_states(studio_: Studio, net: Devnet, folder: Path) -> None:
    named = World(net, folder)
    named.settle(
        [(named_id(REGISTRAR.address, NAME), NAME, (1, 0, 0, 1))], 980 * named.unit, reasons=REASONS.get
    )
    with served(named) as url:
        page = studio_.page(url)
        page.get_by_label("Look up an address or a name").fill(NAME)
        page.keyboard.press("Enter")
        expect(page.locator("#why-not")).to_be_visible()
        studio_.shoot(page, "name-not-bound")
        import base64
        import json

        link = base64.urlsafe_b64encode(json.dumps(named.voucher(NAME, ALICE)).encode()).decode().rstrip("=")
        page = studio_.page(f"{url}#voucher={link}", TestWallet(net, [ALICE]))
        page.get_by_role("button", name="Connect Pocket").click()
        expect(page.get_by_role("button", name="Sign in the wallet")).to_be_visible()
        studio_.shoot(page, "bind", whole=False)
    site = named.export()
    for path in (site / "pools").glob("*/leaves/1/*/0"):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with make_server(site) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        page = studio_.page(f"http://127.0.0.1:{server.server_address[1]}/#{NAME}")
        expect(page.locator(".notice.bad")).to_be_visible()
        studio_.shoot(page, "false-proof", whole=False)
        server.shutdown()


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    path = find_chromium()
    if path is None:
        sys.exit("no Chromium here: apt-get install chromium")
    with devnet() as net, tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        main_states(Studio(browser, out), net, Path(folder) / "main")
        (Path(folder) / "named").mkdir()
        other_states(Studio(browser, out), net, Path(folder) / "named")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/screenshots")
