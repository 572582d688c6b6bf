"""From bundles to files: what is published, and what is refused."""

from __future__ import annotations

import gzip
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ame.bundle import Bundle, Token
from ame.encoding import ZERO_ADDRESS, commitment, keccak, node_hash
from ame.errors import AmeError
from ame.execution.ledger import StageLedger
from ame.execution.merkle_sum import verify_leaf
from ame.execution.settlement import settle
from ame.portal import lookup
from ame.portal.export import PAGE_FILES, Published, Site, lineage, site_files, write
from ame.portal.lookup import id_digits, line_bits
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

EMPTY = (StageLedger(), StageLedger())


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


FOLDER = f"pools/31337-{POOL.lower()}"
HashAndSum = tuple[bytes, int]


def proof_in(content: bytes, index: int, depth: int, bits: int) -> tuple[bytes, int, bytes]:
    """Id, cumulative and proof of a leaf, from the file of its bucket as docs/portal.md describes it."""
    records = [content[at : at + 48] for at in range(0, len(content), 48)]
    above, leaves = records[: max(0, depth - bits)], records[max(0, depth - bits) :]
    own, proof = index % (1 << bits), b""
    row: list[HashAndSum] = [(keccak(leaf), int.from_bytes(leaf[32:])) for leaf in leaves]
    row += [(bytes(32), 0)] * ((1 << min(depth, bits)) - len(row))
    for height in range(min(depth, bits)):
        digest, amount = row[own >> height ^ 1]
        proof += digest + amount.to_bytes(16)
        row = [
            (node_hash(*left, *right), left[1] + right[1])
            for left, right in zip(row[::2], row[1::2], strict=True)
        ]
    return leaves[own][:32], int.from_bytes(leaves[own][32:]), proof + b"".join(above)


def places(files: dict[str, bytes], digits: int = 0) -> dict[str, list[Any]]:
    """Last 16 digits of an id -> name and leaf indices."""
    found: dict[str, list[Any]] = {}
    for name, content in files.items():
        if name.startswith(f"{FOLDER}/ids/"):
            found.update(json.loads(content))
    return found


@pytest.mark.parametrize("count", [1, 2, 5, 8, 9, 31])
@pytest.mark.parametrize("bits", [0, 2, 8])
def test_every_published_leaf_opens_its_ledger(
    monkeypatch: pytest.MonkeyPatch, count: int, bits: int
) -> None:
    monkeypatch.setattr(lookup, "LEAF_BITS", bits)
    ids = [bytes([n]) * 32 for n in range(1, count + 1)]
    one = Published(bundle(1, EMPTY, ids), bytes(32))
    files = dict(site_files([one], SITE))

    for who in ids:
        _, *indices = places(files)[who.hex()[-16:]]
        for stage, index in enumerate(indices):
            ledger = one.bundle.settlement.updates[stage].afterwards
            content = files[f"{FOLDER}/leaves/1/{stage}/{index >> bits}"]
            found, cumulative, proof = proof_in(content, index, ledger.depth, bits)
            assert found == who
            assert verify_leaf(who, cumulative, index, proof, commitment(ledger))


def test_ids_that_end_alike_are_told_apart() -> None:
    alike = [bytes([1]) * 24 + b"same end", bytes([2]) * 24 + b"same end"]
    files = dict(site_files([Published(bundle(1, EMPTY, alike), bytes(32))], SITE))

    assert places(files)[b"same end".hex()] == ["hf:a", 0, 0, "", 1, 1]


def test_name_of_somebody_who_earned_nothing_lately_stays() -> None:
    ids = [bytes([1]) * 32, bytes([2]) * 32]
    first = bundle(1, EMPTY, ids)
    second = bundle(2, first.books.ledgers, ids[1:])
    chain = [
        Published(replace(first, allocation=replace(first.allocation, names={ids[0]: "hf:z"})), bytes(32))
    ]
    files = dict(site_files([*chain, Published(second, bytes(32))], SITE))

    assert places(files)[ids[0].hex()[-16:]] == ["hf:z", 0, 0]


def test_cancelled_settlement_is_left_out() -> None:
    first = published((1, EMPTY))[0]
    after = first.bundle.books.ledgers
    cancelled, third = published((2, after), (3, after))

    assert [one.bundle.settlement.number for one in lineage([third, cancelled, first])] == [1, 3]


def test_lines_add_up_to_the_ledger() -> None:
    first = published((1, EMPTY))[0]
    second = published((2, first.bundle.books.ledgers))[0]
    files = dict(site_files([first, second], SITE))

    for stage, ledger in enumerate(second.bundle.books.ledgers):
        lines = json.loads(files[f"{FOLDER}/lines/{stage}/0.json"])["lines"]
        for index, cumulative in enumerate(ledger.cumulatives):
            assert sum(int(amount) for at, _, _, amount, *_ in lines if at == index) == cumulative


def test_ledger_that_is_not_the_settlements_is_refused() -> None:
    (one,) = published((1, EMPTY))
    ledger = one.bundle.books.ledgers[0]
    false = replace(ledger, cumulatives=(ledger.cumulatives[0] + 1, *ledger.cumulatives[1:]))
    books = replace(one.bundle.books, ledgers=(false, one.bundle.books.ledgers[1]))

    with pytest.raises(AmeError, match="its file gives"):
        list(site_files([replace(one, bundle=replace(one.bundle, books=books))], SITE))


def test_files_stay_small() -> None:
    assert [id_digits(count) for count in (1, 256, 257, 4096, 1_000_000)] == [0, 0, 1, 1, 3]
    assert [line_bits(epochs) for epochs in (1, 2, 50, 600)] == [9, 8, 3, 0]


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
