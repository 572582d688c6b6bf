"""json.loads for what strangers send: nesting without end is an error, never a crash."""

from __future__ import annotations

import json
import sys
from typing import Any

# py_ecc, which Ethereum's Python libraries import, raises Python's limit to 100,000. The C code of json then runs out of
# stack before Python stops it.
DEEPEST_CALLS = 3_000


def loads(text: str | bytes, **hooks: Any) -> Any:
    """As json.loads. RecursionError for what is nested deeper than a few thousand levels."""
    limit = sys.getrecursionlimit()
    if limit <= DEEPEST_CALLS:
        return json.loads(text, **hooks)
    sys.setrecursionlimit(DEEPEST_CALLS)
    try:
        return json.loads(text, **hooks)
    finally:
        sys.setrecursionlimit(limit)
