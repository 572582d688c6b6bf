"""What an estimate has measured so far, on disk: one line per batch, each with a digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from ame.attribution.coalitions import FloatVector
from ame.errors import FileError

STREAMS = ("table", "ends", "pairs", "walks")


class EstimateState:
    """Values of each stream of coalitions, in the order that the seed fixes; without a path, nothing is kept on disk.

    A stream does not depend on the budget, so a run may go on with a larger one. First line
    `ame-estimate/2 {parameters}`, then one line `<digest> <stream> <float64 in hex>` per batch. The digest covers
    the line and everything before it. A last line that was cut off is dropped: its batch is measured again.
    """

    def __init__(self, path: Path | None, header: str) -> None:
        self.path = path
        self._known = {stream: np.empty(0) for stream in STREAMS}
        self._chain = hashlib.sha256(header.encode())
        if path is not None:
            self._load(path, header)

    @classmethod
    def open(cls, path: Path | None, players: int, seed: int) -> EstimateState:
        """Begin or go on; a file of other parameters is refused."""
        parameters = json.dumps({"players": players, "seed": seed}, sort_keys=True)
        return cls(path, f"ame-estimate/2 {parameters}")

    def take(self, stream: str, first: int, count: int) -> FloatVector:
        """What was known at the start of the stream's values first..first + count."""
        return self._known[stream][first : first + count]

    def append(self, stream: str, values: FloatVector) -> None:
        """Keep a batch; what is on disk survives the program."""
        if self.path is None:
            return
        body = f"{stream} {values.astype('<f8').tobytes().hex()}"
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
        parts: dict[str, list[FloatVector]] = {stream: [] for stream in STREAMS}
        for number, line in enumerate(lines[1:], 2):
            digest, _, body = line.partition(" ")
            if digest != self._digest(body):
                raise FileError("the digest does not fit: the line was changed", file=path, line=number)
            stream, _, values = body.partition(" ")
            parts[stream].append(np.frombuffer(bytes.fromhex(values), dtype="<f8"))
        self._known = {stream: np.concatenate([np.empty(0), *found]) for stream, found in parts.items()}
        if len(whole) < len(raw):
            with path.open("r+b") as file:
                file.truncate(len(whole))
