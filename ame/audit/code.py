"""Deployed code against a build: equal but for immutables and the compiler's metadata."""

from __future__ import annotations

import re

# solc leaves 32 zero bytes after PUSH32 for each immutable; for a zero in the source it writes PUSH0.
_IMMUTABLE = re.compile(rb"\x7f\x00{32}")


def difference(deployed: bytes, shipped: bytes) -> str | None:
    """What differs, in words, or None. `shipped` is runtime code as the compiler made it, immutables still zero."""
    if not deployed:
        return "no code"
    left, right = bytearray(_without_metadata(deployed)), bytearray(_without_metadata(shipped))
    if len(left) != len(right):
        return f"{len(deployed)} bytes where the build has {len(shipped)}"
    for match in _IMMUTABLE.finditer(bytes(right)):
        left[match.start() + 1 : match.end()] = bytes(32)
    at = next((at for at, (one, two) in enumerate(zip(left, right, strict=True)) if one != two), None)
    return None if at is None else f"another byte at {at}"


def _without_metadata(code: bytes) -> bytes:
    """solc can end code with CBOR metadata and its length in two bytes."""
    length = int.from_bytes(code[-2:]) + 2
    is_map = length < len(code) and code[-length : len(code) - length + 1] in (b"\xa1", b"\xa2", b"\xa3")
    return code[:-length] if is_map else code
