"""Turns the plain document of a rights file into records, and refuses whatever is unknown or doubled."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from sys import intern
from typing import Any, TypeAlias

import msgspec

from ame.encoding import account_id, check_address, keccak
from ame.errors import InputError
from ame.mapping import names
from ame.mapping.licenses import options
from ame.mapping.plain_assets import PlainAsset, PlainHolder
from ame.mapping.rights_records import (
    DEFAULT_POLICIES,
    FORMAT,
    KINDS,
    MAX_PER_ASSET,
    RELATIONS,
    SCOPES,
    WHOLE_PPM,
    AsOf,
    Asset,
    Contributor,
    Holding,
    Parent,
    Policy,
    Rights,
)
from ame.mapping.strict_yaml import FieldPath
from ame.records import DEFAULT_STAGES

_SHA256 = re.compile(r"[0-9a-f]{64}")
# Names without capitals cannot be mistaken for each other by case; length as in names.check_name.
_PLAIN_NAME = re.compile(r"([a-z][a-z0-9.-]{0,49}):[!-@\[-~]{1,149}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)")


def to_time(value: object) -> datetime:
    """An ISO 8601 time with its zone, in UTC. ValueError for dates, and times without zone."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError(f"expected a time with its zone such as 2026-01-01T00:00:00Z, got {_shown(value)}")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"expected a time of the years 1 to 9999 in UTC, got {value}") from error


class FieldError(Exception):
    """What is wrong with the field at `path`."""

    def __init__(self, path: FieldPath, message: str) -> None:
        super().__init__(message)
        self.path = path


def _shown(value: object) -> str:
    return names.escaped(repr(value))[:80]


_Fields: TypeAlias = dict[str, Any]
_TOP = {
    "format",
    "stages",
    "registrars",
    "contributors",
    "assets",
    "reserves",
    "policies",
    "escrow",
    "as_of",
}
_CONTRIBUTOR = {"name", "wallet"}
_ASSET = {
    "id",
    "stage",
    "sha256",
    "license",
    "parents",
    "holders",
    "path",
    "title",
    "credits",
    "contested",
}
_HOLDER = {"contributor", "reserve", "ppm", "from", "until"}
_PARENT = {"asset", "relation", "upstream_ppm", "scope"}
_ASSET_NEEDS, _HOLDER_NEEDS, _PARENT_NEEDS = {"id", "stage", "holders"}, {"ppm", "from"}, {"asset"}
_AS_OF = {"chain_id", "registry", "block"}
_RESERVE = {"name", "contributor"}


