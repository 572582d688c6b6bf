"""Mapping: rights files, cards, lineage and licences. People by role; everybody's registrar is one address."""

from collections.abc import Mapping
from datetime import UTC, datetime

from ame.mapping.rights import Rights, parse_rights
from ame.records import Shares

REGISTRAR = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
ALICE_WALLET = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
HEAD = f"""\
format: ame-rights/1
registrars: {{hf: "{REGISTRAR}", reserve: "{REGISTRAR}"}}
contributors:
  - {{name: "hf:alice", wallet: "{ALICE_WALLET}"}}
  - {{name: "hf:bob"}}
  - {{name: "hf:carol"}}
  - {{name: "reserve:disputes"}}
reserves:
  - {{name: disputes, contributor: "reserve:disputes"}}
"""
WHOLE = "[{contributor: 'hf:alice', ppm: 1000000, from: 2026-01-01T00:00:00Z}]"


def rights_of(assets: str, head: str = HEAD) -> Rights:
    """A rights file of the usual head and the given assets (one flow mapping per line)."""
    return parse_rights(text_of(assets, head))


def text_of(assets: str, head: str = HEAD) -> str:
    """Its text."""
    return head + "assets:\n" + "".join(f"  - {line.strip()}\n" for line in assets.strip().splitlines())


def asset(name: str, more: str = "", *, stage: str = "training_data", holder: str = "hf:alice") -> str:
    """One line of `rights_of`: an asset with one holder."""
    held = f"[{{contributor: '{holder}', ppm: 1000000, from: 2026-01-01T00:00:00Z}}]"
    rest = more if "license:" in more else f"license: CC0-1.0, {more}"
    return f"{{id: {name}, stage: {stage}, {rest.strip(', ')}, holders: {held}}}"


def shares_of(weights: Mapping[str, int], rights: Rights) -> Shares:
    """Shares that give these assets these weights, each in its stage."""
    by_stage: dict[str, dict[str, int]] = {stage: {} for stage in rights.stages}
    for name, weight in weights.items():
        by_stage[rights.assets[name].stage][name] = weight
    return Shares(rights.stages, (0,) * 15 + (100,), tuple(by_stage.values()))
