"""Licences: what cards call them, as SPDX expressions, and what they ask of those who use the work."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from ame.errors import InputError
from ame.mapping import license_kinds

# Tags of the Hub (huggingface.co/docs/hub/repositories-licenses) that are no SPDX identifiers, or whose version SPDX
# names differently. Every tag of that page is read by tests/mapping/test_licenses.py.
HUGGING_FACE_TAGS = {
    "afl-3.0": "AFL-3.0",
    "bigcode-openrail-m": "LicenseRef-bigcode-openrail-m",
    "bigscience-bloom-rail-1.0": "LicenseRef-bigscience-bloom-rail-1.0",
    "bigscience-openrail-m": "LicenseRef-bigscience-openrail-m",
    "cc": "LicenseRef-cc",
    "creativeml-openrail-m": "LicenseRef-creativeml-openrail-m",
    "deepfloyd-if-license": "LicenseRef-deepfloyd-if-license",
    "deepseek": "LicenseRef-deepseek",
    "fair-noncommercial-research-license": "LicenseRef-fair-noncommercial-research-license",
    "apple-ascl": "LicenseRef-apple-ascl",
    "apple-amlr": "LicenseRef-apple-amlr",
    "etalab-2.0": "etalab-2.0",
    "gemma": "LicenseRef-gemma",
    "gfdl": "GFDL-1.3-or-later",
    "gpl": "GPL-1.0-or-later",
    "gpl-2.0": "GPL-2.0-only",
    "gpl-3.0": "GPL-3.0-only",
    "agpl-3.0": "AGPL-3.0-only",
    "lgpl": "LGPL-2.0-or-later",
    "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-3.0": "LGPL-3.0-only",
    "lgpl-lr": "LGPLLR",
    "bsd": "BSD-3-Clause",
    "llama2": "LicenseRef-llama2",
    "llama3": "LicenseRef-llama3",
    "llama3.1": "LicenseRef-llama3.1",
    "llama3.2": "LicenseRef-llama3.2",
    "llama3.3": "LicenseRef-llama3.3",
    "llama4": "LicenseRef-llama4",
    "openrail": "LicenseRef-openrail",
    "openrail++": "LicenseRef-openrail-plus-plus",
    "open-mdw": "LicenseRef-open-mdw",
    "odbl": "ODbL-1.0",
    "odc-by": "ODC-By-1.0",
    "pddl": "PDDL-1.0",
    "h-research": "LicenseRef-h-research",
    "intel-research": "LicenseRef-intel-research",
    "c-uda": "C-UDA-1.0",
    "tii-falcon-llm": "LicenseRef-tii-falcon-llm",
}
# Prefix of what a card calls its licence where nobody knows it; never one of the names in _REFS.
UNKNOWN_REF = "LicenseRef-unknown"
MAX_EXPRESSION_LENGTH = 1000
# Said, but saying nothing.
NOT_DECLARED = {"unknown", "other", "noassertion", "none", ""}

_NC, _ND, _SA, _BY, _USE = "noncommercial", "no-derivatives", "share-alike", "attribution", "use-restrictions"
_REFS: dict[str, frozenset[str]] = {
    # The holders agree to commercial use and derivatives by those who pay them through AME.
    "LicenseRef-ame-consent": frozenset(),
    "LicenseRef-bigcode-openrail-m": frozenset({_USE, _BY}),
    "LicenseRef-bigscience-bloom-rail-1.0": frozenset({_USE, _BY}),
    "LicenseRef-bigscience-openrail-m": frozenset({_USE, _BY}),
    "LicenseRef-creativeml-openrail-m": frozenset({_USE, _BY}),
    "LicenseRef-openrail": frozenset({_USE, _BY}),
    "LicenseRef-openrail-plus-plus": frozenset({_USE, _BY}),
    "LicenseRef-deepseek": frozenset({_USE, _BY}),
    "LicenseRef-gemma": frozenset({_USE, _BY}),
    "LicenseRef-llama2": frozenset({_USE, _BY}),
    "LicenseRef-llama3": frozenset({_USE, _BY}),
    "LicenseRef-llama3.1": frozenset({_USE, _BY}),
    "LicenseRef-llama3.2": frozenset({_USE, _BY}),
    "LicenseRef-llama3.3": frozenset({_USE, _BY}),
    "LicenseRef-llama4": frozenset({_USE, _BY}),
    "LicenseRef-tii-falcon-llm": frozenset({_USE, _BY}),
    "LicenseRef-open-mdw": frozenset({_BY}),
    "LicenseRef-deepfloyd-if-license": frozenset({_NC, _USE}),
    "LicenseRef-fair-noncommercial-research-license": frozenset({_NC, _USE, _BY}),
    "LicenseRef-h-research": frozenset({_NC}),
    "LicenseRef-intel-research": frozenset({_NC, _USE}),
    "LicenseRef-apple-ascl": frozenset({_BY}),
    "LicenseRef-apple-amlr": frozenset({_NC, _USE, _BY}),
}
_NO_ASK = ("CC0-", "Unlicense", "0BSD", "PDDL-", "WTFPL", "CC-PDDC", "MIT-0", "CDLA-Permissive-2.0")
_REF = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")  # SPDX 2.3, annex D
_COPYLEFT = (
    "GPL-",
    "AGPL-",
    "LGPL-",
    "EUPL-",
    "OSL-",
    "MPL-",
    "EPL-",
    "ODbL-",
    "GFDL-",
    "CDLA-Sharing-",
    "CECILL-2",
    "MS-RL",
)
# A work under the first may be passed on under the second: CC BY-SA 4.0's compatible licences (GPLv3), and what the
# GNU licences say themselves (LGPL to GPL; GPLv3 section 13). Otherwise only the same family.
_ONE_WAY = {
    ("CC-BY-SA-4", "GPL-3"),
    ("LGPL-2", "GPL-2"),
    ("LGPL-2", "GPL-3"),
    ("LGPL-3", "GPL-3"),
    ("GPL-3", "AGPL-3"),
}


class Terms(NamedTuple):
    """What one way of accepting a licence asks: kinds of restriction, and by which licence each share-
    alike."""

    kinds: frozenset[str]
    licenses: frozenset[str]

    asks: tuple[tuple[str, str], ...] = ()  # each (kind, licence that asks for it), sorted


NO_ASSERTION = "NOASSERTION"
_UNKNOWN_KINDS = frozenset({"unknown-license"})
UNKNOWN = Terms(_UNKNOWN_KINDS, frozenset({NO_ASSERTION}), (("unknown-license", NO_ASSERTION),))


@cache
def _licensing() -> Any:
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


@cache
def _key_of() -> dict[str, str]:
    return {key.lower(): key for key in _licensing().known_symbols}


@cache
def to_spdx(tag: str) -> str | None:
    """A card's licence tag as an SPDX expression; None where it declares nothing. InputError where nobody
    knows it."""
    if tag.strip().lower() in NOT_DECLARED:
        return None
    if tag.strip().lower() in HUGGING_FACE_TAGS:
        return HUGGING_FACE_TAGS[tag.strip().lower()]
    return str(_parsed(tag))


def is_known(expression: str) -> bool:
    """Whether one way to accept the expression is known: what it asks."""
    return options(expression)[0].kinds.isdisjoint(_UNKNOWN_KINDS)


def unknown_ref(tag: str) -> str:
    """A licence that nobody knows, under the name that its card gives it: `LicenseRef-unknown-acme-1.0`."""
    name = re.sub(r"[^A-Za-z0-9.]+", "-", ascii(tag.strip())[1:-1][:80]).strip("-.")
    return f"{UNKNOWN_REF}-{name}" if name else UNKNOWN_REF


def all_of(expressions: Iterable[str]) -> str:
    """One SPDX expression that asks for all of them."""
    parts = sorted(set(expressions))
    if len(parts) == 1:
        return parts[0]
    return str(_licensing().parse(" AND ".join(f"({part})" for part in parts)))


@cache
def options(expression: str | None) -> tuple[Terms, ...]:
    """Every way to accept an SPDX expression (each side of an OR is one), the least demanding first.

    InputError for an expression that SPDX cannot read or whose licences nobody knows.
    """
    if expression is None or expression.upper() in (NO_ASSERTION, "NONE"):
        return (UNKNOWN,)
    found = [
        terms._replace(asks=tuple(sorted((kind, key) for key in terms.licenses for kind in kinds_of(key))))
        for terms in _options(_parsed(expression))
    ]
    return tuple(sorted(found, key=lambda terms: (len(terms.kinds), sorted(terms.kinds))))


def _parsed(expression: str) -> Any:
    """The tree of an expression whose every licence is known; LicenseRef- names are taken as they are."""
    if len(expression) > MAX_EXPRESSION_LENGTH:
        raise InputError(f"expected a licence of at most {MAX_EXPRESSION_LENGTH} characters")
    try:
        tree = _licensing().parse(expression)
    except (
        Exception
    ) as error:  # of a dozen kinds for words without sense, assertions too: "mit ()" and the like
        raise InputError(f"expected an SPDX expression, got {ascii(expression)[:80]}") from error
    if tree is None:
        raise InputError("expected an SPDX expression, got nothing")
    unknown = sorted(
        key
        for key in _licensing().license_keys(tree)
        if key.lower() not in _key_of() and not _REF.fullmatch(key)
    )
    if unknown:
        raise InputError(
            f"unknown licence {', '.join(map(ascii, unknown))[:80]}; expected SPDX identifiers, or LicenseRef-..."
        )
    return tree


def _options(tree: Any) -> list[Terms]:
    kind = type(tree).__name__
    if kind == "OR":
        return [option for side in tree.args for option in _options(side)]
    if kind == "AND":
        result = [Terms(frozenset(), frozenset())]
        for side in tree.args:
            result = [
                Terms(one.kinds | other.kinds, one.licenses | other.licenses)
                for one in result
                for other in _options(side)
            ]
            if len(result) > 64:
                raise InputError("expected a licence expression with at most 64 alternatives")
        return result
    symbol = getattr(tree, "license_symbol", tree)  # GPL-2.0-only WITH Classpath-exception-2.0: as without
    key = _key_of().get(symbol.key.lower(), symbol.key)
    return [Terms(kinds_of(key), frozenset({key}))]


def kinds_of(key: str) -> frozenset[str]:
    """The restrictions of one licence."""
    if key in _REFS:
        return _REFS[key]
    if key == NO_ASSERTION or key.startswith("LicenseRef-"):
        return _UNKNOWN_KINDS
    if key.startswith(_NO_ASK) or key in license_kinds.ASKS_NOTHING:
        return frozenset()
    found = {_BY}
    if re.search(r"-NC\b|Noncommercial|NonCommercial", key) or key in license_kinds.NONCOMMERCIAL:
        found.add(_NC)
    if re.search(r"-ND\b", key):
        found.add(_ND)
    if key.startswith(_COPYLEFT) or re.match(r"CC-.*-SA\b", key) or key in license_kinds.SHARE_ALIKE:
        found.add(_SA)
    if key in license_kinds.USE_RESTRICTIONS:
        found.add(_USE)
    return frozenset(found)


@cache
def family(key: str) -> str:
    """The licence without its minor version and `-only`: CC-BY-SA-4, GPL-3."""
    match = re.match(r"(.*?-\d+)(\.\d+)*", key)
    return match[1] if match else key


@cache
def may_follow(key: str, child: str) -> bool:
    """Whether a work under the share-alike licence `key` may be passed on under `child`."""
    one, other = family(key), family(child)
    if one == other or (one, other) in _ONE_WAY:
        return True
    stem, _, version = one.rpartition("-")
    same = other.rpartition("-")[0] == stem
    # CC licences allow later versions of themselves, GNU ones where they say so.
    return (
        same and (stem.startswith("CC-") or key.endswith("-or-later")) and other.rpartition("-")[2] >= version
    )
