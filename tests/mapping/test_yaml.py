"""The fast reader of regular YAML against the real one: the same, or nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ame.errors import FileError
from ame.mapping import regular_yaml, strict_yaml
from ame.mapping.importing import to_text
from tests.mapping import HEAD, asset, text_of

HERE = Path(__file__).parent
# Scalars that look like something else in YAML 1.1, 1.2, flow or block style.
_SCALARS = r"""a 1 0 007 1_000 1.5 -1 +1 0x1F 1e3 null ~ true no yes on Null TRUE 2026-01-01 2026-01-01T00:00:00Z
hf:alice a: a:b: : - -- a-b a,b a#b #a a|b |a >a !a &a *a %a @a `a 'a' 'it''s' "a" "\n" "" "é" [] {} [a] {a} {a:b} << ...
--- ? a? é 💡 1:2 12:30:45 a/b a\b a=b = {"a":1} {a:1}"""
_LONGER = [
    "a b",
    '"a b"',
    '"a, b: c"',
    "{a: b}",
    "{a: }",
    '{"a": b}',
    "{a: [b]}",
    "{a: 1}, b",
    "{a: 1}b",
    "{a: 1, a: 2}",
]
_LONGER += [
    '{a: "}"}',
    '{a: "b", c: 1}',
    "a: b",
    "a #b",
    "a\tb",
    "\t",
    "a ",
    "- a",
    "{a: 1} b: 2}",
    "{ a: 1 }",
    "{a:  1}",
]
SCALARS = st.sampled_from(_SCALARS.split() + _LONGER)
KEYS = st.sampled_from(["a", "b", "a_b", "a-b", "true", "null", "1", "a b", '"a"', "<<", "é", "-", "?", ""])
LINES = st.builds(
    lambda indent, dash, key, value, end: " " * indent + dash + key + value + end,
    st.integers(0, 6),
    st.sampled_from(["", "", "- ", "-  ", "-", "- - "]),
    st.one_of(st.just(""), KEYS.map(lambda key: key + ":"), KEYS.map(lambda key: key + ": ")),
    st.one_of(st.just(""), SCALARS),
    st.sampled_from(["", "", "", " ", " # note", "\r"]),
)
PLAIN = st.text("ab:-. ,#{}[]\"'0123456789T&*!|>%@`\n", max_size=40)


def both(text: str) -> tuple[Any, Any]:
    """What either reader gives; of the real one None for an error."""
    try:
        real = strict_yaml.parse_events(text, "x")
    except FileError:
        real = None
    return regular_yaml.parse(text), real


def check(text: str) -> None:
    fast, real = both(text)
    if fast is not None:
        assert json.dumps(fast) == json.dumps(real), text


@settings(max_examples=1500, deadline=None)
@given(st.lists(LINES, max_size=8).map("\n".join))
@example("{a: 1} b: 2}")
@example("a: {a: 1} b: 2}")
@example("a:\n- b: 1\n  c: 2\n- d")
@example("a:\n  b: 1\n c: 2")
@example("a: b\n  c: d")
@example("a:\n- b\nc: d")
def test_lines_of_all_kinds_are_read_the_same_or_not_at_all(text: str) -> None:
    check(text)


@settings(max_examples=1000, deadline=None)
@given(PLAIN)
def test_any_text_is_read_the_same_or_not_at_all(text: str) -> None:
    check(text)
    check(f"a: {text}")
    check(f"a: {{b: {text}}}")
    check(f"a:\n  - b: {text}\n    c: 1")


TREES = st.recursive(
    st.one_of(st.integers(0, 10**9), st.booleans(), st.text(" -~", max_size=8), st.none()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "ab_c", "yes"]), inner, max_size=3),
    ),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(["x", "y", "z"]), TREES, min_size=1), st.booleans())
def test_what_pyyaml_writes_is_read_the_same_or_not_at_all(tree: Any, flow: bool) -> None:
    check(yaml.safe_dump(tree, default_flow_style=None if flow else False))


@pytest.mark.parametrize("path", [HERE / "full.yaml", *sorted((HERE / "cards").rglob("README.md"))], ids=str)
def test_cards_and_rights_are_read_the_same_or_not_at_all(path: Path) -> None:
    text = path.read_text()
    check(text.split("---\n")[1] if text.startswith("---") else text)


def test_what_import_writes_is_regular() -> None:
    """Otherwise 100,000 assets would take twice as long, and nobody would notice."""
    document = strict_yaml.parse(text_of(asset("a", "parents: [b]") + "\n" + asset("b"), HEAD), "x")
    written = to_text(
        {**document, "assets": [{**one, "parents": [{"asset": "b"}]} for one in document["assets"]]}
    )
    fast, real = both(written)
    assert fast == real is not None


def test_a_card_as_people_write_it_is_regular() -> None:
    card = (
        "license: cc-by-4.0\nlanguage:\n- en\n- de\ntags:\n  - text\ndatasets:\n- a/b\nbase_model: c/d-7b\n"
    )
    assert both(card)[0] == both(card)[1] is not None
