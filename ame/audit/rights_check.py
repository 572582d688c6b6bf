"""Are the holders those of the RightsRegistry, at the block that the rights file names?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ame.audit.case import Case, differ, same
from ame.audit.code import difference
from ame.audit.facts import ChainFacts
from ame.audit.reading import decoded
from ame.encoding import to_hex
from ame.errors import AmeError, CannotTell, InputError
from ame.mapping.registration import Part, RegistryFacts, Standing
from ame.mapping.rights import WHOLE_PPM, Asset, Rights, parse_rights

if TYPE_CHECKING:
    from ame.execution.chain import Chain


def with_rights(facts: ChainFacts, chain: Chain, folder: Path) -> ChainFacts:
    """The facts, and what the registry that a bundle's rights name says as of their block.

    A bundle that cannot be read leaves the facts as they are: other checks say what is wrong with it.
    """
    from ame.mapping.publishing import read_published

    try:
        text = (folder / "rights.yaml").read_text(encoding="utf-8")
        if "as_of" not in text:  # no need to parse a million holders twice
            return facts
        rights = parse_rights(text)
    except (AmeError, OSError, UnicodeDecodeError):
        return facts
    try:
        return replace(facts, rights=read_published(chain, rights))
    except AmeError:
        return facts


def rights(case: Case) -> str:
    """Where the rights name a block, every asset's holders are those of the RightsRegistry at that block."""
    file: Rights = decoded(lambda: case.contents.rights)
    if file.as_of is None:
        return "not applicable, the rights name no registry: holders are as the operator publishes them"
    found, as_of = case.facts.rights, file.as_of
    same(case.facts.chain_id, as_of.chain_id, "rights.yaml: as_of.chain_id")
    if found is None or found.as_of != as_of:
        raise CannotTell(f"the RightsRegistry was not read as of block {as_of.block}")
    if case.proposal.block < as_of.block:
        differ(f"at most {case.proposal.block}, the proposal's", as_of.block, "rights.yaml: as_of.block")
    last_sale = max((record.time for record in decoded(lambda: case.contents.usage)), default=found.time)
    if found.time < last_sale:  # whoever bought a part between the two would not be paid
        differ(
            f"a block of {last_sale.isoformat()}, the last sale, or later",
            f"block {as_of.block} of {found.time.isoformat()}",
            "rights.yaml: as_of.block",
        )
    _check_registry(case, found)
    if isinstance(found.problem, InputError):
        differ("the registered terms", found.problem, "rights.yaml")
    if found.problem is not None:
        raise CannotTell(str(found.problem))
    for asset in file.assets.values():
        if asset.id not in found.standings:
            differ("an asset that is registered", "none", f"rights.yaml: {asset.id}")
        _check_holders(file, asset, found.standings[asset.id])
    return f"holders of {len(file.assets)} assets are those of block {as_of.block}"


def _check_registry(case: Case, found: RegistryFacts) -> None:
    where = f"RightsRegistry {found.as_of.registry}"
    shipped = case.facts.builds.get("RightsRegistry")
    if shipped is None:
        raise CannotTell("the shipped build of the RightsRegistry is not at hand")
    difference_ = difference(found.code, shipped)
    if difference_ is not None:
        differ("the shipped build", difference_, where)
    same(case.facts.terms.registry, found.contributors, f"{where}: its ContributorRegistry")


def _check_holders(file: Rights, asset: Asset, standing: Standing) -> None:
    split = standing.split or (Part(standing.escrow_id, WHOLE_PPM),)
    expected = sorted((to_hex(part.contributor_id), part.ppm, standing.since, None) for part in split)
    holders = sorted(
        (to_hex(file.contributors[one.contributor].id), one.ppm, one.start, one.end) for one in asset.holdings
    )
    same(_told(expected), _told(holders), f"rights.yaml: holders of {asset.id}")


def _told(holders: Sequence[tuple[str, int, datetime, datetime | None]]) -> str:
    return ", ".join(
        f"{known} {ppm} ppm from {start}" + (f" until {end}" if end else "")
        for known, ppm, start, end in holders
    )
