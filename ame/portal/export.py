"""Bundles -> the files of the claim page. Pure but for `write`; docs/portal.md describes the format."""

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
from ame.portal.lookup import (
    LEAF_BITS,
    File,
    compact,
    id_digits,
    id_files,
    leaf_files,
    line_bits,
    line_files,
)
from ame.records import LedgerCommitment

PORTAL_FORMAT = "ame-portal/2"
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


def pool_document(chain: Sequence[Published], site: Site) -> dict[str, Any]:
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
        "id_digits": id_digits(len(contributors(chain))),
        "leaf_bits": LEAF_BITS,
        "line_bits": line_bits(len(chain)),
        "ledgers": [_leaves(one.bundle) for one in chain[-LEDGERS_WITH_PROOFS:]],
        "epochs": [_epoch(one) for one in chain],
    }


def _leaves(bundle: Bundle) -> dict[str, Any]:
    return {
        "number": str(bundle.settlement.number),
        "leaves": [len(ledger.ids) for ledger in bundle.books.ledgers],
    }


def contributors(chain: Sequence[Published]) -> set[bytes]:
    """Everybody in the newest ledgers, which hold all who were ever allocated anything."""
    return {one for ledger in chain[-1].bundle.books.ledgers for one in ledger.ids}


def pool_files(chain: Sequence[Published], site: Site) -> Iterator[File]:
    """The files of one pool, relative to its folder; `chain` is its lineage."""
    bundles = [one.bundle for one in chain]
    for bundle in bundles[-LEDGERS_WITH_PROOFS:]:
        check_ledgers(bundle)
    document = pool_document(chain, site)
    yield "pool.json", compact(document)
    yield from id_files(bundles, document["id_digits"])
    for bundle in bundles[-LEDGERS_WITH_PROOFS:]:
        yield from leaf_files(bundle)
    yield from line_files(bundles, document["line_bits"])


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


def page_policy(sites: Iterable[Site]) -> str:
    """The Content-Security-Policy of the page: itself, and the nodes that it asks."""
    nodes = " ".join(sorted({origin(site.rpc) for site in sites if site.rpc}))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {nodes}".rstrip()
        + "; base-uri 'none'; form-action 'none'"
    )


def site_files(published: Sequence[Published], site: Site) -> Iterator[File]:
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
        for name, content in pool_files(lineage(ones), site):
            yield f"{folder}/{name}", content
    yield "pools.json", compact({"format": PORTAL_FORMAT, "pools": folders})
    static = resources.files("ame.portal").joinpath("static")
    for name in PAGE_FILES:
        content = static.joinpath(name).read_bytes()
        if name == "index.html":
            content = content.replace(page_policy([]).encode(), page_policy([site]).encode())
        yield name, content


def write(folder: Path, files: Iterable[File]) -> int:
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
