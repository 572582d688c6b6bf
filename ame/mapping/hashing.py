"""Content hashes of files and folders: SHA-256, in a form that coreutils can repeat."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable
from pathlib import Path

from ame.errors import FileError

_CHUNK_BYTES = 2**20


def hash_path(path: Path) -> str:
    """SHA-256 in hex of a file's bytes, or of a folder's listing. FileError for links, devices and
    unreadable files.

    A folder's hash is that of `sha256sum` over its files, sorted by the bytes of their paths:
    `cd FOLDER && find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum`
    """
    mode = _mode(path)
    if stat.S_ISREG(mode):
        return _hash_file(path)
    if not stat.S_ISDIR(mode):
        raise FileError("expected a file or a folder", file=path)
    return hash_listing((_hash_file(file), file.relative_to(path).as_posix()) for file in _files(path))


def hash_listing(entries: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the lines of `sha256sum` for (SHA-256 in hex, path), sorted by path."""
    digest = hashlib.sha256()
    for sha256, name in sorted(entries, key=lambda entry: entry[1].encode()):
        digest.update(f"{sha256}  {name}\n".encode())
    return digest.hexdigest()


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", file=path) from error
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    """All files below a folder. Links are refused: what they lead to is not in the folder."""
    found, waiting = [], [folder]
    while waiting:
        for entry in waiting.pop().iterdir():
            mode = _mode(entry)
            if stat.S_ISDIR(mode):
                waiting.append(entry)
            elif not stat.S_ISREG(mode):
                raise FileError("expected only files and folders inside, got a link or a device", file=entry)
            elif any(letter in entry.name for letter in "\n\r\\"):
                raise FileError("expected a file name without line ends and backslashes", file=ascii(entry))
            else:
                found.append(entry)
    return found


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except (OSError, ValueError) as error:
        raise FileError(f"cannot be read: {getattr(error, 'strerror', None) or error}", file=path) from error
