"""A bundle as a folder: written whole or not at all, never overwritten; read only if every part is as listed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rfc8785

from ame.bundle.decode import decode, expect_format, parse_json
from ame.bundle.encode import encode_manifest, encode_parts
from ame.bundle.records import BUNDLE_FORMAT, Bundle
from ame.errors import FileError, InputError

# What decoding or writing again raises where a part is well-formed and says something impossible.
_NOT_A_BUNDLE = (
    InputError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def write_bundle(folder: Path, bundle: Bundle) -> bytes:
    """Write the bundle whole or not at all; gives the evidence, the manifest's SHA-256.

    Raises InputError if the folder exists with other content.
    """
    parts = encode_parts(bundle)
    manifest = encode_manifest(bundle, parts)
    evidence = hashlib.sha256(manifest).digest()
    if folder.exists():
        if (folder / "manifest.json").is_file() and evidence_of(folder) == evidence:
            return evidence
        raise InputError(
            f"{folder}: expected a folder that does not exist yet: a bundle is never overwritten"
        )
    _remove_drafts(folder)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.draft")
    try:
        for name, data in {**parts, "manifest.json": manifest}.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return evidence


def _remove_drafts(folder: Path) -> None:
    """Drafts that a process which was killed has left, and one of our own number."""
    pattern = re.compile(rf"\.{re.escape(folder.name)}\.([0-9]{{1,10}})\.draft")
    for path in folder.parent.iterdir() if folder.parent.is_dir() else ():
        match = pattern.fullmatch(path.name)
        if match and (int(match[1]) == os.getpid() or not _is_running(int(match[1]))):
            shutil.rmtree(path, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def evidence_of(folder: Path) -> bytes:
    """SHA-256 of the folder's manifest. Raises FileError where there is none."""
    return hashlib.sha256(_read_file(folder, "manifest.json")).digest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, as it is: the parts' hashes are checked by read_bundle."""
    path = folder / "manifest.json"
    manifest = parse_json(_read_file(folder, "manifest.json"), path)
    expect_format(manifest, BUNDLE_FORMAT, path)
    return manifest


def read_parts(folder: Path) -> dict[str, bytes]:
    """All parts that the manifest lists, each with the SHA-256 that it says."""
    manifest, parts = read_manifest(folder), {}
    listed = _field(manifest, "parts", dict, folder / "manifest.json")
    for name, entry in listed.items():
        if name.startswith("/") or "\\" in name or any(part in ("", ".", "..") for part in name.split("/")):
            raise FileError(
                f"expected a plain relative name, got {name!r}", file=folder / "manifest.json", field="parts"
            )
        data = _read_file(folder, name)
        found = hashlib.sha256(data).hexdigest()
        if not isinstance(entry, dict) or entry.get("sha256") != found or entry.get("bytes") != len(data):
            raise FileError(
                f"expected what the manifest lists, {entry}, got SHA-256 {found} and {len(data)} bytes",
                file=folder / name,
            )
        parts[name] = data
    return parts


def read_bundle(folder: Path, *, chain_id: int | None = None, pool: str | None = None) -> Bundle:
    """Read and check a bundle; `chain_id` and `pool`, where given, must be its own.

    Raises FileError for whatever is missing, altered, unknown or not in canonical form.
    """
    manifest, parts = read_manifest(folder), read_parts(folder)
    where = folder / "manifest.json"
    if chain_id is not None and manifest.get("chain_id") != str(chain_id):
        raise FileError(
            f"expected a bundle of chain {chain_id}, got {manifest.get('chain_id')!r}",
            file=where,
            field="chain_id",
        )
    if pool is not None and manifest.get("pool") != pool:
        raise FileError(
            f"expected a bundle of pool {pool}, got {manifest.get('pool')!r}", file=where, field="pool"
        )
    try:
        bundle = decode(manifest, parts, folder)
        canonical = encode_parts(bundle)
        again = parse_json(encode_manifest(bundle, parts), where) | {"created_by": manifest.get("created_by")}
        canonical_manifest = rfc8785.dumps(again)
    except FileError:
        raise
    except _NOT_A_BUNDLE as error:
        raise FileError(
            f"not a bundle of {BUNDLE_FORMAT}: {type(error).__name__}: {str(error)[:300]}", file=folder
        ) from error
    for name, data in canonical.items():
        if parts.get(name) != data:
            raise FileError("expected the canonical form of what it says", file=folder / name)
    extra = sorted(set(parts) - set(canonical))
    if extra:
        raise FileError(f"expected no other parts, got {extra}", file=where, field="parts")
    if canonical_manifest != _read_file(folder, "manifest.json"):
        raise FileError("expected the canonical form of what it says", file=where)
    return bundle


def _read_file(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
            raise FileError("expected a file inside the bundle, got a link that leads elsewhere", file=path)
        if path.exists() and not path.is_file():  # a pipe would keep us waiting
            raise FileError("expected a plain file", file=path)
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}", file=path) from error
    except FileError:
        raise
    except (RuntimeError, ValueError) as error:  # a loop of links; a zero byte in a name
        raise FileError(f"cannot be read: {error}", file=path) from error


def _field(document: Mapping[str, Any], name: str, kind: type, file: Path) -> Any:
    if not isinstance(document.get(name), kind):
        raise FileError(f"expected {kind.__name__}, got {document.get(name)!r}", file=file, field=name)
    return document[name]
