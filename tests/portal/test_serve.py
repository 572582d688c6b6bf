"""`ame portal` from a shell: it starts, sends the headers that a public host should send, and ends with Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ame.bundle import write_bundle
from tests.portal.test_export import EMPTY, ROOT, published

AME = ROOT / ".venv/bin/ame"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (one,) = published((1, EMPTY))
    write_bundle(tmp_path / "bundle", one.bundle)
    return tmp_path / "bundle"


@contextmanager
def portal(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address that it prints."""
    process = subprocess.Popen(
        [AME, "portal", "--port", "0", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_interrupts,
    )  # fmt: skip
    try:
        assert process.stdout
        yield process, process.stdout.readline().split()[0]
    finally:
        process.kill()
        process.communicate()


def hear_interrupts() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would all that the tests start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_portal_starts_serves_its_policy_and_ends_with_ctrl_c(bundle: Path) -> None:
    with portal("--bundle", bundle, "--rpc", "https://node.example/key") as (process, url):
        with urllib.request.urlopen(url, timeout=10) as answer:
            headers, body = answer.headers, answer.read().decode()
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert "connect-src 'self' https://node.example;" in policy
        assert policy.endswith("frame-ancestors 'none'")
        assert policy.removesuffix("; frame-ancestors 'none'") in body
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        with urllib.request.urlopen(f"{url}pools.json", timeout=10) as answer:
            assert b"ame-portal/2" in answer.read()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}../../etc/passwd", timeout=10)

        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=10) == 0
        assert "Traceback" not in process.communicate()[1]


def test_exported_folder_is_served(bundle: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = subprocess.run(
        [AME, "portal", "export", site, "--bundle", bundle, "--rpc", "http://127.0.0.1:8545"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "Any static host will do" in done.stdout

    with portal("--folder", site) as (process, url):
        with urllib.request.urlopen(f"{url}app.js", timeout=10) as answer:
            assert answer.read() == (site / "app.js").read_bytes()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


def test_other_folders_are_not_served(tmp_path: Path) -> None:
    done = subprocess.run(
        [AME, "portal", "--folder", tmp_path], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert "expected a page made by `ame portal export`" in done.stderr
