"""A devnet for tests of processes: anvil, a proxy before it that can fail, and a web server of bundles that can, too."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from scripts.foundry import environment, native


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def anvil() -> Iterator[str]:
    """A new chain with its mempool and blocks at once; gives its URL."""
    port = free_port()
    process = subprocess.Popen(
        [native("anvil"), "--port", str(port), "--chain-id", "31337", "--hardfork", "prague"],
        env=environment(), stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "anvil has ended"
                assert time.monotonic() < until, "anvil does not answer"
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


class Proxy:
    """Before a node. `mode`: pass, error (status 500), drop (closes the connection). `asked`: methods and parameters."""

    def __init__(self, target: str) -> None:
        self.target, self.mode, self.url = target, "pass", ""
        self.asked: list[tuple[str, Any]] = []

    def starts_of_scans(self) -> list[int]:
        return [int(params[0]["fromBlock"], 16) for method, params in self.asked if method == "eth_getLogs"]


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    proxy = Proxy(target)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if proxy.mode == "drop":
                self.close_connection = True
                self.connection.close()
                return
            if proxy.mode == "error":
                self.send_error(500)
                return
            call = json.loads(body)
            proxy.asked += [
                (one["method"], one["params"]) for one in (call if isinstance(call, list) else [call])
            ]
            request = urllib.request.Request(target, body, {"content-type": "application/json"})
            with urllib.request.urlopen(request) as answer:
                data = answer.read()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            return

    with _serving(Handler) as proxy.url:
        yield proxy


class Web:
    """Bundles by HTTP. `mode`: right, missing (404), garbage, huge (without end), slow (a byte, and again)."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mode, self.url = folder, "right", ""


@contextmanager
def served(folder: Path) -> Iterator[Web]:
    web = Web(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = web.folder / self.path.removeprefix("/")
            if web.mode == "missing" or not path.is_file():
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            try:
                if web.mode == "right":
                    self.wfile.write(path.read_bytes())
                if web.mode == "garbage":
                    self.wfile.write(b"<html>moved</html>")
                while web.mode == "huge":
                    self.wfile.write(bytes(2**20))
                while web.mode == "slow":
                    self.wfile.write(b"{")
                    time.sleep(0.5)
            except OSError:
                return  # the watcher has left

        def log_message(self, *_: Any) -> None:
            return

    with _serving(Handler) as web.url:
        yield web


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
