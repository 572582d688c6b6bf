"""ERC-7730 descriptors: what wallets say instead of hex, for every EIP-712 message of the contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ame.encoding import MESSAGE_TYPES

SCHEMA = "https://eips.ethereum.org/assets/eip-7730/erc7730-v1.schema.json"
# Nonces are the contract's business: nobody decides by them.
HIDDEN = ("nonce",)

Deployments = Mapping[str, Sequence[tuple[int, str]]]  # by domain name: chain id and address


class Words(NamedTuple):
    """How a message is announced (30 letters fit on small screens), and a label for each field (20 letters)."""

    file: str
    intent: str
    labels: Mapping[str, str]


WORDS = {
    "Vouch": Words(
        "vouch",
        "Vouch for the holder of a name",
        {
            "externalIdHash": "Hash of the name",
            "holder": "Belongs to",
            "recoverySeconds": "Recovery after",
            "deadline": "Good until",
        },
    ),
    "Bind": Words(
        "bind",
        "Bind a name to your wallet",
        {
            "contributorId": "Contributor id",
            "holder": "Your wallet",
            "payout": "Paid to",
            "recoverySeconds": "Recovery after",
            "deadline": "Good until",
        },
    ),
    "SetPayout": Words(
        "set-payout",
        "Change where you are paid",
        {"contributorId": "Contributor id", "payout": "Paid to", "deadline": "Good until"},
    ),
    "ClaimTo": Words(
        "claim-to",
        "Let anybody send your claim",
        {"contributorId": "Contributor id", "recipient": "Paid to", "deadline": "Good until"},
    ),
    "Settle": Words(
        "settle",
        "Agree whose work it is",
        {
            "contentHash": "Hash of the work",
            "assetId": "The one that counts",
            "registrations": "Out of how many",
            "deadline": "Good until",
        },
    ),
}
_DOMAIN = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


def descriptors(owner: str, url: str, deployments: Deployments) -> dict[str, dict[str, Any]]:
    """File name -> descriptor, for each message of the domains in `deployments`.

    `owner` and `url` are the operator's: wallets show who stands behind the contracts.
    """
    return {
        f"eip712-ame-{WORDS[primary].file}.json": _descriptor(domain, primary, fields, owner, url, places)
        for domain, places in deployments.items()
        for primary, fields in MESSAGE_TYPES[domain].items()
    }


def _descriptor(
    domain: str, primary: str, fields: str, owner: str, url: str, places: Sequence[tuple[int, str]]
) -> dict[str, Any]:
    types = [{"name": name, "type": kind} for kind, name in (part.split(" ") for part in fields.split(","))]
    shown = [field["name"] for field in types if field["name"] not in HIDDEN]
    hidden = [field["name"] for field in types if field["name"] in HIDDEN]
    words = WORDS[primary]
    display = {
        "intent": words.intent,
        "fields": [_field(field["name"], field["type"], words) for field in types if field["name"] in shown],
        "required": shown,
    }
    return {
        "$schema": SCHEMA,
        "context": {
            "$id": domain,
            "eip712": {
                "deployments": [{"chainId": chain, "address": address} for chain, address in places],
                "domain": {"name": domain, "version": "1"},
                "schemas": [{"primaryType": primary, "types": {"EIP712Domain": _DOMAIN, primary: types}}],
            },
        },
        "metadata": {"owner": owner, "info": {"legalName": owner, "url": url}},
        "display": {"formats": {primary: {**display, "excluded": hidden} if hidden else display}},
    }


def _field(name: str, kind: str, words: Words) -> dict[str, Any]:
    field: dict[str, Any] = {"path": name, "label": words.labels[name], "format": "raw"}
    if kind == "address":
        params = {"types": ["eoa", "contract", "wallet"], "sources": ["local", "ens"]}
        return {**field, "format": "addressName", "params": params}
    if name == "deadline":
        return {**field, "format": "date", "params": {"encoding": "timestamp"}}
    if name == "recoverySeconds":
        return {**field, "format": "duration"}
    return field
