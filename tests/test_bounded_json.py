"""What msgspec takes, it reads as json does; and a repeated key is never let through."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ame import bounded_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
# Pieces of JSON, well put together or not.
_PIECES = r"""{ } [ ] , : "a" "b" "\"" "\u0022" "\\" "\ud800" "\ud83d\ude00" "é" "a":1 "a":"" "\u0061":2 "a" :3 1 -0 01
1.5 1e5 1e400 -1e-400 123456789012345678901234567890 NaN Infinity true null " \ """
PIECES = st.lists(st.sampled_from([*_PIECES.split(), " ", "\n", '"\t"', "\ufeff"]), max_size=9).map("".join)


class _Repeated(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise _Repeated
    return dict(pairs)


def check(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError as error:
        with pytest.raises(type(error)):
            bounded_json.loads(text)
        with pytest.raises(ValueError):
            bounded_json.loads_unique(text)
        return
    assert repr(bounded_json.loads(text)) == repr(expected)
    try:
        found = bounded_json.loads_unique(text)
    except ValueError:
        return
    assert repr(found) == repr(json.loads(text, object_pairs_hook=_once))


@settings(max_examples=1500, deadline=None)
@given(PIECES)
@example('{"a":1,"a":2}')
@example('{"a":1,"\\u0061":2}')
@example('{"a":1,"a" :"\\u0022"}')
@example('{"a":"\\"","a":"\\"\\""}')
@example('[{"a":1,"a":2},"\\\\"]')
def test_any_text_is_read_as_by_json(text: str) -> None:
    check(text)
    check(f"{{{text}}}")
    check(f'{{"a":1,{text}}}')


@settings(max_examples=500, deadline=None)
@given(VALUES, st.booleans())
def test_what_json_writes_is_read_as_by_json(value: Any, ascii_only: bool) -> None:
    check(json.dumps(value, ensure_ascii=ascii_only))


def test_plain_json_is_read_at_once() -> None:
    """Otherwise a large file would take twice as long, and nobody would notice."""
    value = {"a": [{"b": "é\n/"}, 10**30, 1.5, True, None], "c": {"a": ""}}
    assert bounded_json.loads_unique(json.dumps(value)) == value
    assert bounded_json.loads_unique(json.dumps(value, ensure_ascii=False, indent=1)) == value


def test_what_only_json_takes_is_left_to_it() -> None:
    assert math.isnan(bounded_json.loads("NaN"))
    assert bounded_json.loads('"\\ud800"') == "\ud800"


@pytest.mark.parametrize("read", [bounded_json.loads, bounded_json.loads_unique])
def test_nesting_without_end_is_an_error(read: Any) -> None:
    with pytest.raises(RecursionError):
        read("[" * 10**6)
    with pytest.raises(RecursionError):
        read('{"a":' * 10**6)
