"""PROV-JSON (W3C Submission 2013) of lineage and payments: what was made from what, by whom, and who was
paid for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ame.encoding import to_hex
from ame.mapping.rights import Rights, holdings_at
from ame.records import Allocation

NAMESPACE = "urn:ame:"


def to_prov(
    rights: Rights, allocation: Allocation, at: datetime, amounts: Sequence[Sequence[int]] | None = None
) -> dict[str, Any]:
    """A PROV-JSON document. Assets and payments are entities, contributors agents, the settlement an
    activity.

    amounts: per stage, per line of the allocation, in base units; without them, payments carry only their
    weights.
    """
    time = at.isoformat().replace("+00:00", "Z")
    entities: dict[str, Any] = {}
    agents: dict[str, Any] = {}
    derived: dict[str, Any] = {}
    attributed: dict[str, Any] = {}
    generated: dict[str, Any] = {}
    for asset in rights.assets.values():
        entities[_asset(asset.id)] = {
            "prov:type": "ame:asset",
            "ame:stage": asset.stage,
            **({"ame:sha256": asset.sha256} if asset.sha256 else {}),
            **({"ame:license": asset.license} if asset.license else {}),
        }
        for parent in asset.parents:
            derived[f"_:d{len(derived)}"] = {
                "prov:generatedEntity": _asset(asset.id),
                "prov:usedEntity": _asset(parent.asset),
                "ame:relation": parent.relation,
                **(
                    {"ame:upstream_ppm": parent.upstream_ppm, "ame:scope": parent.scope}
                    if parent.upstream_ppm
                    else {}
                ),
            }
        for holding in holdings_at(asset, at):
            attributed[f"_:a{len(attributed)}"] = {
                "prov:entity": _asset(asset.id),
                "prov:agent": _contributor(holding.contributor),
                "ame:ppm": holding.ppm,
            }
    for contributor in rights.contributors.values():
        agents[_contributor(contributor.name)] = {
            "prov:type": "ame:contributor",
            "ame:contributor_id": to_hex(contributor.id),
        }
    for number, (stage, lines) in enumerate(zip(allocation.stages, allocation.lines, strict=True)):
        for index, line in enumerate(lines):
            payment = f"ame:payment/{stage}/{to_hex(line.contributor_id)}"
            entities[payment] = {
                "prov:type": "ame:payment",
                "ame:stage": stage,
                "ame:weight": str(line.weight),
                **({"ame:amount": str(amounts[number][index])} if amounts is not None else {}),
                "ame:reasons": list(line.reasons),
            }
            generated[f"_:g{len(generated)}"] = {
                "prov:entity": payment,
                "prov:activity": "ame:settlement",
                "prov:time": time,
            }
            attributed[f"_:a{len(attributed)}"] = {
                "prov:entity": payment,
                "prov:agent": _contributor(allocation.names[line.contributor_id]),
            }
    return {
        "prefix": {"ame": NAMESPACE},
        "entity": entities,
        "agent": agents,
        "activity": {"ame:settlement": {"prov:endTime": time}},
        "wasDerivedFrom": derived,
        "wasAttributedTo": attributed,
        "wasGeneratedBy": generated,
    }


def _asset(name: str) -> str:
    return f"ame:asset/{name}"


def _contributor(name: str) -> str:
    return f"ame:contributor/{name}"
