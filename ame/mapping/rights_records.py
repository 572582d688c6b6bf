"""What a rights file says, as records: contributors, assets, edges of the lineage, policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Annotated, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from ame.errors import FileError
from ame.mapping import graph, strict_yaml
from ame.mapping.strict_yaml import FieldPath

FORMAT = "ame-rights/1"
WHOLE_PPM = 10**6
Relation: TypeAlias = Literal["trained_on", "finetune", "adapter", "merge", "quantized", "derived"]
Scope: TypeAlias = Literal["relative", "absolute"]
RELATIONS: tuple[str, ...] = get_args(Relation)
SCOPES: tuple[str, ...] = get_args(Scope)
KINDS = (
    "noncommercial",
    "no-derivatives",
    "share-alike",
    "attribution",
    "use-restrictions",
    "unknown-license",
    "copy",
)
MAX_PER_ASSET = 10_000


class Contributor(NamedTuple):
    """A person or organisation that is paid; `id` is the account id of the wallet, or a named id."""

    name: str
    wallet: str | None
    id: bytes


class Holding(NamedTuple):
    """One holder's part of an asset, in ppm, from `start` until `end` (None: still)."""

    contributor: str
    ppm: int
    start: datetime
    end: datetime | None


class Parent(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """An edge of the lineage: the child was made from `asset`, whose holders get `upstream_ppm` of what the
    child earns. Its fields are those of the file, where msgspec checks what is given for them."""

    asset: str
    relation: Relation = "derived"
    upstream_ppm: Annotated[int, msgspec.Meta(ge=0, le=WHOLE_PPM)] = 0
    scope: Scope = "relative"


_ASSET_OF = attrgetter("asset")


class Asset(msgspec.Struct, frozen=True, gc=False):
    """One thing contributed in a stage. `license` is an SPDX expression or None where nobody said."""

    id: str
    stage: str
    sha256: str | None
    license: str | None
    parents: tuple[Parent, ...]
    holdings: tuple[Holding, ...]
    path: str | None = None
    title: str | None = None
    credits: tuple[str, ...] = ()
    contested: bool = False


class AsOf(NamedTuple):
    """The RightsRegistry and the block that the holders were read from."""

    chain_id: int
    registry: str
    block: int


class Policy(NamedTuple):
    """What a licence conflict does to the money: warn, refuse, or hold it in the named reserve."""

    action: str
    reserve: str | None = None


# Money moves, so what forbids selling or changing a work, or gives no known permission for it, stops the
# settlement unless the operator says otherwise.
DEFAULT_POLICIES: Mapping[str, Policy] = {
    "noncommercial": Policy("refuse"),
    "no-derivatives": Policy("refuse"),
    "share-alike": Policy("warn"),
    "attribution": Policy("warn"),
    "use-restrictions": Policy("warn"),
    "unknown-license": Policy("refuse"),
    "copy": Policy("refuse"),
}


@dataclass(frozen=True, eq=False)
class Rights:
    """What a rights file says. Compared by identity. `reserves` and `escrow`: reserve name -> contributor name."""

    stages: tuple[str, ...]
    registrars: Mapping[str, str]
    contributors: Mapping[str, Contributor]
    assets: Mapping[str, Asset]
    reserves: Mapping[str, str]
    policies: Mapping[str, Policy]
    escrow: str | None = None
    as_of: AsOf | None = None
    file: str = "rights"
    text: str = field(default="", repr=False)

    @cached_property
    def lineage(self) -> dict[str, tuple[str, ...]]:
        """Asset -> the assets that it was made from."""
        return {name: tuple(map(_ASSET_OF, asset.parents)) for name, asset in self.assets.items()}

    @cached_property
    def order(self) -> list[str]:
        """All assets, each after its parents. InputError where the lineage is a cycle."""
        return graph.parents_first(self.lineage)

    @cached_property
    def has_absolute_shares(self) -> bool:
        """Whether any edge carries an absolute upstream share."""
        return any(parent.scope == "absolute" for parents in self._paying.values() for parent in parents)

    @cached_property
    def paying_lineage(self) -> dict[str, tuple[str, ...]]:
        """The edges along which money, or a claim to an absolute share, can go up; assets without any are
        left out.
        """
        if self.has_absolute_shares:  # these climb along every edge, paid or not
            return self.lineage
        return {asset: tuple(parent.asset for parent in parents) for asset, parents in self._paying.items()}

    @cached_property
    def _paying(self) -> dict[str, list[Parent]]:
        """Asset -> its edges with an upstream share, where it has any."""
        found: dict[str, list[Parent]] = {}
        for asset in self.assets.values():
            for parent in asset.parents:
                if parent.upstream_ppm:
                    found.setdefault(asset.id, []).append(parent)
        return found

    def error(self, message: str, path: FieldPath) -> FileError:
        """An error about the field at `path`, with its line."""
        return FileError(
            message, file=self.file, line=strict_yaml.line_of(self.text, path), field=field_name(path)
        )

    def asset_error(self, asset: str, message: str) -> FileError:
        """An error about an asset, with its line."""
        index = next((index for index, known in enumerate(self.assets) if known == asset), 0)
        return self.error(f"asset {asset}: {message}", ("assets", index))


def field_name(path: FieldPath) -> str:
    """`assets[3].holders[0].ppm`"""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def holdings_at(asset: Asset, at: datetime) -> tuple[Holding, ...]:
    """The split at a time, in the order of the file; empty where nobody holds the asset then."""
    return tuple(
        [
            holding
            for holding in asset.holdings
            if holding.start <= at and (holding.end is None or at < holding.end)
        ]
    )


def holders_of(asset: Asset) -> frozenset[str]:
    """Everybody who ever holds a part of the asset."""
    return frozenset(holding.contributor for holding in asset.holdings)


class Copy(NamedTuple):
    """`asset` has the content of `other`, which stands before it in the file."""

    asset: str
    other: str
    same_holders: bool


def copies(rights: Rights) -> list[Copy]:
    """Assets with the content hash of an earlier one, where neither is marked contested."""
    first: dict[str, str] = {}
    found = []
    for asset in rights.assets.values():
        if asset.sha256 is None or asset.contested:
            continue
        other = first.setdefault(asset.sha256, asset.id)
        if other != asset.id:
            found.append(Copy(asset.id, other, holders_of(rights.assets[other]) == holders_of(asset)))
    return found
