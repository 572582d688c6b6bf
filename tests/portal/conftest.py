"""One anvil and one browser for the whole run; every test has its own pool and its own page."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ame.portal.serve import make_server
from tests.portal.devnet import Devnet, World, devnet
from tests.portal.wallet import TestWallet

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def find_chromium() -> str | None:
    """Debian's Chromium, installed where that is possible."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    if shutil.which("apt-get") and os.geteuid() == 0:
        for step in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", *step], capture_output=True, check=False, timeout=600)
    return shutil.which("chromium")


@pytest.fixture(scope="session")
def net() -> Iterator[Devnet]:
    with devnet() as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=15_000)  # a busy machine is no finding

    path = find_chromium()
    if path is None:
        warnings.warn("NO CHROMIUM: the claim page was NOT tested in a browser", stacklevel=1)
        pytest.skip(
            "no Chromium here and none could be installed: the claim page was NOT tested in a browser"
        )
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def world(net: Devnet, tmp_path: Path) -> World:
    return World(net, tmp_path)


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Serve a folder; gives its address."""
    with ExitStack() as stack:

        def start(folder: Path) -> str:
            server = stack.enter_context(make_server(folder))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_address[1]}/"

        yield start


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """A page in a context of its own; what it logs as an error fails the test, blocked by the policy or not."""
    with ExitStack() as stack:
        problems: list[str] = []

        def start(url: str, *wallets: TestWallet, expects_problems: bool = False, **context: Any) -> Any:
            opened = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **context})
            stack.callback(opened.close)
            page = opened.new_page()
            page.set_default_timeout(10_000)
            if not expects_problems:
                page.on("pageerror", lambda error: problems.append(str(error)))
                page.on("console", lambda message: _note(message, problems))
            for wallet in wallets:
                wallet.install(page)
            page.goto(url)
            return page

        yield start
        assert problems == []


def _note(message: Any, problems: list[str]) -> None:
    # A file or node that is away is reported by the browser itself; tests take them away on purpose.
    if message.type == "error" and "Failed to load resource" not in message.text:
        problems.append(message.text)
