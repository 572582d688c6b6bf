"""Names of contributors and assets, and the 32-byte ids that follow from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, TypeAlias

import msgspec
from eth_utils.address import to_checksum_address

from ame.encoding import account_id, check_address, is_account_id, named_id, to_bytes, to_hex
from ame.errors import InputError

MAX_NAME_LENGTH = 200
_PRINTABLE = re.compile(r"[!-~]+")
_PART = r"(?!\.\.?(?:/|\Z))[!-.0-\[\]-~]+"
_ASSET_ID = re.compile(rf"{_PART}(?:/{_PART})*")
# For msgspec: the texts of which `is_asset_id` is true.
AssetId: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=MAX_NAME_LENGTH, pattern=rf"^(?:{_ASSET_ID.pattern})\Z")
]
_NAMESPACE = re.compile(r"[a-z][a-z0-9.-]*")
_RAW = re.compile(r"id:(0x[0-9a-f]{64})")
_PKH = re.compile(r"did:pkh:eip155:[1-9][0-9]*:(0x[0-9a-fA-F]{40})")


def escaped(text: object) -> str:
    """`text` as printable ASCII: what looks like another letter, turns the direction or hides is shown as
    its code."""
    return ascii(str(text))[1:-1]


def check_name(name: object, what: str) -> str:
    """Refuse a name that another could be mistaken for: only printable ASCII without blanks (UTS 39, ASCII-
    only).

    Hugging Face, GitHub and DIDs use nothing else.
    """
    if not isinstance(name, str) or not name:
        raise InputError(f"{what}: expected a name, got {escaped(repr(name))}")
    if not _PRINTABLE.fullmatch(name):
        raise InputError(
            f"{what}: expected printable ASCII without blanks (letters that look alike are refused), "
            f"got '{escaped(name)[:MAX_NAME_LENGTH]}'"
        )
    if len(name) > MAX_NAME_LENGTH:
        raise InputError(f"{what}: expected at most {MAX_NAME_LENGTH} characters, got {len(name)}")
    return name


def check_path(path: object, what: str) -> str:
    """Refuse a path that could leave its folder: absolute, with `..`, a backslash, a drive or empty parts."""
    text = check_asset_id(path, what)
    if ":" in text.partition("/")[0]:
        raise InputError(f"{what}: expected a path inside its folder (a/b/c), got {text!r}")
    return text


def check_asset_id(name: object, what: str) -> str:
    """An asset id is a name whose parts between slashes lead nowhere else: `digits/zeros-and-ones`."""
    if isinstance(name, str) and is_asset_id(name):
        return name
    text = check_name(name, what)
    raise InputError(f"{what}: expected a/b/c without empty parts, `.`, `..` or backslash, got {text!r}")


def is_asset_id(name: str) -> bool:
    """Whether `check_asset_id` takes the text."""
    return len(name) <= MAX_NAME_LENGTH and _ASSET_ID.fullmatch(name) is not None


def namespace_of(name: str) -> str:
    """`hf` of `hf:alice`; InputError where there is none."""
    namespace, colon, rest = name.partition(":")
    if not colon or not rest or not _NAMESPACE.fullmatch(namespace):
        raise InputError(f"expected namespace:name such as hf:alice, got {name!r}")
    return namespace


def contributor_id(name: str, wallet: str | None, registrars: Mapping[str, str]) -> bytes:
    """Where a contributor's money waits: her wallet, the account of a did:pkh, or the id her registrar
    vouches for. `id:0x...` is a named id whose name is not known: one that came from the chain."""
    raw = _RAW.fullmatch(name)
    if raw:
        known = to_bytes(raw[1], 32, "id")
        if is_account_id(known) or wallet is not None:
            raise InputError("expected did:pkh or a wallet for an account, id:0x... only for a named id")
        return known
    pkh = _PKH.fullmatch(name)
    if pkh:
        address = check_address(pkh[1], "did:pkh")
        if wallet not in (None, address):
            raise InputError(f"expected the wallet of the did:pkh itself, got {wallet}")
        return account_id(address)
    if wallet is not None:
        return account_id(check_address(wallet, "wallet"))
    namespace = namespace_of(name)
    if namespace not in registrars:
        raise InputError(
            f"expected a wallet, or a registrar for the namespace {namespace!r} "
            f"(known: {', '.join(sorted(registrars)) or 'none'})"
        )
    return named_id(registrars[namespace], name)


def name_of_id(known: bytes, chain_id: int) -> str:
    """A name that says nothing but the id: for holders that the chain knows and no rights file names."""
    if is_account_id(known):
        return f"did:pkh:eip155:{chain_id}:{to_checksum_address(known[12:])}"
    return f"id:{to_hex(known)}"
