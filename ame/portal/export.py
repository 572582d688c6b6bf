"""Bundles -> the files of the claim page. Pure but for `write`; docs/portal.md describes the format.

A contributor's browser downloads the pool's description and one shard, found by the last hex digits of the id (the
first ones are zero in every account id). So a million contributors cost each of them one small file.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ame.bundle import Bundle, canonical_time
from ame.encoding import to_hex
from ame.errors import FileError, InputError
from ame.mapping.rights import parse_rights
from ame.records import AllocationLine, LedgerCommitment

PORTAL_FORMAT = "ame-portal/1"
CONTRIBUTORS_PER_SHARD = 16
MAX_SHARD_DIGITS = 8
PAGE_FILES = ("index.html", "app.js", "app.css")
# A new settlement replaces the ledger before the last one (the pool keeps two), so older proofs are of no use.
LEDGERS_WITH_PROOFS = 2


@dataclass(frozen=True)
class Site:
    """What the page must know of the chain and cannot learn from bundles."""

    rpc: str  # asked by browsers, so it must allow requests from the page's address (CORS)
    chain_name: str = ""
    explorer: str = ""
    currency: str = "ETH"
    from_block: int = 0  # where the search for events begins
    title: str = ""

    def __post_init__(self) -> None:
        for name, address in (("rpc", self.rpc), ("explorer", self.explorer)):
            if address and (urlsplit(address).scheme not in ("http", "https") or not origin(address)):
                raise InputError(f"{name}: expected an address with http:// or https://, got {address!r}")


@dataclass(frozen=True)
class Published:
    """A bundle and its evidence, the SHA-256 of its manifest."""

    bundle: Bundle
    evidence: bytes


def origin(address: str) -> str:
    """Scheme, host and port of an address: what a Content-Security-Policy names. Empty if there is none."""
    parts = urlsplit(address)
    safe = parts.hostname and not set(parts.netloc) & set(" '\";,<>")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if safe else ""


def lineage(published: Sequence[Published]) -> list[Published]:
    """The settlements of one pool that follow from each other, oldest first.

    Walks back from the newest. One that its successor does not build on was cancelled, and is left out.
    """
    newest_first = sorted(published, key=lambda one: one.bundle.settlement.number, reverse=True)
    kept = newest_first[:1]
    for one in newest_first[1:]:
        if _afterwards(one) == [update.before for update in kept[-1].bundle.settlement.updates]:
            kept.append(one)
    return kept[::-1]


def _afterwards(one: Published) -> list[LedgerCommitment]:
    return [update.afterwards for update in one.bundle.settlement.updates]


def check_ledgers(bundle: Bundle) -> None:
    """Refuse to publish proofs that the chain would not accept."""
    settlement = bundle.settlement
    for stage, ledger, update in zip(
        settlement.stages, bundle.books.ledgers, settlement.updates, strict=True
    ):
        found = ledger.tree.ledger_commitment
        if found != update.afterwards:
            raise InputError(
                f"settlement {settlement.number}: stage {stage}: expected the ledger {update.afterwards}, "
                f"its file gives {found}"
            )


def shard_digits(contributors: int) -> int:
    """How many hex digits of an id name its shard."""
    digits = 0
    while contributors > CONTRIBUTORS_PER_SHARD << 4 * digits and digits < MAX_SHARD_DIGITS:
        digits += 1
    return digits


def pool_document(chain: Sequence[Published], site: Site, digits: int) -> dict[str, Any]:
    """pool.json: what all contributors of a pool share."""
    newest = chain[-1].bundle
    settlement, token = newest.settlement, newest.token
    return {
        "format": PORTAL_FORMAT,
        "title": site.title or f"{token.symbol} pool {settlement.pool[:6]}…{settlement.pool[-4:]}",
        "chain": {
            "id": settlement.chain_id,
            "name": site.chain_name or f"Chain {settlement.chain_id}",
            "rpc": site.rpc,
            "explorer": site.explorer,
            "currency": site.currency,
        },
        "pool": settlement.pool,
        "registry": newest.terms.registry,
        "from_block": str(site.from_block),
        "token": {"address": token.address, "symbol": token.symbol, "decimals": token.decimals},
        "stages": list(settlement.stages),
        "registrars": dict(parse_rights(newest.rights.decode()).registrars),
        "shard_digits": digits,
        "epochs": [_epoch(one) for one in chain],
    }


def _epoch(one: Published) -> dict[str, Any]:
    settlement, usage = one.bundle.settlement, one.bundle.usage
    sales: dict[str, list[int]] = defaultdict(list)
    for record in usage:
        sales[record.pipeline].append(record.amount)
    return {
        "number": str(settlement.number),
        "evidence": to_hex(one.evidence),
        "from": canonical_time(min(record.time for record in usage)) if usage else "",
        "to": canonical_time(max(record.time for record in usage)) if usage else "",
        "sales": [
            {"pipeline": name, "count": len(amounts), "amount": str(sum(amounts))}
            for name, amounts in sorted(sales.items())
        ],
        "table": [str(value) for value in settlement.table],
        "amounts": [str(amount) for amount in settlement.amounts],
        "updates": [
            {
                "before": _ledger(update.before),
                "afterwards": _ledger(update.afterwards),
                "weight_root": to_hex(update.weight_root),
                "weight_total": str(update.weight_total),
            }
            for update in settlement.updates
        ],
    }


def _ledger(ledger: LedgerCommitment) -> dict[str, Any]:
    return {"root": to_hex(ledger.root), "total": str(ledger.total), "depth": ledger.depth}


@dataclass(frozen=True)
class _Found:
    """A settlement, ready to be asked about one contributor after the other."""

    one: Published
    lines: tuple[dict[bytes, AllocationLine], ...]
    parts: tuple[list[int], ...]

    @classmethod
    def of(cls, one: Published) -> _Found:
        bundle = one.bundle
        lines = tuple({line.contributor_id: line for line in stage} for stage in bundle.allocation.lines)
        amounts = bundle.settlement.amounts
        parts = tuple(
            weights.parts(amount) for weights, amount in zip(bundle.books.weights, amounts, strict=True)
        )
        return cls(one, lines, parts)

    def reasons(self, contributor_id: bytes) -> Iterator[dict[str, Any]]:
        """Per stage weight, amount and the words for it."""
        for stage, lines in enumerate(self.lines):
            line = lines.get(contributor_id)
            if line is not None:
                index = self.one.bundle.books.ledgers[stage].index_of[contributor_id]
                yield {
                    "number": str(self.one.bundle.settlement.number),
                    "stage": stage,
                    "weight": str(line.weight),
                    "amount": str(self.parts[stage][index]),
                    "reasons": list(line.reasons),
                }

    def leaves(self, contributor_id: bytes) -> Iterator[dict[str, Any]]:
        """Per stage the ledger's leaf and its proof."""
        for stage, ledger in enumerate(self.one.bundle.books.ledgers):
            index = ledger.index_of.get(contributor_id)
            if index is not None:
                yield {
                    "stage": stage,
                    "index": index,
                    "cumulative": str(ledger.cumulatives[index]),
                    "proof": to_hex(ledger.tree.proof(index)),
                }


