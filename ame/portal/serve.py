"""Serves an exported page on this machine, with the headers that a public host should send as well."""

from __future__ import annotations

import re
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ame.errors import FileError

_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]+)"')


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object, policy: str, **named: object) -> None:
        self._policy = policy
        super().__init__(*arguments, **named)  # type: ignore[arg-type]  # the base class's own arguments

    def end_headers(self) -> None:
        # What a <meta> cannot say: nobody may put the page in a frame and have buttons clicked through it.
        self.send_header("Content-Security-Policy", f"{self._policy}; frame-ancestors 'none'")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's signature
        pass


def make_server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of the folder, on loopback only; port 0 takes a free one. Raises FileError if no page is there."""
    index = folder / "index.html"
    found = _POLICY.search(index.read_text()) if index.is_file() else None
    if found is None:
        raise FileError("expected a page made by `ame portal export`", file=index)
    handler = partial(_Handler, directory=str(folder), policy=found[1])
    return ThreadingHTTPServer(("127.0.0.1", port), handler)
