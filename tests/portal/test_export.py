"""From bundles to files: what is published, and what is refused."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ame.bundle import Bundle, Token
from ame.encoding import ZERO_ADDRESS, commitment, to_bytes, to_hex
from ame.errors import AmeError
from ame.execution.ledger import StageLedger
from ame.execution.merkle_sum import verify_leaf
from ame.execution.settlement import settle
from ame.portal.export import PAGE_FILES, Published, Site, lineage, shard_digits, site_files, write
from ame.records import Allocation, AllocationLine, Shares, Terms, UsageRecord

ROOT = Path(__file__).resolve().parents[2]
POOL = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
TERMS = Terms(ZERO_ADDRESS, 2, POOL, ZERO_ADDRESS, POOL, 3600, 0, 0, 0, bytes(32))
SITE = Site("http://127.0.0.1:8545")
RIGHTS = f"""format: ame-rights/1
stages: [data, prompt]
registrars: {{hf: "{POOL}"}}
contributors:
  - {{name: "hf:a", wallet: "{POOL}"}}
assets:
  - {{id: x, stage: data, license: MIT, holders: [{{contributor: "hf:a", ppm: 1000000, from: 2026-01-01T00:00:00Z}}]}}
""".encode()


def bundle(number: int, ledgers: tuple[StageLedger, ...], ids: list[bytes]) -> Bundle:
    table = (0, 600, 300, 1000)
    lines = tuple(tuple(AllocationLine(one, 1 + at) for at, one in enumerate(ids)) for _ in range(2))
    allocation = Allocation(("data", "prompt"), table, lines, {ids[0]: "hf:a"})
    books = settle(allocation, ledgers, chain_id=31337, pool=POOL, number=number)
    usage = (UsageRecord("s", "p", 1000, datetime(2026, 1, 1, tzinfo=UTC)),)
    shares = Shares(("data", "prompt"), table, ({}, {}))
    coin = Token(ZERO_ADDRESS, "ETH", 18)
    return Bundle(books, coin, TERMS, usage, {}, shares, RIGHTS, usage[0].time, allocation, None)


def published(*numbers_and_ledgers: tuple[int, tuple[StageLedger, ...]]) -> list[Published]:
    ids = [bytes([n]) * 32 for n in range(1, 6)]
    return [
        Published(bundle(number, ledgers, ids), bytes([number]) * 32)
        for number, ledgers in numbers_and_ledgers
    ]


EMPTY = (StageLedger(), StageLedger())


def test_every_published_proof_opens_its_ledger() -> None:
    (one,) = published((1, EMPTY))
    files = dict(site_files([one], SITE))

    checked = 0
    for name, content in files.items():
        if "/shards/" not in name:
            continue
        for contributor_id, entry in json.loads(content).items():
            for leaf in entry["ledgers"]["1"]:
                stored = commitment(one.bundle.settlement.updates[leaf["stage"]].afterwards)
                proof = to_bytes(leaf["proof"], len(leaf["proof"]) // 2 - 1, "proof")
                assert verify_leaf(
                    bytes.fromhex(contributor_id[2:]), int(leaf["cumulative"]), leaf["index"], proof, stored
                )
                checked += 1
    assert checked == 10


def test_cancelled_settlement_is_left_out() -> None:
    first = published((1, EMPTY))[0]
    after = first.bundle.books.ledgers
    cancelled, third = published((2, after), (3, after))

    assert [one.bundle.settlement.number for one in lineage([third, cancelled, first])] == [1, 3]


def test_reasons_add_up_to_the_ledger() -> None:
    first = published((1, EMPTY))[0]
    second = published((2, first.bundle.books.ledgers))[0]
    for name, content in site_files([first, second], SITE):
        if "/shards/" in name:
            for entry in json.loads(content).values():
                assert sum(int(one["amount"]) for one in entry["epochs"]) == sum(
                    int(leaf["cumulative"]) for leaf in entry["ledgers"]["2"]
                )


def test_ledger_that_is_not_the_settlements_is_refused() -> None:
    (one,) = published((1, EMPTY))
    ledger = one.bundle.books.ledgers[0]
    false = replace(ledger, cumulatives=(ledger.cumulatives[0] + 1, *ledger.cumulatives[1:]))
    books = replace(one.bundle.books, ledgers=(false, one.bundle.books.ledgers[1]))

    with pytest.raises(AmeError, match="its file gives"):
        list(site_files([replace(one, bundle=replace(one.bundle, books=books))], SITE))


def test_shards_stay_small() -> None:
    assert [shard_digits(count) for count in (1, 16, 17, 4096, 1_000_000)] == [0, 0, 1, 2, 4]


def test_policy_names_the_node_and_nothing_else() -> None:
    index = dict(site_files(published((1, EMPTY)), Site("https://user:pass@node.example:8443/key?x=1")))[
        "index.html"
    ]

    assert b"connect-src 'self' https://node.example:8443; base-uri 'none'" in index


@pytest.mark.parametrize(
    "rpc", ["javascript:alert(1)", "http://", "node.example", "https://a b'; script-src *"]
)
def test_node_address_that_could_open_the_policy_is_refused(rpc: str) -> None:
    with pytest.raises(AmeError, match="rpc"):
        Site(rpc)


def test_export_replaces_an_older_export_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write(folder, site_files(published((1, EMPTY)), SITE))
    write(folder, site_files(published((1, EMPTY)), SITE))
    other = tmp_path / "photos"
    other.mkdir()
    (other / "cat.jpg").write_bytes(b"cat")

    with pytest.raises(AmeError, match="expected an empty folder"):
        write(other, site_files(published((1, EMPTY)), SITE))
    assert (other / "cat.jpg").read_bytes() == b"cat"


def test_committed_page_is_what_the_sources_build(tmp_path: Path) -> None:
    subprocess.run(["node", ROOT / "scripts/build_portal.mjs", tmp_path], check=True, timeout=60)

    for name in PAGE_FILES:
        assert (tmp_path / name).read_bytes() == (ROOT / "ame/portal/static" / name).read_bytes(), name


def test_sources_pass_the_type_checker() -> None:
    done = subprocess.run(
        [ROOT / "node_modules/.bin/tsc", "-p", ROOT / "portal"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_page_is_at_most_90_kb_compressed() -> None:
    sizes = [len(gzip.compress((ROOT / "ame/portal/static" / name).read_bytes(), 9)) for name in PAGE_FILES]
    assert sum(sizes) <= 90 * 1024


def test_page_knows_the_contracts_as_they_are() -> None:
    """Selectors and topics follow from names and types: those must be in the shipped contracts' ABIs."""
    used = json.loads((ROOT / "portal/src/abi.json").read_text())
    for contract, items in used.items():
        shipped = json.loads((ROOT / f"ame/execution/artifacts/{contract}.json").read_text())["contractType"][
            "abi"
        ]
        known = {shape(item) for item in shipped}
        for item in items:
            assert shape(item) in known, (contract, item["name"])
        errors = {item["name"] for item in shipped if item["type"] == "error"}
        assert errors <= {item["name"] for item in items if item["type"] == "error"}


def shape(item: dict[str, object]) -> str:
    def types(inputs: object) -> object:
        assert isinstance(inputs, list)
        return [(one["type"], one.get("indexed"), types(one.get("components") or [])) for one in inputs]

    return f"{item['type']} {item.get('name')} {types(item.get('inputs', []))} {types(item.get('outputs') or [])}"


def test_ids_are_written_in_hex_as_the_page_looks_them_up() -> None:
    files = dict(site_files(published((1, EMPTY)), SITE))
    shard = json.loads(files[f"pools/31337-{POOL.lower()}/shards/all.json"])
    assert sorted(shard) == [to_hex(bytes([n]) * 32) for n in range(1, 6)]
