"""Where published bundles are: a folder of folders, or a URL with {number} or {evidence} in it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.error import URLError
from urllib.request import urlopen

from ame.audit.facts import CANCELLED, ChainFacts
from ame.audit.reading import MAX_PART_BYTES, listed_parts
from ame.errors import AmeError, CannotTell, InputError

SECONDS_TO_ANSWER = 30


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
            if path.is_file() and not path.is_symlink()
        }
        wanted = [event.args["evidence"].hex() for event in facts.named("Proposed")]
        return [by_evidence[evidence] for evidence in wanted if evidence in by_evidence]


class UrlSource:
    """Bundles by HTTP. What was fetched is kept in `cache`, by evidence."""

    def __init__(self, template: str, cache: Path, fetch: Callable[[str, int], bytes] | None = None) -> None:
        if not template.startswith(("https://", "http://")):
            raise InputError(f"expected a URL that starts with https://, got {template}")
        if "{number}" not in template and "{evidence}" not in template:
            raise InputError(f"expected {{number}} or {{evidence}} in the URL, got {template}")
        self.template, self.cache, self.fetch = template.rstrip("/"), cache, fetch or _fetch

    def folders(self, facts: ChainFacts) -> list[Path]:
        """The bundles of all settlements that were not cancelled, as far as they can be fetched."""
        found = []
        for event in facts.named("Proposed"):
            if facts.status(event.args["number"]) == CANCELLED:
                continue
            folder = self._folder(event.args["number"], event.args["evidence"].hex())
            if folder is not None:
                found.append(folder)
        return found

    def _folder(self, number: int, evidence: str) -> Path | None:
        folder, draft = self.cache / evidence, self.cache / f".{evidence}.draft"
        if folder.exists():
            return folder
        url = self.template.format(number=number, evidence=evidence)
        shutil.rmtree(draft, ignore_errors=True)
        try:
            manifest = self.fetch(f"{url}/manifest.json", MAX_PART_BYTES)
            if hashlib.sha256(manifest).hexdigest() != evidence:
                return None
            draft.mkdir(parents=True)
            (draft / "manifest.json").write_bytes(manifest)
            for name, size in listed_parts(draft).items():
                path = draft / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(self.fetch(f"{url}/{name}", size))
        except CannotTell:
            raise
        except AmeError:
            return None
        draft.rename(folder)
        return folder


def _fetch(url: str, most: int) -> bytes:
    try:
        with urlopen(url, timeout=SECONDS_TO_ANSWER) as answer:  # noqa: S310 - UrlSource takes http and https only
            data: bytes = answer.read(most + 1)
    except (URLError, OSError, ValueError) as error:
        raise CannotTell(f"{url}: {error}") from error
    if len(data) > most:
        raise InputError(f"{url}: expected at most {most} bytes")
    return data
