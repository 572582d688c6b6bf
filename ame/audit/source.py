"""Where published bundles are: a folder of folders, or a URL with {number} or {evidence} in it."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Protocol
from urllib.error import URLError
from urllib.request import urlopen

from ame.audit.facts import CANCELLED, ChainFacts
from ame.audit.reading import listed_parts, most_bytes
from ame.errors import AmeError, CannotTell, InputError

SECONDS_TO_ANSWER = 30  # of a server that has gone silent
SECONDS_FOR_A_BUNDLE = 600  # of one that is slow on purpose; at most 1/16 of the challenge period
MAX_MANIFEST_BYTES = 2**16
MAX_BUNDLE_BYTES = 2**29  # a million contributors take 0.4 GB; reading takes several times as much memory
CHUNK_BYTES = 2**20

Fetch = Callable[[str], Iterator[bytes]]


class Source(Protocol):
    """Gives folders of bundles, oldest first."""

    def folders(self, facts: ChainFacts) -> list[Path]:
        """All that are known now."""


class FolderSource:
    """A folder with one folder per bundle, in any order and under any names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def folders(self, facts: ChainFacts) -> list[Path]:
        """The bundles that the chain's evidence names."""
        by_evidence = {
            hashlib.sha256(path.read_bytes()).hexdigest(): path.parent
            for path in self.folder.glob("*/manifest.json")
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_MANIFEST_BYTES
        }
        wanted = [event.args["evidence"].hex() for event in facts.named("Proposed")]
        return [by_evidence[evidence] for evidence in wanted if evidence in by_evidence]


class UrlSource:
    """Bundles by HTTP. What was fetched is kept in `cache`, by evidence. A server can be slow or send too much: time and
    bytes are bounded, and a bundle that is not there in time counts as not published."""

    def __init__(
        self,
        template: str,
        cache: Path,
        fetch: Fetch | None = None,
        log: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        most_bytes: int = MAX_BUNDLE_BYTES,
    ) -> None:
        if not template.startswith(("https://", "http://")):
            raise InputError(f"expected a URL that starts with https://, got {template}")
        if "{number}" not in template and "{evidence}" not in template:
            raise InputError(f"expected {{number}} or {{evidence}} in the URL, got {template}")
        self.template, self.cache, self.fetch = template.rstrip("/"), cache, fetch or _fetch
        self.log, self.clock, self.said, self.most_bytes = log, clock, "", most_bytes

    def folders(self, facts: ChainFacts) -> list[Path]:
        """The bundles of all settlements that were not cancelled, as far as they can be fetched."""
        until = self.clock() + min(SECONDS_FOR_A_BUNDLE, facts.terms.challenge_seconds / 16)
        found = []
        proposals = [one for one in facts.named("Proposed") if facts.status(one.args["number"]) != CANCELLED]
        for event in reversed(proposals):  # the latest first: time may be over before the oldest comes
            folder = self._folder(event.args["number"], event.args["evidence"].hex(), until)
            if folder is not None:
                found.append(folder)
        return found[::-1]

    def _folder(self, number: int, evidence: str, until: float) -> Path | None:
        folder, draft = self.cache / evidence, self.cache / f".{evidence}.draft"
        if folder.exists():
            return folder
        url = self.template.format(number=number, evidence=evidence)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        try:
            self._get(f"{url}/manifest.json", draft / "manifest.json", MAX_MANIFEST_BYTES, until)
            found = hashlib.sha256((draft / "manifest.json").read_bytes()).hexdigest()
            if found != evidence:
                raise InputError(f"{url}: expected the manifest {evidence}, got {found}")
            parts = listed_parts(draft)
            if sum(parts.values()) > self.most_bytes:
                raise InputError(f"{url}: expected at most {self.most_bytes} bytes")
            for name, size in parts.items():
                (draft / name).parent.mkdir(exist_ok=True)
                self._get(f"{url}/{name}", draft / name, min(size, most_bytes(name)), until)
        except AmeError as error:
            self._say(f"no bundle of settlement {number}: {error}")
            shutil.rmtree(draft, ignore_errors=True)
            return None
        draft.rename(folder)
        return folder

    def _get(self, url: str, path: Path, most: int, until: float) -> None:
        """Raises InputError or CannotTell where it is more than `most` bytes, or not there in time."""
        size = 0
        with path.open("wb") as file:
            for chunk in self.fetch(url):
                size += len(chunk)
                if size > most:
                    raise InputError(f"{url}: expected at most {most} bytes")
                if self.clock() > until:
                    raise CannotTell(f"{url}: too slow, given up after {size} bytes")
                file.write(chunk)

    def _say(self, text: str) -> None:
        if text != self.said:
            self.log(text)
        self.said = text


def _fetch(url: str) -> Iterator[bytes]:
    try:
        with urlopen(url, timeout=SECONDS_TO_ANSWER) as answer:  # noqa: S310 - UrlSource takes http and https only
            while chunk := answer.read1(CHUNK_BYTES):  # what has come, so that a slow server is noticed
                yield chunk
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise CannotTell(f"{url}: {error}") from error
