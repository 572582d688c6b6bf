"""A rights file and the RightsRegistry: what is registered of each asset, and the file that the chain's
answers make.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from eth_abi.abi import encode

from ame.encoding import account_id, keccak
from ame.errors import AmeError, InputError
from ame.mapping.names import name_of_id
from ame.mapping.rights import WHOLE_PPM, AsOf, Asset, Rights, holdings_at

_ASSET_TYPE = "(bytes32,bytes32,bytes32,bytes32[],(bytes32,uint32)[])"


class Part(NamedTuple):
    """Twin of Part in contracts/interfaces/IRightsRegistry.sol."""

    contributor_id: bytes
    ppm: int


class RegisteredAsset(NamedTuple):
    """Twin of Asset in contracts/interfaces/IRightsRegistry.sol."""

    content_hash: bytes
    stage_hash: bytes
    license_hash: bytes
    parents: tuple[bytes, ...]
    split: tuple[Part, ...]


class Standing(NamedTuple):
    """What the chain says of a content at a block. `split` of the asset that counts; None while it is
    contested. `stranger`: who registered it, where the file's holders never held it as the file says.
    """

    split: tuple[Part, ...] | None
    escrow_id: bytes
    since: datetime
    stranger: str | None = None


class RegistryFacts(NamedTuple):
    """What the chain says of a RightsRegistry as of a block, for the assets of one rights file. `time`: the block's.

    `contributors`: the ContributorRegistry whose holders pass on parts. `problem`: why standings could not be read.
    """

    as_of: AsOf
    time: datetime
    code: bytes
    contributors: str
    standings: Mapping[str, Standing]
    problem: AmeError | None = None


def asset_hash(asset: RegisteredAsset) -> bytes:
    """keccak256(abi.encode(Asset)): the one word that the registry stores."""
    return keccak(encode([_ASSET_TYPE], [asset]))


def asset_id(registrant: str, content_hash: bytes) -> bytes:
    """keccak256(abi.encode(registrant, contentHash))."""
    return keccak(account_id(registrant) + content_hash)


def content_hash(asset: Asset) -> bytes:
    """The asset's SHA-256; what has no content (undeclared data) is registered under the SHA-256 of its
    name.
    """
    if asset.sha256 is not None:
        return bytes.fromhex(asset.sha256)
    return hash_of_name(asset.id)


def hash_of_name(name: str) -> bytes:
    """What an asset without content is registered under."""
    return hashlib.sha256(f"ame-asset:{name}".encode()).digest()


def to_terms(asset: Asset) -> tuple[bytes, bytes]:
    """Hashes of what a registration says for good: stage and licence."""
    return keccak(asset.stage.encode()), keccak((asset.license or "").encode())


def to_registered(
    asset: Asset, rights: Rights, parent_ids: Mapping[str, bytes], at: datetime
) -> RegisteredAsset:
    """What is registered of an asset, with its split at a time. InputError where nobody holds it then."""
    split = split_at(asset, rights, at)
    if not split:
        raise rights.asset_error(asset.id, f"nobody holds it at {at.isoformat()}")
    return RegisteredAsset(
        content_hash(asset),
        *to_terms(asset),
        tuple(sorted({parent_ids[parent.asset] for parent in asset.parents})),
        split,
    )


def split_at(asset: Asset, rights: Rights, at: datetime) -> tuple[Part, ...]:
    """Who holds an asset at a time as the file says, by id; empty where nobody does."""
    parts: dict[bytes, int] = {}
    for holding in holdings_at(asset, at):
        holder = rights.contributors[holding.contributor].id
        parts[holder] = parts.get(holder, 0) + holding.ppm
    return tuple(Part(*part) for part in sorted(parts.items()))


def is_filed(asset: Asset, rights: Rights, at: datetime, splits: Iterable[tuple[Part, ...]]) -> bool:
    """Whether the holders that the file says at a time ever held an asset so: what they passed on since is their will.

    splits: what was registered, and each change. Anybody can register content first, with a split of his own.
    """
    first = min(holding.start for holding in asset.holdings)
    return split_at(asset, rights, max(at, first)) in splits


def check_accepted(rights: Rights, accepted: Iterable[str]) -> None:
    """InputError where an asset is accepted that the file does not name."""
    for name in accepted:
        if name not in rights.assets:
            raise InputError(f"--accept: expected an asset of {rights.file}, got {name!r}")


def document_as_of(
    document: Mapping[str, Any],
    rights: Rights,
    standings: Mapping[str, Standing],
    as_of: AsOf,
    accepted: Collection[str] = (),
) -> dict[str, Any]:
    """The rights file `document` with the holders that the chain says: asset id in the file -> its standing.

    A contested asset is held by its escrow id. Holders whose names no file knows appear under their ids.
    InputError where an asset has no standing, or that of a stranger and is not `accepted`.
    """
    check_accepted(rights, accepted)
    name_by_id: dict[bytes, str] = {}
    for contributor in rights.contributors.values():
        name_by_id.setdefault(contributor.id, contributor.name)
    contributors = list(document["contributors"])

    def name(known: bytes) -> str:
        if known not in name_by_id:
            name_by_id[known] = name_of_id(known, as_of.chain_id)
            contributors.append({"name": name_by_id[known]})
        return name_by_id[known]

    assets = []
    for asset in document["assets"]:
        if asset["id"] not in standings:
            raise InputError(
                f"{rights.file}: expected the asset {asset['id']!r} in the registry at block {as_of.block}"
            )
        standing = standings[asset["id"]]
        if standing.stranger is not None and asset["id"] not in accepted:
            raise rights.asset_error(
                asset["id"],
                f"is registered by {standing.stranger} with other holders than the file's; "
                f"name its holders as they are, contest it, or accept them with --accept {asset['id']}",
            )
        split = standing.split or (Part(standing.escrow_id, WHOLE_PPM),)
        since = standing.since.isoformat().replace("+00:00", "Z")
        holders = [
            {"contributor": name(part.contributor_id), "ppm": part.ppm, "from": since} for part in split
        ]
        assets.append({**asset, "holders": holders})
    return {**document, "as_of": as_of._asdict(), "contributors": contributors, "assets": assets}
