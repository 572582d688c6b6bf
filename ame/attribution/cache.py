"""Measured values on disk: one file per content hash, one line and one digest per value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from ame.errors import FileError


class ValueCache:
    """Lines `<coalition hex> <value_ppm> <digest>`, appended a batch at a time.

    A last line that was cut off (the program was killed while writing) is dropped and measured again; any
    other line whose digest does not fit is refused, since somebody or something changed it.
    """

    def __init__(self, folder: Path, content_hash: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{content_hash}.values"
        self._seed = hashlib.sha256(f"{content_hash} ".encode())

    def load(self) -> dict[int, int]:
        """All values in the file."""
        if not self.path.exists():
            return {}
        raw = self.path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        known: dict[int, int] = {}
        for number, line in enumerate(whole.decode("ascii", "replace").splitlines(), 1):
            coalition, value = self._parse(line, number)
            if known.setdefault(coalition, value) != value:
                raise FileError("expected one value per coalition, got two", file=self.path, line=number)
        return known

    def append(self, values: Iterable[tuple[int, int]]) -> None:
        """Write a batch in one go."""
        lines = []
        for coalition, value in values:
            pair = f"{coalition:#x} {value}"
            lines.append(f"{pair} {self._digest(pair)}\n")
        with self.path.open("ab") as file:
            file.write("".join(lines).encode())

    def _parse(self, line: str, number: int) -> tuple[int, int]:
        try:
            coalition, value, digest = line.split(" ")
            pair = int(coalition, 16), int(value)
        except ValueError:
            raise FileError(
                "expected a coalition, a value and a digest", file=self.path, line=number
            ) from None
        if digest != self._digest(f"{coalition} {value}"):
            raise FileError("the digest does not fit: the line was changed", file=self.path, line=number)
        return pair

    def _digest(self, pair: str) -> str:
        digest = self._seed.copy()
        digest.update(pair.encode())
        return digest.hexdigest()[:32]
