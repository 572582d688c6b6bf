"""YAML and JSON from strangers, read strictly: no duplicate keys, aliases, tags or surprises, and errors
with their line.

Plain scalars follow YAML's JSON schema (1.2, section 10.2): null, true, false and integers; everything else
is text. So a
licence `no` stays text, `1_000` is no number, and a time keeps its zone until somebody parses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import yaml

from ame import bounded_json
from ame.errors import FileError
from ame.mapping import regular_yaml

Step: TypeAlias = str | int
FieldPath: TypeAlias = tuple[Step, ...]

MAX_DEPTH = 32
MAX_RIGHTS_BYTES = 256 * 2**20
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,77})")  # 78 digits hold a uint256
_WORDS = {"": None, "null": None, "~": None, "true": True, "false": False}
# Either loader gives the same events; libyaml's is ten times faster and is missing in a few builds of PyYAML.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_file(path: Path, max_bytes: int = MAX_RIGHTS_BYTES) -> str:
    """The UTF-8 text of a file of at most `max_bytes`; FileError otherwise."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:  # a device has no size and no end
            data = b"" if size > max_bytes else stream.read(max_bytes + 1)
        if size > max_bytes or len(data) > max_bytes:
            raise FileError(f"expected at most {max_bytes} bytes, got {max(size, len(data))}", file=path)
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise FileError(f"expected UTF-8 text: {error.reason}", file=path, line=line) from error
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", file=path) from error


def parse(text: str, file: object) -> Any:
    """Plain Python of one YAML document, or of JSON where the file's name ends in .json."""
    if str(file).endswith(".json"):
        return _parse_json(text, file)
    if text.startswith('{"'):  # JSON is YAML too, and read much faster: rights of a million holders
        try:
            return _parse_json(text, file)
        except FileError:
            pass  # a YAML flow mapping, or an error that YAML's reader describes with its line
    return parse_yaml(text, file)


def line_of(text: str, path: FieldPath) -> int | None:
    """The line (from 1) at which the field at `path` starts, or the nearest enclosing field that exists."""
    return lines_of(text, [path])[path]


def lines_of(text: str, paths: Iterable[FieldPath]) -> dict[FieldPath, int | None]:
    """The same for several fields, in one pass.

    Used only once something is wrong: lines of all fields would take more memory than the fields.
    """
    wanted = set(paths)
    missing = len(wanted)
    enclosing = {path[:length] for path in wanted for length in range(len(path) + 1)}
    line_at: dict[FieldPath, int] = {}
    try:
        for at, line in _walk(text):
            if at in enclosing and at not in line_at:
                line_at[at] = line
                missing -= at in wanted
                if not missing:
                    break
    except yaml.YAMLError:
        pass
    return {
        path: next(
            (line_at[path[:length]] for length in range(len(path), -1, -1) if path[:length] in line_at), None
        )
        for path in wanted
    }


def _parse_json(text: str, file: object) -> Any:
    try:
        return bounded_json.loads_unique(text)
    except (ValueError, RecursionError):
        pass  # read again, to say what is wrong, if anything is

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            names = [key for key, _ in pairs]
            key = next(name for name in names if names.count(name) > 1)
            raise _RepeatedError(key)
        return result

    def refuse(constant: str) -> NoReturn:
        raise FileError(f"expected JSON, got {constant}", file=file)

    try:
        return bounded_json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise FileError(f"expected JSON: {error.msg}", file=file, line=error.lineno) from error
    except _RepeatedError as error:
        line = next((line for path, line in _repeated(text) if path[-1] == error.key), None)
        raise FileError("the key is given twice", file=file, line=line, field=error.key) from error
    except RecursionError as error:
        raise FileError(f"expected at most {MAX_DEPTH} levels", file=file) from error
    except FileError:
        raise
    except ValueError as error:  # Python converts no number of more than 4,300 digits
        raise FileError("expected JSON without numbers of thousands of digits", file=file) from error