def shards(chain: Sequence[Published], digits: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the page shows of each contributor, by the last `digits` hex digits of the id. One shard at a time: proofs
    of a million contributors are gigabytes."""
    found = [_Found.of(one) for one in chain]
    by_shard: dict[str, list[bytes]] = defaultdict(list)
    for contributor_id in sorted(contributors(chain)):
        text = to_hex(contributor_id)
        by_shard[text[len(text) - digits :] or "all"].append(contributor_id)
    for name in sorted(by_shard):
        yield name, {to_hex(one): _person(one, found) for one in by_shard[name]}


def contributors(chain: Sequence[Published]) -> set[bytes]:
    """Everybody in the newest ledgers, which hold all who were ever allocated anything."""
    return {one for ledger in chain[-1].bundle.books.ledgers for one in ledger.ids}


def _person(contributor_id: bytes, found: Sequence[_Found]) -> dict[str, Any]:
    names = (one.one.bundle.allocation.names.get(contributor_id) for one in reversed(found))
    return {
        "name": next(filter(None, names), ""),
        "ledgers": {
            str(one.one.bundle.settlement.number): list(one.leaves(contributor_id))
            for one in found[-LEDGERS_WITH_PROOFS:]
        },
        "epochs": [reason for one in found for reason in one.reasons(contributor_id)],
    }


def page_policy(sites: Iterable[Site]) -> str:
    """The Content-Security-Policy of the page: itself, and the nodes that it asks."""
    nodes = " ".join(sorted({origin(site.rpc) for site in sites if site.rpc}))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {nodes}".rstrip()
        + "; base-uri 'none'; form-action 'none'"
    )


def site_files(published: Sequence[Published], site: Site) -> Iterator[tuple[str, bytes]]:
    """Every file of the site: (relative name, content). Raises InputError for bundles that contradict themselves."""
    pools: dict[tuple[int, str], list[Published]] = defaultdict(list)
    for one in published:
        settlement = one.bundle.settlement
        pools[settlement.chain_id, settlement.pool].append(one)
    if not pools:
        raise InputError("expected at least one bundle")
    if len({chain_id for chain_id, _ in pools}) > 1:
        raise InputError("expected bundles of one chain: the page asks one node")
    folders = []
    for (chain_id, pool), ones in sorted(pools.items()):
        folder = f"pools/{chain_id}-{pool.lower()}"
        folders.append(folder)
        chain = lineage(ones)
        for one in chain[-LEDGERS_WITH_PROOFS:]:
            check_ledgers(one.bundle)
        digits = shard_digits(len(contributors(chain)))
        yield f"{folder}/pool.json", _json(pool_document(chain, site, digits))
        for name, shard in shards(chain, digits):
            yield f"{folder}/shards/{name}.json", _json(shard)
    yield "pools.json", _json({"format": PORTAL_FORMAT, "pools": folders})
    static = resources.files("ame.portal").joinpath("static")
    for name in PAGE_FILES:
        content = static.joinpath(name).read_bytes()
        if name == "index.html":
            content = content.replace(page_policy([]).encode(), page_policy([site]).encode())
        yield name, content


def write(folder: Path, files: Iterable[tuple[str, bytes]]) -> int:
    """Write the site whole or not at all, over an older one; gives the number of files.

    Raises FileError if the folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()) and not _is_site(folder):
        raise FileError("expected an empty folder or an older export of the page", file=folder)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    count = 0
    try:
        made: set[Path] = set()
        for name, content in files:
            path = draft / name
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            path.write_bytes(content)
            count += 1
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return count


def _is_site(folder: Path) -> bool:
    try:
        document = json.loads((folder / "pools.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("format") == PORTAL_FORMAT


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
