"""Deployed code against a build: equal but for immutables and the compiler's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def difference(deployed: bytes, artifact: Mapping[str, Any]) -> str | None:
    """What differs, in words, or None. `artifact`: runtime bytecode in hex and immutableReferences as solc gives them."""
    shipped = bytes.fromhex(artifact["runtime"].removeprefix("0x"))
    if not deployed:
        return "no code"
    if len(_without_metadata(deployed)) != len(_without_metadata(shipped)):
        return f"{len(deployed)} bytes where the build has {len(shipped)}"
    left, right = bytearray(_without_metadata(deployed)), bytearray(_without_metadata(shipped))
    for references in artifact["immutableReferences"].values():
        for reference in references:
            part = slice(reference["start"], reference["start"] + reference["length"])
            left[part] = right[part] = bytes(reference["length"])
    at = next((at for at, (one, two) in enumerate(zip(left, right, strict=True)) if one != two), None)
    return None if at is None else f"another byte at {at}"


def _without_metadata(code: bytes) -> bytes:
    """solc ends code with CBOR metadata and its length in two bytes."""
    length = int.from_bytes(code[-2:]) + 2
    return (
        code[:-length] if length < len(code) and code[-length:][:1] in (b"\xa1", b"\xa2", b"\xa3") else code
    )