class _RepeatedError(ValueError):
    """A key that occurs twice in one JSON object."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def parse_yaml(text: str, file: object, first_line: int = 1) -> Any:
    """Plain Python of one YAML document, whose text starts at `first_line` of the file."""
    found = regular_yaml.parse(text)
    return parse_events(text, file, first_line) if found is None else found


def parse_events(text: str, file: object, first_line: int = 1) -> Any:
    """The same for any layout. One pass over the parser's events with a stack of our own, so that depth and
    aliases cannot hurt.
    """

    def fail(message: str, mark: Any, field: str | None = None) -> NoReturn:
        raise FileError(message, file=file, line=mark.line + first_line, field=field)

    root: Any = None
    documents = 0
    stack: list[tuple[Any, Any]] = []  # (container, key that waits for its value; for lists _LIST)
    container: Any = None
    key: Any = _NO_KEY
    try:
        event: Any
        for event in yaml.parse(text, Loader=_LOADER):
            kind = type(event)
            if kind is yaml.ScalarEvent:
                if event.tag is not None:
                    fail(f"expected plain data, got the tag {event.tag!r}", event.start_mark)
                if event.anchor is not None:
                    fail(f"anchors are not allowed: &{event.anchor}", event.start_mark)
                value = _scalar(event.value) if event.implicit[0] else event.value
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                if event.anchor is not None:
                    fail(f"anchors are not allowed: &{event.anchor}", event.start_mark)
                if event.tag is not None:
                    fail(f"expected plain data, got the tag {event.tag!r}", event.start_mark)
                if len(stack) >= MAX_DEPTH:
                    fail(f"expected at most {MAX_DEPTH} levels", event.start_mark)
                value = {} if kind is yaml.MappingStartEvent else []
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                container, key = stack.pop()
                continue
            elif kind is yaml.AliasEvent:
                fail(f"aliases are not allowed, write it out: *{event.anchor}", event.start_mark)
            else:
                if kind is yaml.DocumentStartEvent:
                    documents += 1
                    if documents > 1:
                        fail("expected one document", event.start_mark)
                continue

            if container is None:
                root = value
            elif key is _LIST:
                container.append(value)
            elif key is _NO_KEY:
                if type(value) is not str:
                    value = str(event.value) if kind is yaml.ScalarEvent else value
                    if type(value) is not str:
                        fail("expected text as a key", event.start_mark)
                if value in container:
                    fail("the key is given twice", event.start_mark, value)
                key = value
                continue
            else:
                container[key] = value
                key = _NO_KEY
            if type(value) is dict and kind is yaml.MappingStartEvent:
                stack.append((container, key))
                container, key = value, _NO_KEY
            elif type(value) is list and kind is yaml.SequenceStartEvent:
                stack.append((container, key))
                container, key = value, _LIST
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + first_line if error.problem_mark else None
        raise FileError(f"expected YAML: {error.problem or error.context}", file=file, line=line) from error
    except yaml.YAMLError as error:
        raise FileError(f"expected YAML: {error}", file=file) from error
    return root


_NO_KEY = object()
_LIST = object()


def _scalar(value: str) -> Any:
    if value in _WORDS:
        return _WORDS[value]
    return int(value) if _INTEGER.fullmatch(value) else value


def _walk(text: str) -> Iterator[tuple[FieldPath, int]]:
    """(path, line) of every value, in the order of the text; a mapping's value has the line of its key."""
    stack: list[list[Any]] = []  # [next list index or waiting key, is list]
    path: list[Step] = []
    event: Any
    for event in yaml.parse(text, Loader=_LOADER):
        kind = type(event)
        if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            stack.pop()
            if path:
                path.pop()
            continue
        if kind not in (yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent):
            continue
        line = event.start_mark.line + 1
        if not stack:
            yield (), line
        elif stack[-1][1]:
            path.append(stack[-1][0])
            stack[-1][0] += 1
            yield tuple(path), line
        elif stack[-1][0] is _NO_KEY:
            stack[-1][0] = (getattr(event, "value", ""), line)
            continue
        else:
            key, line = stack[-1][0]
            stack[-1][0] = _NO_KEY
            path.append(key)
            yield tuple(path), line
        if kind is yaml.ScalarEvent:
            if path:
                path.pop()
        else:
            stack.append([0, True] if kind is yaml.SequenceStartEvent else [_NO_KEY, False])


def _repeated(text: str) -> Iterator[tuple[FieldPath, int]]:
    seen: set[FieldPath] = set()
    for path, line in _walk(text):
        if path in seen:
            yield path, line
        seen.add(path)
