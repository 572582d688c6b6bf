"""Files that people hand to each other: what is not one is refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ame.errors import FileError
from ame.execution.signed_files import ClaimFile, read_claim_file
from ame.records import Claim

POOL = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CLAIM = ClaimFile(31337, POOL, 7, (Claim(0, 3, b"\x01" * 32, 7, b"\x02" * 96),), b"\x03" * 4)


def written(folder: Path, **change: Any) -> Path:
    path = folder / "proof.json"
    path.write_text(json.dumps({**CLAIM.to_json(), **change}))
    return path


def test_claim_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_claim_file(written(tmp_path)) == CLAIM


@pytest.mark.parametrize(
    "change",
    [
        {"format": "ame-signed-claim/1"}, {"chain_id": "1.5"}, {"claims": []}, {"claims": [{}]}, {"claims": None},
        {"data": "0x0"}, {"to": "0x12"}, {"amount": -1}, {"claims": [{**CLAIM.to_json()["claims"][0], "index": -1}]},
        {"claims": [{**CLAIM.to_json()["claims"][0], "proof": 5}]},
    ],
)  # fmt: skip
def test_other_files_are_no_claim(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(FileError, match=r"proof\.json"):
        read_claim_file(written(tmp_path, **change))
