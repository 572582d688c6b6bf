"""A bundle's files as they lie on a stranger's disk: which there are, and whether they are what the manifest lists."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ame.audit.fields import STAGE, canonical_json, fields, integer, sha256, small
from ame.bundle import BUNDLE_FORMAT
from ame.errors import CannotTell, FileError

MAX_PART_BYTES = 2**31
# What is decoded as a whole takes up to twenty times as much memory.
MAX_DOCUMENT_BYTES = {"settlement.json": 2**20, "coalitions.json": 2**27, "shares.json": 2**27}
MAX_PARTS = 64
SINGLE_PARTS = (
    "settlement.json",
    "usage.jsonl",
    "coalitions.json",
    "shares.json",
    "rights.yaml",
    "allocation.jsonl",
)


@dataclass(frozen=True)
class Files:
    """A bundle's files: bytes of what could be read, and what was wrong with the rest."""

    folder: Path
    manifest_bytes: bytes
    manifest: Mapping[str, Any]
    parts: dict[str, bytes]
    missing: tuple[str, ...]
    altered: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Of the manifest: the evidence."""
        return hashlib.sha256(self.manifest_bytes).hexdigest()


def read_files(folder: Path, wanted: Callable[[str], bool] = lambda _: True) -> Files:
    """Read the manifest and what is wanted of what it lists. FileError: the manifest is none; CannotTell: there is none."""
    data, manifest = read_manifest(folder)
    parts: dict[str, bytes] = {}
    missing, altered = [], []
    for name, entry in manifest["parts"].items():
        if not wanted(name):
            continue
        path = folder / name
        if not path.exists() and not path.is_symlink():
            missing.append(name)
            continue
        parts[name] = read_plain(folder, name)
        found = hashlib.sha256(parts[name]).hexdigest()
        if entry["sha256"] != found or entry["bytes"] != len(parts[name]):
            altered.append(
                f"{name}: SHA-256 {found} and {len(parts[name])} bytes, "
                f"the manifest says {entry['sha256']} and {entry['bytes']}"
            )
    return Files(folder, data, manifest, parts, tuple(missing), tuple(altered))


def listed_parts(folder: Path) -> dict[str, int]:
    """Names and sizes of the parts that the folder's manifest lists."""
    _, manifest = read_manifest(folder)
    return {name: entry["bytes"] for name, entry in manifest["parts"].items()}


def read_manifest(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """The manifest's bytes and what they say. FileError: it is none; CannotTell: there is none."""
    where = folder / "manifest.json"
    if not where.exists() and not where.is_symlink():
        raise CannotTell(f"{where}: there is no manifest, so there is nothing to check")
    data = read_plain(folder, "manifest.json")
    manifest = canonical_json(data, where)
    if manifest.get("format") != BUNDLE_FORMAT:
        raise FileError(
            f"expected {BUNDLE_FORMAT!r}, got {str(manifest.get('format'))[:60]!r}",
            file=where,
            field="format",
        )
    fields(manifest, {"format", "chain_id", "pool", "number", "previous", "created_by", "parts"}, where)
    listed = manifest["parts"]
    if not isinstance(listed, dict) or len(listed) > MAX_PARTS:
        raise FileError(f"expected an object of at most {MAX_PARTS} parts", file=where, field="parts")
    for name in ("chain_id", "number"):
        integer(manifest[name], where, name)
    if not isinstance(manifest["pool"], str):
        raise FileError("expected an address", file=where, field="pool")
    if not isinstance(manifest["created_by"], dict):
        raise FileError("expected names and versions of programs", file=where, field="created_by")
    if manifest["previous"] is not None:
        sha256(manifest["previous"], where, "previous")
    for name, entry in listed.items():
        _check_name(name, where)
        fields(entry, {"sha256", "bytes"}, f"{where}: {name}")
        sha256(entry["sha256"], where, f"sha256 of {name}")
        small(entry["bytes"], where, f"bytes of {name}", 0, most_bytes(name))
    return data, manifest


def most_bytes(name: str) -> int:
    """Of a part."""
    return MAX_DOCUMENT_BYTES.get(name, MAX_PART_BYTES)


def read_plain(folder: Path, name: str) -> bytes:
    """A plain file inside the folder: FileError for links, devices and what is too large, CannotTell if it cannot be
    read."""
    path = folder / name
    try:
        if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
            raise FileError("expected a file inside the bundle, got a link that leads elsewhere", file=path)
        if not path.is_file():
            raise FileError("expected a plain file", file=path)
        if path.stat().st_size > most_bytes(name):
            raise FileError(f"expected at most {most_bytes(name)} bytes", file=path)
        return path.read_bytes()
    except OSError as error:
        raise CannotTell(f"{path}: cannot be read: {error.strerror}") from error
    except (RuntimeError, ValueError) as error:  # a loop of links; a zero byte in a name
        if isinstance(error, FileError):
            raise
        raise FileError(f"cannot be read: {error}", file=path) from error


def _check_name(name: str, where: Path) -> None:
    stage = name.removeprefix("ledger/").removesuffix(".bin")
    if name not in SINGLE_PARTS and (name != f"ledger/{stage}.bin" or not STAGE.fullmatch(stage)):
        raise FileError(
            f"expected the parts of {BUNDLE_FORMAT}, got {name[:100]!r}", file=where, field="parts"
        )
