"""YAML in its most regular layout, read line by line: what `ame rights import` writes, and most cards.

Whatever is not of that layout is left to the real parser: `parse` gives either exactly what that one gives,
or nothing. tests/mapping/test_yaml.py holds the two against each other. It takes a quarter of the time.
Flow mappings that are written the same can be one object: whoever changes what was read copies it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

_KEY = r"[A-Za-z_][A-Za-z0-9_-]{0,99}"
QUOTED = r'"([ !#-\[\]-~]{0,900})"'
_INTEGER = r"(0|[1-9][0-9]{0,77})"  # 78 digits hold a uint256
# Letters first, or a date: nothing that YAML could take for a number, an indicator or a comment.
_PLAIN = r"([A-Za-z][A-Za-z0-9_./+-]*(?::[A-Za-z0-9_./+-]+)*|[0-9]+(?:-[0-9]+)+[0-9TZ:+.-]*[0-9Z])"
_SCALAR = rf"(?:{QUOTED}|{_INTEGER}|{_PLAIN})"
_PAIRS = re.compile(rf"({_KEY}): {_SCALAR}(?:, |\}}\Z)")
# Indent, dash of a list's item, key; a scalar in one of three forms, a flow mapping, an empty list, a comment.
_LINE = re.compile(rf"( *)(- )?(?:({_KEY}):(?: |\Z))?(?:{_SCALAR}|(\{{.*\}})|(\[\])|(#.*))?", re.ASCII)
_QUOTED_GROUP, _INTEGER_GROUP, _PLAIN_GROUP, _FLOW_GROUP, _LIST_GROUP, _COMMENT_GROUP = range(4, 10)
_WORDS: dict[str, Any] = {"null": None, "true": True, "false": False}
MAX_LEVELS = 12
MAX_REMEMBERED = 2**16
_BLOCK = 2**16

# level, whether it has a dash, key, kind of the value (None: on the next lines), value
_Line: TypeAlias = tuple[int, bool, str | None, type | None, Any]


class _OtherLayoutError(Exception):
    """The line is one for the real parser."""


def parse(text: str) -> Any:
    """What the real parser gives for a document whose root is a mapping; None where its layout is another.

    A level orders the containers that a line can belong to: twice the indent for a mapping, one more for a
    list, whose dashes may stand at the indent of the key that it belongs to.
    """
    root: dict[str, Any] = {}
    stack: list[tuple[int, Any]] = []
    level_now: int = 0
    container: Any = root
    waiting: str | None = None  # the key of `container` whose value is on the next lines
    # Most lines of a long file are the same as another; not those that begin an item.
    seen: dict[str, _Line] = {}
    remembered = seen.get
    for line in _lines(text):
        read = remembered(line)
        if read is None:
            try:
                read = _read(line)
            except _OtherLayoutError:
                return None
            if read is None:
                continue
            if len(seen) < MAX_REMEMBERED and not (read[1] and read[2]):
                seen[line] = read
        level, dash, key, kind, value = read
        if waiting is not None:
            if level > level_now:
                if len(stack) == MAX_LEVELS:
                    return None
                inner: Any = [] if dash else {}
                container[waiting] = inner
                stack.append((level_now, container))
                level_now, container = level, inner
            waiting = None
        while level < level_now:
            level_now, container = stack.pop()
        if level != level_now or (type(container) is list) is not dash:
            return None
        if kind is list:
            value = []
        if key is None:
            container.append(value)
            continue
        if dash:
            if len(stack) == MAX_LEVELS:
                return None
            item: dict[str, Any] = {}
            container.append(item)
            stack.append((level_now, container))
            level_now, container = level + 3, item  # two columns to the right of the dash
        elif key in container:
            return None
        container[key] = value
        if kind is None:
            waiting = key
    return root or None


def _lines(text: str) -> Iterator[str]:
    """The lines of a long text without a list of all of them: what is dropped at once stays in the processor's cache."""
    start = 0
    while True:
        end = text.find("\n", start + _BLOCK)
        if end < 0:
            yield from text[start:].split("\n")
            return
        yield from text[start:end].split("\n")
        start = end + 1


def _read(line: str) -> _Line | None:
    """What one line says; None for a blank one and a comment."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise _OtherLayoutError
    indent, dash, key, quoted, integer, plain, flow, *_ = found.groups()
    group = found.lastindex or 0
    level, is_item = 2 * len(indent) + (dash is not None), dash is not None
    if group == _QUOTED_GROUP and (key or is_item):
        return level, is_item, key, str, quoted
    if group == _FLOW_GROUP and (key or is_item):
        return level, is_item, key, dict, _flow_mapping(flow)
    if group == _PLAIN_GROUP and (key or is_item):
        return level, is_item, key, str, _WORDS.get(plain, plain)
    if group == _INTEGER_GROUP and (key or is_item):
        return level, is_item, key, str, int(integer)
    if group == _LIST_GROUP and key:
        return level, is_item, key, list, None
    if group < _QUOTED_GROUP and key:
        return level, is_item, key, None, None
    if dash or (group not in (1, _COMMENT_GROUP)) or key:
        raise _OtherLayoutError
    return None


def _flow_mapping(text: str) -> dict[str, Any]:
    value: dict[str, Any] = {}
    length = 0
    pairs = _PAIRS.findall(text)
    for key, quoted, integer, plain in pairs:
        if integer:
            value[key] = int(integer)
        elif plain:
            value[key] = _WORDS.get(plain, plain)
        else:
            value[key] = quoted
            length += 2
        length += len(key) + len(quoted) + len(integer) + len(plain)
    # Pairs end with ", ", the last with "}": the length leaves no room for anything else.
    if len(value) != len(pairs) or len(text) != 4 * len(pairs) + length:
        raise _OtherLayoutError
    return value