class Reader:
    """Turns the plain document into records; remembers nothing but what is needed to check references."""

    def __init__(self, document: Any, file: str, text: str) -> None:
        self.document, self.file, self.text = document, file, text
        self.times: dict[str, datetime] = {}
        # Most licences and holdings of a large file are the same as another's.
        self.licenses: set[str | None] = {None}
        self.holdings: dict[PlainHolder, Holding] = {}

    def read(self) -> Rights:
        document = self.fields(self.document, (), _TOP, {"format", "contributors", "assets"})
        if document["format"] != FORMAT:
            raise FieldError(("format",), f"expected {FORMAT}, got {_shown(document['format'])}")
        self.stages = self.read_stages(document)
        self.registrars = self.read_registrars(document.get("registrars"))
        # Popped, so that a million entries are let go of before the assets are read.
        self.contributors = self.read_contributors(document.pop("contributors"))
        self.reserves = self.read_reserves(document.get("reserves"))
        policies = self.read_policies(document.get("policies"))
        escrow = document.get("escrow")
        if escrow is not None:
            self.known(escrow, self.reserves, "reserve", ("escrow",))
        assets = self.read_assets(document["assets"])
        return Rights(
            self.stages,
            self.registrars,
            self.contributors,
            assets,
            self.reserves,
            policies,
            escrow,
            self.read_as_of(document.get("as_of")),
            self.file,
            self.text,
        )

    def read_as_of(self, value: Any) -> AsOf | None:
        if value is None:
            return None
        entry = self.fields(value, ("as_of",), _AS_OF, _AS_OF)
        for name in ("chain_id", "block"):
            if type(entry[name]) is not int or entry[name] < 0:
                raise FieldError(("as_of", name), f"expected a number, got {_shown(entry[name])}")
        address = self.checked(check_address, entry["registry"], ("as_of", "registry"))
        return AsOf(entry["chain_id"], address, entry["block"])

    def read_stages(self, document: _Fields) -> tuple[str, ...]:
        if "stages" not in document:
            return DEFAULT_STAGES
        stages = self.sequence(document["stages"], ("stages",))
        for index, stage in enumerate(stages):
            self.checked(names.check_name, stage, ("stages", index))
        if not 2 <= len(stages) <= 5 or len(set(stages)) != len(stages):
            raise FieldError(("stages",), f"expected 2 to 5 different stages, got {len(stages)}")
        return tuple(stages)

    def read_registrars(self, value: Any) -> dict[str, str]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise FieldError(("registrars",), f"expected namespace: address, got {_shown(value)}")
        result = {}
        for namespace, address in value.items():
            path = ("registrars", namespace)
            try:
                names.namespace_of(f"{namespace}:x")
                result[namespace] = self.checked(check_address, address, path)
            except InputError as error:
                raise FieldError(path, str(error)) from error
        return result

    def read_contributors(self, value: Any) -> dict[str, Contributor]:
        result: dict[str, Contributor] = {}
        folded: dict[str, str] = {}
        vouching = {
            namespace: account_id(address)
            for namespace, address in self.registrars.items()
            if namespace not in ("id", "did")
        }
        for index, item in enumerate(self.sequence(value, ("contributors",))):
            # Most of a million are a plain name and nothing else: the same as below in a third of the time.
            plain = item.get("name") if type(item) is dict and len(item) == 1 else None
            if type(plain) is str and plain not in result and plain not in folded:
                match = _PLAIN_NAME.fullmatch(plain)
                if match and match[1] in vouching:
                    known_as = keccak(vouching[match[1]] + keccak(plain.encode()))
                    result[plain] = Contributor(plain, None, known_as)
                    continue
            path: FieldPath = ("contributors", index)
            entry = self.fields(item, path, _CONTRIBUTOR, {"name"})
            name = self.checked(names.check_name, entry["name"], (*path, "name"))
            self.unique(name, result, folded, (*path, "name"))
            wallet = entry.get("wallet")
            try:
                if wallet is not None:
                    self.checked(check_address, wallet, (*path, "wallet"))
                known_as = names.contributor_id(name, wallet, self.registrars)
            except InputError as error:
                field_ = "wallet" if wallet is not None else "name"
                raise FieldError((*path, field_), str(error)) from error
            result[name] = Contributor(name, wallet, known_as)
        return result

    def read_reserves(self, value: Any) -> dict[str, str]:
        result: dict[str, str] = {}
        for index, item in enumerate(self.sequence(value or [], ("reserves",))):
            path: FieldPath = ("reserves", index)
            entry = self.fields(item, path, _RESERVE, _RESERVE)
            name = self.checked(names.check_name, entry["name"], (*path, "name"))
            self.unique(name, result, {}, (*path, "name"))
            self.known(entry["contributor"], self.contributors, "contributor", (*path, "contributor"))
            result[name] = entry["contributor"]
        return result

    def read_policies(self, value: Any) -> dict[str, Policy]:
        result = dict(DEFAULT_POLICIES)
        if value is None:
            return result
        if not isinstance(value, dict):
            raise FieldError(("policies",), f"expected kind: action, got {_shown(value)}")
        for kind, action in value.items():
            path: FieldPath = ("policies", kind)
            if kind not in KINDS:
                raise FieldError(path, f"unknown kind of conflict; known: {', '.join(KINDS)}")
            if action in ("warn", "refuse"):
                result[kind] = Policy(action)
            elif isinstance(action, dict) and set(action) == {"reserve"}:
                self.known(action["reserve"], self.reserves, "reserve", (*path, "reserve"))
                result[kind] = Policy("reserve", action["reserve"])
            else:
                raise FieldError(
                    path, f"expected warn, refuse or {{reserve: its name}}, got {_shown(action)}"
                )
        return result

    def read_assets(self, value: Any) -> dict[str, Asset]:
        result: dict[str, Asset] = {}
        items = self.sequence(value, ("assets",))
        for index, item in enumerate(items):
            items[index] = None  # let go of once it is read: the next records take its memory
            try:
                asset = self.read_asset(item)
                if asset.id in result:
                    raise FieldError(("id",), f"{asset.id!r} is given twice")
            except FieldError as error:
                raise FieldError(("assets", index, *error.path), str(error)) from error
            result[asset.id] = asset
        if len(set(map(str.casefold, result))) < len(result):
            folded: dict[str, str] = {}
            for index, name in enumerate(result):
                self.unique(name, {}, folded, ("assets", index, "id"))
        return result

    def read_asset(self, item: Any) -> Asset:
        """The paths of its errors start at the asset: few have any, and most of a file is assets."""
        try:
            plain = msgspec.convert(item, PlainAsset)
        except msgspec.ValidationError:
            return self.read_any_asset(item)
        if plain.stage not in self.stages:
            self.known(plain.stage, self.stages, "stage", ("stage",))
        if plain.license not in self.licenses:
            self.check_license(plain.license)
        if plain.parents:
            self.check_parents(plain.parents)
        try:
            holdings = tuple([self.holdings[holder] for holder in plain.holders])
        except KeyError:
            holdings = self.read_holders([msgspec.to_builtins(holder) for holder in plain.holders])
        return Asset(
            plain.id,
            intern(plain.stage),
            plain.sha256,
            plain.license and intern(plain.license),
            plain.parents,
            holdings,
            None,
            plain.title,
            plain.credits,
            plain.contested,
        )

    def read_any_asset(self, item: Any) -> Asset:
        """The same for what is no plain asset, with words for whatever is wrong."""
        entry = self.fields(item, (), _ASSET, _ASSET_NEEDS)
        get = entry.get
        asset, stage = entry["id"], entry["stage"]
        self.checked(names.check_asset_id, asset, ("id",))
        self.known(stage, self.stages, "stage", ("stage",))
        sha256, file_path, title, license_ = get("sha256"), get("path"), get("title"), get("license")
        if sha256 is not None and (not isinstance(sha256, str) or not _SHA256.fullmatch(sha256)):
            raise FieldError(("sha256",), f"expected 64 lower-case hex digits, got {_shown(sha256)}")
        if file_path is not None:
            self.checked(names.check_path, file_path, ("path",))
        if title is not None:
            self.check_text(title, ("title",))
        if license_ is not None:
            self.check_license(license_)
        contested = get("contested", False)
        if type(contested) is not bool:
            raise FieldError(("contested",), f"expected true or false, got {_shown(contested)}")
        credits_ = get("credits") or []
        if credits_ and not all(
            type(one) is str for one in self.sequence(credits_, ("credits",), MAX_PER_ASSET)
        ):
            raise FieldError(("credits",), f"expected asset ids, got {_shown(credits_)}")
        parents = get("parents")
        return Asset(
            asset,
            stage,
            sha256,
            license_,
            self.read_parents(parents) if parents else (),
            self.read_holders(entry["holders"]),
            file_path,
            title,
            tuple(credits_),
            contested,
        )

    def check_license(self, value: Any) -> None:
        self.check_text(value, ("license",))
        try:
            options(value)
        except InputError as error:
            raise FieldError(("license",), str(error)) from error
        self.licenses.add(value)

    def read_parents(self, value: Any) -> tuple[Parent, ...]:
        result: list[Parent] = []
        for index, item in enumerate(self.sequence(value, ("parents",), MAX_PER_ASSET)):
            if type(item) is str:
                result.append(Parent(item))
                continue
            where = ("parents", index)
            entry = self.fields(item, where, _PARENT, _PARENT_NEEDS)
            get = entry.get
            parent = Parent(
                entry["asset"], get("relation", "derived"), get("upstream_ppm", 0), get("scope", "relative")
            )
            self.known(parent.relation, RELATIONS, "relation", (*where, "relation"))
            self.known(parent.scope, SCOPES, "scope", (*where, "scope"))
            self.check_ppm(parent.upstream_ppm, 0, (*where, "upstream_ppm"))
            if type(parent.asset) is not str:
                raise FieldError((*where, "asset"), f"expected an asset's id, got {_shown(parent.asset)}")
            result.append(parent)
        self.check_parents(result)
        return tuple(result)

    def check_parents(self, parents: Collection[Parent]) -> None:
        if len({parent.asset for parent in parents}) < len(parents):
            raise FieldError(("parents",), "expected each parent once")
        relative = sum([parent.upstream_ppm for parent in parents if parent.scope == "relative"])
        if relative > WHOLE_PPM:
            raise FieldError(
                ("parents",),
                f"expected relative upstream shares of at most {WHOLE_PPM} ppm, got {relative}",
            )

    def read_holders(self, value: Any) -> tuple[Holding, ...]:
        result: list[Holding] = []
        for index, item in enumerate(self.sequence(value, ("holders",), MAX_PER_ASSET)):
            where = ("holders", index)
            entry = self.fields(item, where, _HOLDER, _HOLDER_NEEDS)
            if "reserve" in entry and "contributor" not in entry:
                self.known(entry["reserve"], self.reserves, "reserve", (*where, "reserve"))
                holder = self.reserves[entry["reserve"]]
            elif "contributor" in entry and "reserve" not in entry:
                holder = entry["contributor"]
                self.known(holder, self.contributors, "contributor", (*where, "contributor"))
            else:
                raise FieldError(where, "expected either a contributor or a reserve")
            self.check_ppm(entry["ppm"], 1, (*where, "ppm"))
            start = self.time(entry["from"], (*where, "from"))
            end = self.time(entry["until"], (*where, "until")) if "until" in entry else None
            if end is not None and end <= start:
                raise FieldError((*where, "until"), "expected a time after `from`")
            result.append(Holding(self.contributors[holder].name, entry["ppm"], start, end))
            self.holdings[msgspec.convert(entry, PlainHolder)] = result[-1]
        return tuple(result)

    def time(self, value: Any, path: FieldPath) -> datetime:
        if type(value) is str and value in self.times:  # thousands of holdings start at the same moment
            return self.times[value]
        try:
            time = to_time(value)
        except ValueError as error:
            raise FieldError(path, str(error)) from error
        self.times[value] = time
        return time

    def fields(self, value: Any, path: FieldPath, allowed: set[str], needed: set[str]) -> _Fields:
        if type(value) is not dict:
            raise FieldError(path, f"expected fields, got {_shown(value)}")
        if not value.keys() <= allowed:
            unknown = sorted(value.keys() - allowed)[0]
            raise FieldError((*path, unknown), f"unknown field; known: {', '.join(sorted(allowed))}")
        if not needed <= value.keys():
            raise FieldError(path, f"expected the field {sorted(needed - value.keys())[0]}")
        return value

    def sequence(self, value: Any, path: FieldPath, most: int | None = None) -> list[Any]:
        if type(value) is not list:
            raise FieldError(path, f"expected a list, got {_shown(value)}")
        if most is not None and len(value) > most:
            raise FieldError(path, f"expected at most {most} entries, got {len(value)}")
        return value

    def check_text(self, value: Any, path: FieldPath) -> None:
        if not isinstance(value, str) or not value or len(value) > 1000:
            raise FieldError(path, f"expected a text of 1 to 1000 letters, got {_shown(value)}")

    def check_ppm(self, value: Any, low: int, path: FieldPath) -> None:
        if type(value) is not int or not low <= value <= WHOLE_PPM:
            raise FieldError(path, f"expected an integer from {low} to {WHOLE_PPM}, got {_shown(value)}")

    def checked(self, check: Any, value: Any, path: FieldPath) -> str:
        try:
            return str(check(value, str(path[-1])))
        except InputError as error:
            raise FieldError(path, str(error).partition(": ")[2]) from error

    def known(self, value: Any, table: Any, what: str, path: FieldPath) -> None:
        if type(value) is str and value in table:
            return
        raise FieldError(path, f"unknown {what} {_shown(value)}; known: {_few(table)}")

    def unique(self, name: str, taken: Mapping[str, Any], folded: dict[str, str], path: FieldPath) -> None:
        if name in taken:
            raise FieldError(path, f"{name!r} is given twice")
        lower = name.casefold()
        other = folded.setdefault(lower, name)
        if lower != name and lower in taken:
            other = lower
        if other != name:
            raise FieldError(path, f"{name!r} could be mistaken for {other!r}: they differ in case only")


def _few(table: Iterable[str]) -> str:
    known = sorted(table)
    return ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "") or "none"
