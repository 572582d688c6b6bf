import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from ame.errors import FileError
from ame.mapping.hashing import hash_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in {"b.txt": b"b", "a/z.txt": b"z" * 3_000_000, "a.txt": b"", "ü.txt": b"u"}.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "data"


def test_a_file_hashes_as_its_bytes(folder: Path) -> None:
    assert hash_path(folder / "b.txt") == hashlib.sha256(b"b").hexdigest()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="compares with coreutils")
def test_a_folder_hashes_as_coreutils_do(folder: Path) -> None:
    command = r"find . -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    done = subprocess.run(["sh", "-c", command], cwd=folder, check=True, capture_output=True, text=True)
    assert hash_path(folder) == done.stdout.split()[0]


def test_a_renamed_file_changes_the_folder(folder: Path) -> None:
    before = hash_path(folder)
    (folder / "b.txt").rename(folder / "c.txt")
    assert hash_path(folder) != before


def test_a_name_with_a_line_end_is_refused(folder: Path) -> None:
    (folder / "a\nb").write_bytes(b"")
    with pytest.raises(FileError, match="without line ends"):
        hash_path(folder)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        hash_path(tmp_path / "nothing")
