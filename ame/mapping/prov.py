"""PROV-JSON (W3C Submission 2013) of lineage and payments: what was made from what, by whom, and who was
paid for it.

Assets and payments are entities, contributors agents, the settlement an activity that used the measured
assets and generated the payments. Ids are the same in every settlement's document, so that documents of
several epochs can be joined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ame.encoding import to_hex
from ame.mapping.rights import Rights, holdings_at, parse_rights
from ame.records import Allocation

if TYPE_CHECKING:
    from ame.bundle import Bundle

NAMESPACE = "urn:ame:"


@dataclass(frozen=True)
class Payments:
    """What a settlement paid, and for what.

    name: of the settlement, as far as it is known. measured: asset -> weight. amounts: per stage, per line of the
    allocation, in base units; without them, payments carry only their weights.
    """

    allocation: Allocation
    name: str = "draft"
    measured: Mapping[str, int] = field(default_factory=dict)
    amounts: Sequence[Sequence[int]] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


def payments_of(bundle: Bundle, evidence: bytes) -> Payments:
    """The payments of a bundle; `evidence` is the SHA-256 of its manifest."""
    settlement, books = bundle.settlement, bundle.books
    amounts = []
    for lines, ledger, weights, amount in zip(
        bundle.allocation.lines, books.ledgers, books.weights, settlement.amounts, strict=True
    ):
        parts = weights.parts(amount)
        amounts.append([parts[ledger.index_of[line.contributor_id]] for line in lines])
    measured = {asset: weight for weights in bundle.shares.asset_weights for asset, weight in weights.items()}
    facts = {
        "ame:chain_id": str(settlement.chain_id),
        "ame:pool": settlement.pool,
        "ame:number": str(settlement.number),
        "ame:token": bundle.token.address,
        "ame:manifest_sha256": evidence.hex(),
    }
    name = f"{settlement.chain_id}/{settlement.pool}/{settlement.number}"
    return Payments(bundle.allocation, name, measured, amounts, facts)


def bundle_to_prov(bundle: Bundle, evidence: bytes) -> dict[str, Any]:
    """The PROV-JSON document of a bundle."""
    return to_prov(parse_rights(bundle.rights.decode()), payments_of(bundle, evidence), bundle.at)


def to_prov(rights: Rights, payments: Payments, at: datetime) -> dict[str, Any]:
    """A PROV-JSON document of the rights as of `at` and of the payments that followed from them."""
    time = at.isoformat().replace("+00:00", "Z")
    document = _lineage(rights, at)
    entities, attributed = document["entity"], document["wasAttributedTo"]
    settlement = f"ame:settlement/{payments.name}"
    document["activity"] = {settlement: {"prov:type": _type("settlement"), **payments.facts}}
    document["used"] = {
        f"_:u{index}": {
            "prov:activity": settlement,
            "prov:entity": _asset(asset),
            "ame:weight": str(weight),
        }
        for index, (asset, weight) in enumerate(sorted(payments.measured.items()))
    }
    generated = document["wasGeneratedBy"] = {}
    allocation, amounts = payments.allocation, payments.amounts
    name_of = {contributor.id: name for name, contributor in reversed([*rights.contributors.items()])}
    for number, (stage, lines) in enumerate(zip(allocation.stages, allocation.lines, strict=True)):
        for index, line in enumerate(lines):
            payment = f"ame:payment/{payments.name}/{stage}/{to_hex(line.contributor_id)}"
            entities[payment] = {
                "prov:type": _type("payment"),
                "ame:stage": stage,
                "ame:weight": str(line.weight),
                **({"ame:amount": str(amounts[number][index])} if amounts is not None else {}),
                "ame:reason": list(line.reasons),
            }
            generated[f"_:g{len(generated)}"] = {
                "prov:entity": payment,
                "prov:activity": settlement,
                "prov:time": time,
            }
            attributed[f"_:a{len(attributed)}"] = {
                "prov:entity": payment,
                "prov:agent": _contributor(name_of[line.contributor_id]),
            }
    return document


def _lineage(rights: Rights, at: datetime) -> dict[str, Any]:
    entities: dict[str, Any] = {}
    derived: dict[str, Any] = {}
    attributed: dict[str, Any] = {}
    for asset in rights.assets.values():
        entities[_asset(asset.id)] = {
            "prov:type": _type("asset"),
            "ame:stage": asset.stage,
            **({"ame:sha256": asset.sha256} if asset.sha256 else {}),
            **({"ame:license": asset.license} if asset.license else {}),
        }
        for parent in asset.parents:
            upstream = {"ame:upstream_ppm": parent.upstream_ppm, "ame:scope": parent.scope}
            derived[f"_:d{len(derived)}"] = {
                "prov:generatedEntity": _asset(asset.id),
                "prov:usedEntity": _asset(parent.asset),
                "ame:relation": parent.relation,
                **(upstream if parent.upstream_ppm else {}),
            }
        for holding in holdings_at(asset, at):
            attributed[f"_:a{len(attributed)}"] = {
                "prov:entity": _asset(asset.id),
                "prov:agent": _contributor(holding.contributor),
                "ame:ppm": holding.ppm,
            }
    agents = {
        _contributor(contributor.name): {
            "prov:type": _type("contributor"),
            "ame:contributor_id": to_hex(contributor.id),
        }
        for contributor in rights.contributors.values()
    }
    return {
        "prefix": {"ame": NAMESPACE},
        "entity": entities,
        "agent": agents,
        "wasDerivedFrom": derived,
        "wasAttributedTo": attributed,
    }


def _type(name: str) -> dict[str, str]:
    return {"$": f"ame:{name}", "type": "prov:QUALIFIED_NAME"}


def _asset(name: str) -> str:
    return f"ame:asset/{name}"


def _contributor(name: str) -> str:
    return f"ame:contributor/{name}"
