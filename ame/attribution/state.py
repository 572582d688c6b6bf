"""What an estimate has measured so far, on disk: one line per batch, each with a digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from ame.attribution.coalitions import FloatVector
from ame.errors import FileError


class EstimateState:
    """The values in the order in which the seed asks for them; without a path, nothing is kept on disk.

    First line `ame-estimate/1 {parameters}`, then one line `<digest> <float64 in hex>` per batch. The digest
    covers the line and everything before it. A last line that was cut off is dropped: its batch is measured
    again.
    """

    def __init__(self, path: Path | None, header: str) -> None:
        self.path, self.values = path, np.empty(0)
        self._chain = hashlib.sha256(header.encode())
        if path is not None:
            self._load(path, header)

    @classmethod
    def open(cls, path: Path | None, players: int, budget: int, seed: int) -> EstimateState:
        """Begin or go on; a file of other parameters is refused."""
        parameters = json.dumps({"players": players, "budget": budget, "seed": seed}, sort_keys=True)
        return cls(path, f"ame-estimate/1 {parameters}")

    def take(self, first: int, count: int) -> FloatVector:
        """What is known of the values first..first + count."""
        return self.values[first : first + count]

    def append(self, values: FloatVector) -> None:
        """Keep a batch."""
        if self.path is None:
            return
        body = values.astype("<f8").tobytes().hex()
        with self.path.open("ab") as file:
            file.write(f"{self._digest(body)} {body}\n".encode())

    def _digest(self, body: str) -> str:
        self._chain.update(body.encode())
        return self._chain.hexdigest()[:32]

    def _load(self, path: Path, header: str) -> None:
        raw = path.read_bytes() if path.exists() else b""
        whole = raw[: raw.rfind(b"\n") + 1]
        lines = whole.decode("ascii", "replace").splitlines()
        if not lines:
            path.write_bytes(f"{header}\n".encode())
            return
        if lines[0] != header:
            raise FileError(f"expected {header!r}, got {lines[0][:100]!r}", file=path, line=1)
        parts = []
        for number, line in enumerate(lines[1:], 2):
            digest, _, body = line.partition(" ")
            if digest != self._digest(body):
                raise FileError("the digest does not fit: the line was changed", file=path, line=number)
            parts.append(np.frombuffer(bytes.fromhex(body), dtype="<f8"))
        self.values = np.concatenate(parts) if parts else np.empty(0)
        if len(whole) < len(raw):
            with path.open("r+b") as file:
                file.truncate(len(whole))
