"""Copies of an honest history in which one thing is changed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rfc8785

from ame.audit.audit import audit
from ame.audit.facts import ChainFacts
from ame.audit.report import Report
from tests.audit.synthetic import History, random_epoch, random_history

HONEST_SEED = 11


@dataclass
class Copy:
    """One settlement's bundle, the older ones and the chain's facts; `repost` makes all hashes right again."""

    folders: list[Path]
    facts: ChainFacts

    @property
    def folder(self) -> Path:
        return self.folders[-1]

    @property
    def stages(self) -> list[str]:
        return [str(stage) for stage in json.loads((self.folder / "settlement.json").read_bytes())["stages"]]

    def report(self) -> Report:
        return audit(self.folders, self.facts)

    def raw(self, part: str, change: Callable[[bytes], bytes]) -> Copy:
        path = self.folder / part
        path.write_bytes(change(path.read_bytes()))
        return self

    def document(self, part: str, change: Callable[[Any], None]) -> Copy:
        def edit(data: bytes) -> bytes:
            value = json.loads(data)
            change(value)
            return rfc8785.dumps(value)

        return self.raw(part, edit)

    def lines(self, part: str, change: Callable[[list[Any]], None]) -> Copy:
        def edit(data: bytes) -> bytes:
            rows = [json.loads(line) for line in data.splitlines()]
            change(rows)
            return b"".join(rfc8785.dumps(row) + b"\n" for row in rows)

        return self.raw(part, edit)

    def repost(self) -> Copy:
        """The operator posts the changed bundle: manifest and evidence follow from it."""

        def rehash(manifest: Any) -> None:
            manifest["parts"] = {
                name: {
                    "sha256": hashlib.sha256((self.folder / name).read_bytes()).hexdigest(),
                    "bytes": (self.folder / name).stat().st_size,
                }
                for name in manifest["parts"]
                if (self.folder / name).exists()
            }

        return self.document("manifest.json", rehash).evidence()

    def evidence(self) -> Copy:
        """The chain has the manifest's hash as it is."""
        digest = hashlib.sha256((self.folder / "manifest.json").read_bytes()).digest()
        return self.event("Proposed", -1, evidence=digest)

    def event(self, name: str, which: int, **args: Any) -> Copy:
        """Change arguments of the which-th event of a name."""
        at = [index for index, event in enumerate(self.facts.events) if event.name == name][which]
        event = self.facts.events[at]
        events = list(self.facts.events)
        events[at] = event._replace(args={**event.args, **args})
        self.facts = replace(self.facts, events=tuple(events))
        return self

    def events(self, change: Callable[[list[Any]], None]) -> Copy:
        events = list(self.facts.events)
        change(events)
        self.facts = replace(self.facts, events=tuple(events))
        return self

    def books(self, **values: Any) -> Copy:
        self.facts = replace(self.facts, books=replace(self.facts.books, **values))
        return self

    def chain(self, **values: Any) -> Copy:
        self.facts = replace(self.facts, **values)
        return self


def honest_history(folder: Path) -> History:
    """Two active settlements, claims, and somebody who is new in the second."""
    import random

    seed = random.Random(HONEST_SEED)
    history = History(folder, seed)
    for number, people in ((1, 4), (2, 7)):
        history.deposit(10**9 + 5)
        history.propose(random_epoch(seed, number, 10**9, people))
        history.activate()
        for stage in range(3):
            history.claim(stage, 0)
    return history


def copy_of(history: History, folder: Path) -> Copy:
    """A copy that may be changed."""
    folders = []
    for original in history.folders:
        shutil.copytree(original, folder / original.name)
        folders.append(folder / original.name)
    return Copy(folders, history.facts)


__all__ = ["Copy", "copy_of", "honest_history", "random_history"]
