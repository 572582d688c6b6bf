"""json.loads for what strangers send: nesting without end is an error, never a crash.

msgspec reads whatever it takes as json does, and faster; what it refuses is left to json, for the exact
words of the error. tests/test_bounded_json.py holds the two against each other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import msgspec

# py_ecc, which Ethereum's Python libraries import, raises Python's limit to 100,000. C code that calls itself for each
# level then runs out of stack before Python stops it.
DEEPEST_CALLS = 3_000
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def loads(text: str | bytes, **hooks: Any) -> Any:
    """As json.loads. RecursionError for what is nested deeper than a few thousand levels."""
    if not hooks:
        try:
            return _bounded(_decode, text)
        except ValueError:
            pass  # or NaN, half of a surrogate pair, a number beyond all floats: json takes them
    return _bounded(json.loads, text, **hooks)


def loads_unique(text: str) -> Any:
    """As json.loads, where surely no key is given twice in one object. ValueError where that is not sure."""
    found = _bounded(_decode, text)
    # Unless a string holds a quote, each quote begins or ends one. The encoder writes every string of what was found:
    # with as many quotes, nothing of the text was lost, as it would be of a key's first value.
    if '\\"' in text or "\\u0022" in text or _bounded(_encode, found).count(b'"') != text.count('"'):
        raise ValueError("expected JSON without repeated keys and quotes in strings")
    return found


def _bounded(call: Callable[..., Any], given: Any, **hooks: Any) -> Any:
    limit = sys.getrecursionlimit()
    if limit <= DEEPEST_CALLS:
        return call(given, **hooks)
    sys.setrecursionlimit(DEEPEST_CALLS)
    try:
        return call(given, **hooks)
    finally:
        sys.setrecursionlimit(limit)
