"""Every single change of a published settlement is found, under the right name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ame.audit.facts import PoolEvent
from ame.audit.report import Verdict
from tests.audit.synthetic import WALLETS, History
from tests.audit.tampering import Copy, copy_of, honest_history

Change = Callable[[Copy], Any]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> History:
    return honest_history(tmp_path_factory.mktemp("honest"))


def plus(value: str, by: int = 1) -> str:
    return str(int(value) + by)


def field(part: str, *path: Any, to: Callable[[Any], Any]) -> Change:
    """Change one field of a JSON part; the operator posts it."""

    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = to(document[path[-1]])

    return lambda copy: copy.document(part, change).repost()


def row(part: str, change: Callable[[list[Any]], None]) -> Change:
    return lambda copy: copy.lines(part, change).repost()


def ledger(change: Callable[[bytearray], bytes | bytearray | None], stage: int = 0) -> Change:
    def edit(data: bytes) -> bytes:
        array = bytearray(data)
        return bytes(change(array) or array)

    return lambda copy: copy.raw(f"ledger/{copy.stages[stage]}.bin", edit).repost()


def set_item(rows: list[Any], index: int, name: str, value: Callable[[Any], Any]) -> None:
    rows[index][name] = value(rows[index][name])


def first_pipeline(change: Callable[[dict[str, Any]], None]) -> Change:
    return lambda copy: copy.document(
        "coalitions.json", lambda document: change(next(iter(document["pipelines"].values())))
    ).repost()


def change_value(pipeline: dict[str, Any], which: int, by: int) -> None:
    key = sorted(pipeline["values_ppm"], key=lambda text: int(text, 16))[which]
    pipeline["values_ppm"][key] = plus(pipeline["values_ppm"][key], by)


def swap(rows: list[Any], a: int = 0, b: int = 1) -> None:
    rows[a], rows[b] = rows[b], rows[a]


def swap_leaves(data: bytearray) -> None:
    data[:64], data[64:128] = data[64:128], data[:64]


def bump(at: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[at] = (data[at] + 1) % 256

    return change


def double_depth(update: Any) -> Any:
    return {**update, "depth": update["depth"] + 1}


def drop_key(name: str) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        del document[name]

    return change


def move_units(rows: list[Any]) -> None:
    rows[0]["amount"], rows[1]["amount"] = plus(rows[0]["amount"], -1), plus(rows[1]["amount"])


def reposted_raw(part: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda copy: copy.raw(part, change).repost()


def other_code(copy: Copy) -> None:
    code = bytearray(copy.facts.code)
    code[700] ^= 1
    copy.chain(code=bytes(code))


def drop_event(name: str, which: int = 0) -> Change:
    def change(events: list[PoolEvent]) -> None:
        events.remove([event for event in events if event.name == name][which])

    return lambda copy: copy.events(change)


def double_event(name: str) -> Change:
    def change(events: list[PoolEvent]) -> None:
        event = next(event for event in events if event.name == name)
        events.append(event._replace(block=events[-1].block + 1))

    return lambda copy: copy.events(change)


def arg(name: str, which: int, key: str, to: Callable[[Any], Any]) -> Change:
    def change(copy: Copy) -> None:
        event = [event for event in copy.facts.events if event.name == name][which]
        copy.event(name, which, **{key: to(event.args[key])})

    return change


def book(name: str, by: int) -> Change:
    return lambda copy: copy.books(**{name: getattr(copy.facts.books, name) + by})


def term(name: str, to: Any) -> Change:
    return lambda copy: copy.chain(terms=copy.facts.terms._replace(**{name: to}))


def stage_update(name: str, to: Callable[[Any], Any], which: int = -1) -> Change:
    return arg(
        "Proposed", which, "stages", lambda s: (s[0]._replace(**{name: to(getattr(s[0], name))}), *s[1:])
    )


CHANGES: list[tuple[str, str, Change]] = [
    # Files that were changed without posting them
    ("a bit of a ledger flips", "manifest", lambda c: c.raw("ledger/prompt.bin", lambda d: bytes([d[0] ^ 1]) + d[1:])),
    ("usage is truncated", "manifest", lambda c: c.raw("usage.jsonl", lambda d: d[:-9])),
    ("shares are emptied", "manifest", lambda c: c.raw("shares.json", lambda _: b"")),
    ("rights get a blank", "manifest", lambda c: c.raw("rights.yaml", lambda d: d + b" ")),
    ("settlement is that of the older bundle", "manifest",
     lambda c: c.raw("settlement.json", lambda _: (c.folders[0] / "settlement.json").read_bytes())),
    ("the manifest's hash of a part", "manifest", lambda c: c.document(
        "manifest.json", lambda m: m["parts"]["usage.jsonl"].update(sha256="0" * 64)).evidence()),
    ("the manifest's length of a part", "manifest", lambda c: c.document(
        "manifest.json", lambda m: m["parts"]["usage.jsonl"].update(bytes=1)).evidence()),
    ("a part that is not listed", "manifest", lambda c: c.document(
        "manifest.json", lambda m: m["parts"].pop("usage.jsonl")).evidence()),
    ("the head is not listed", "manifest", lambda c: c.document(
        "manifest.json", lambda m: m["parts"].pop("settlement.json")).evidence()),
    ("the manifest gets a field", "manifest", lambda c: c.document(
        "manifest.json", lambda m: m.update(more="1")).evidence()),
    ("the manifest is of an unknown format", "manifest", lambda c: c.document(
        "manifest.json", lambda m: m.update(format="ame-bundle/9")).evidence()),
    ("the manifest names a path outside", "manifest", lambda c: c.document(
        "manifest.json", lambda m: m["parts"].update({"../x": m["parts"]["usage.jsonl"]})).evidence()),
    ("the manifest is indented", "manifest", lambda c: c.raw(
        "manifest.json", lambda d: json.dumps(json.loads(d), indent=1).encode()).evidence()),
    # A bundle of something else
    ("another chain's", "chain", lambda c: c.document("manifest.json", lambda m: m.update(chain_id="1")).evidence()),
    ("another pool's", "pool", lambda c: c.document("manifest.json", lambda m: m.update(pool=WALLETS[0])).evidence()),
    ("another settlement's number", "evidence", lambda c: c.document("manifest.json", lambda m: m.update(number="1"))),
    ("a number that was never proposed", "evidence",
     lambda c: c.document("manifest.json", lambda m: m.update(number="9"))),
    ("no previous bundle", "previous",
     lambda c: c.document("manifest.json", lambda m: m.update(previous=None)).evidence()),
    ("another previous bundle", "previous",
     lambda c: c.document("manifest.json", lambda m: m.update(previous="ab" * 32)).evidence()),
    ("the manifest's version after posting", "evidence",
     lambda c: c.document("manifest.json", lambda m: m["created_by"].update(ame="9"))),
    ("evidence on chain", "evidence", arg("Proposed", -1, "evidence", lambda e: bytes(31) + e[:1])),
    # Re-encodings
    ("settlement.json is indented", "format", reposted_raw(
        "settlement.json", lambda d: json.dumps(json.loads(d), indent=1).encode())),
    ("a line of usage in another key order", "format", reposted_raw(
        "usage.jsonl", lambda d: b'{"pipeline":"a","amount":"0","id":"z","time":"2026-02-01T12:00:00Z"}\n' + d)),
    ("usage without its last line break", "format", reposted_raw("usage.jsonl", lambda d: d[:-1])),
    ("usage with a byte that is no UTF-8", "format", reposted_raw("usage.jsonl", lambda d: b"\xff" + d)),
    ("shares with a key twice", "format", reposted_raw(
        "shares.json", lambda d: d[:-1] + b',"format":"ame-shares/1"}')),
    ("shares with NaN", "format", reposted_raw("shares.json", lambda d: d.replace(b'"0"', b"NaN", 1))),
    ("an amount as a number", "format", field("settlement.json", "amounts", 0, to=int)),
    ("an amount with a leading zero", "format", field("settlement.json", "amounts", 0, to=lambda v: "0" + v)),
    ("a huge number", "format", field("settlement.json", "amounts", 0, to=lambda v: "9" * 5000)),
    ("deep nesting", "format", reposted_raw("shares.json", lambda d: b"[" * 100_000 + b"]" * 100_000)),
    ("a field that nobody knows", "format", lambda c: c.document("shares.json", lambda d: d.update(x=1)).repost()),
    ("a field that is missing", "format", lambda c: c.document("settlement.json", drop_key("terms")).repost()),
    ("a ledger cut in the middle of a leaf", "format", ledger(lambda d: d[:-7])),
    ("a time without its zone", "format", field("settlement.json", "rights_at", to=lambda t: t[:-1])),
    ("a fraction that is not in lowest terms", "format",
     first_pipeline(lambda p: p["inner"][0].__setitem__(0, "2/4"))),
    ("rights that are no YAML", "format", reposted_raw("rights.yaml", lambda d: b"{" + d)),
    # Terms and token
    ("the bond in the bundle", "terms", field("settlement.json", "terms", "bond_wei", to=plus)),
    ("the proposer in the bundle", "terms", field("settlement.json", "terms", "proposer", to=lambda _: WALLETS[0])),
    ("the written terms in the bundle", "terms",
     field("settlement.json", "terms", "terms_hash", to=lambda _: "0x" + "00" * 32)),
    ("the token in the bundle", "terms", field("settlement.json", "token", "address", to=lambda _: WALLETS[0])),
    ("the challenge period on chain", "terms", term("challenge_seconds", 1)),
    ("the pool's code", "code", other_code),
    ("no code", "code", lambda c: c.chain(code=b"")),
    ("the registry's code", "code", lambda c: c.chain(registry_code=c.facts.registry_code[:-1])),
    # Sales and table
    ("one unit more in a sale", "usage", row("usage.jsonl", lambda r: set_item(r, 0, "amount", plus))),
    ("a sale is dropped", "usage", row("usage.jsonl", lambda r: r.remove(max(r, key=lambda x: int(x["amount"]))))),
    ("a sale is doubled", "usage", row("usage.jsonl", lambda r: r.append(r[0]))),
    ("a sale of an unknown pipeline", "usage", row("usage.jsonl", lambda r: set_item(r, 0, "pipeline", lambda _: "z"))),
    ("a sale moves to the other pipeline", "table",
     row("usage.jsonl", lambda r: set_item(r, 0, "pipeline", lambda p: "b" if p == "a" else "a"))),
    ("a value of the table", "table", field("settlement.json", "table", 3, to=plus)),
    ("the revenue", "usage", field("settlement.json", "table", -1, to=plus)),
    ("a value of the shares' table", "table", field("shares.json", "table", 3, to=plus)),
    ("a value of the table on chain", "proposal", arg("Proposed", -1, "table", lambda t: (*t[:3], t[3] + 1, *t[4:]))),
    # Coalitions and shares
    ("a measured value", "measurement", first_pipeline(lambda p: change_value(p, 1, 50))),
    ("the value of all", "table", first_pipeline(lambda p: change_value(p, -1, 5000))),
    ("a coalition is dropped", "measurement", first_pipeline(lambda p: p["values_ppm"].pop("0x1"))),
    ("the number of evaluations", "measurement",
     first_pipeline(lambda p: p.update(evaluations=p["evaluations"] + 1))),
    ("the value of an asset", "measurement", first_pipeline(lambda p: p["inner"][0].__setitem__(0, "7/2"))),
    ("a policy after the fact", "table",
     first_pipeline(lambda p: p["policies"][2].update(alpha="1/2"))),
    ("an asset's weight", "shares",
     lambda c: c.document("shares.json", lambda d: d["asset_weights"][0].update(
         {k: plus(v) for k, v in list(d["asset_weights"][0].items())[:1]})).repost()),
    ("an asset without its weight", "shares",
     lambda c: c.document("shares.json", lambda d: d["asset_weights"][0].popitem()).repost()),
    # Stage amounts
    ("a stage's amount", "shapley", field("settlement.json", "amounts", 1, to=plus)),
    ("two stages' amounts are swapped", "shapley",
     lambda c: c.document("settlement.json", lambda d: swap(d["amounts"])).repost()),
    ("amounts on chain", "history", arg("Proposed", 0, "amounts", lambda a: (a[0] + 1, a[1] - 1, *a[2:]))),
    # Allocation
    ("a contributor's weight", "allocation", row("allocation.jsonl", lambda r: set_item(r, 0, "weight", plus))),
    ("a contributor's amount", "telescoping", row("allocation.jsonl", lambda r: set_item(r, 0, "amount", plus))),
    ("a unit moves to the next line", "telescoping", row("allocation.jsonl", move_units)),
    ("a line is dropped", "allocation", row("allocation.jsonl", lambda r: r.pop(0))),
    ("a line is doubled", "duplicates", row("allocation.jsonl", lambda r: r.insert(0, r[0]))),
    ("two lines are swapped", "allocation", row("allocation.jsonl", swap)),
    ("a reason", "allocation",
     row("allocation.jsonl", lambda r: set_item(r, 0, "reasons", lambda v: ["because", *v[1:]]))),
    ("a name", "names", row("allocation.jsonl", lambda r: set_item(r, 0, "name", lambda _: "hf:nobody"))),
    ("somebody who has no rights", "names",
     row("allocation.jsonl", lambda r: set_item(r, 0, "contributor_id", lambda _: "0x" + "11" * 32))),
    ("a line of an unknown stage", "format", row("allocation.jsonl", lambda r: set_item(r, 0, "stage", lambda _: "x"))),
    ("a split in the rights", "allocation", reposted_raw(
        "rights.yaml", lambda d: d.replace(b'"hf:p0", ppm', b'"hf:tmp", ppm').replace(
            b'"hf:p1", ppm', b'"hf:p0", ppm').replace(b'"hf:tmp", ppm', b'"hf:p1", ppm'))),
    ("rights as of a time before anybody held them", "allocation",
     field("settlement.json", "rights_at", to=lambda _: "2020-01-01T00:00:00Z")),
    ("rights of the future", "allocation",
     field("settlement.json", "rights_at", to=lambda _: "2090-01-01T00:00:00Z")),
    # Ledgers
    ("one unit in a ledger", "roots", ledger(bump(47))),
    ("one unit of weight in a ledger", "weights", ledger(bump(63))),
    ("an id in a ledger", "transition", ledger(bump(5))),
    ("two leaves are swapped", "transition", ledger(swap_leaves)),
    ("the first leaf is dropped", "transition", ledger(lambda d: d[64:])),
    ("the last leaf is dropped", "roots", ledger(lambda d: d[:-64])),
    ("a leaf is doubled", "duplicates", ledger(lambda d: d + d[:64])),
    ("an empty leaf", "duplicates", ledger(lambda d: d + bytes(64))),
    ("the last stage's last leaf", "roots", ledger(bump(-17), stage=2)),
    ("the ledger is the older one", "roots",
     lambda c: c.raw("ledger/prompt.bin", lambda _: (c.folders[0] / "ledger/prompt.bin").read_bytes()).repost()),
    ("a root in the bundle", "proposal",
     field("settlement.json", "updates", 0, "afterwards", "root", to=lambda _: "0x" + "12" * 32)),
    ("a depth in the bundle", "proposal",
     field("settlement.json", "updates", 0, "afterwards", to=double_depth)),
    ("a weight root in the bundle", "proposal",
     field("settlement.json", "updates", 1, "weight_root", to=lambda _: "0x" + "12" * 32)),
    ("a root on chain", "roots",
     stage_update("afterwards", lambda ledger: ledger._replace(root=bytes(31) + b"\1"))),
    ("a weight root on chain", "roots", stage_update("weight_root", lambda _: bytes(31) + b"\1")),
    ("a weight total on chain", "roots", stage_update("weight_total", lambda total: total + 1)),
    ("a ledger before on chain", "history",
     stage_update("before", lambda ledger: ledger._replace(total=ledger.total + 1))),
    # The chain's books
    ("a deposit's amount", "deposits", arg("Deposited", 0, "amount", lambda a: a + 1)),
    ("a deposit is missing", "deposits", drop_event("Deposited")),
    ("a deposit is doubled", "deposits", double_event("Deposited")),
    ("unallocated by one unit", "deposits", book("unallocated", 1)),
    ("pending revenue out of nothing", "deposits", book("pending_revenue", 1)),
    ("unclaimed by one unit", "claims", book("unclaimed", -1)),
    ("a claim's amount", "claims", arg("Claimed", 0, "amount", lambda a: a + 1)),
    ("a claim's cumulative amount", "claims", arg("Claimed", -1, "cumulative", lambda a: a + 1)),
    ("a claim is missing", "claims", drop_event("Claimed")),
    ("a claim is doubled", "claims", double_event("Claimed")),
    ("a claim of somebody else", "claims", arg("Claimed", -1, "contributorId", lambda _: b"\x11" * 32)),
    ("money is gone from the pool", "balance", lambda c: c.chain(balance=c.facts.books.unclaimed)),
    ("a proposal is missing", "history", drop_event("Proposed")),
    ("a proposal's number", "history", arg("Proposed", 0, "number", lambda _: 7)),
    ("events out of order", "history", lambda c: c.events(lambda e: swap(e, 0, 1))),
    ("the active commitment", "history",
     lambda c: c.books(commitments=((bytes(32), bytes(32)), *c.facts.books.commitments[1:]))),
    ("the latest number", "history", book("number", 1)),
    ("the settlement was cancelled", "status", lambda c: c.events(lambda e: e.append(
        PoolEvent(e[-1].block, 9, "Cancelled", {"number": 2, "reason": 1, "by": WALLETS[0], "bondToChallenger": 0})))),
    ("an older bundle's ledger", "ledgers", lambda c: (c.folders.__setitem__(0, c.folders[0].rename(
        c.folders[0].with_name("older"))), (c.folders[0] / "manifest.json").write_bytes(
        (c.folders[0] / "manifest.json").read_bytes().replace(b'"number":"1"', b'"number":"3"')))),
]  # fmt: skip


def test_there_are_at_least_sixty_changes_each_with_its_own_name() -> None:
    assert len({name for name, _, _ in CHANGES}) == len(CHANGES) >= 60


def test_the_honest_history_is_true(honest: History, tmp_path: Path) -> None:
    report = copy_of(honest, tmp_path).report()
    assert report.exit_code == 0, report.sentence


def test_money_sent_without_deposit_is_no_fault(honest: History, tmp_path: Path) -> None:
    copy = copy_of(honest, tmp_path)
    copy.books(unclaimed=copy.facts.books.unclaimed + 1)
    copy.chain(balance=copy.facts.balance + 1)
    assert copy.report().exit_code == 0


@pytest.mark.parametrize(("name", "check", "change"), CHANGES, ids=[name for name, _, _ in CHANGES])
def test_change_is_found(honest: History, tmp_path: Path, name: str, check: str, change: Change) -> None:
    copy = copy_of(honest, tmp_path)
    change(copy)
    report = copy.report()
    assert report.exit_code == 1
    assert check in {one.name for one in report.false}, report.false


@pytest.mark.parametrize("part", ["usage.jsonl", "coalitions.json", "rights.yaml", "ledger/prompt.bin"])
def test_what_is_missing_makes_an_audit_unknown_not_true(honest: History, tmp_path: Path, part: str) -> None:
    copy = copy_of(honest, tmp_path)
    (copy.folder / part).unlink()
    report = copy.report()
    assert report.exit_code == 2
    assert report.check("manifest").verdict is Verdict.UNKNOWN


def test_without_a_chain_nothing_is_called_true(honest: History, tmp_path: Path) -> None:
    copy = copy_of(honest, tmp_path)
    copy.facts = None  # type: ignore[assignment]
    report = copy.report()
    assert report.exit_code == 2
    assert report.check("shapley").verdict is Verdict.TRUE


def test_events_that_were_not_read_make_an_audit_unknown(honest: History, tmp_path: Path) -> None:
    copy = copy_of(honest, tmp_path)
    report = replace_facts(copy, complete=False, first_block=100).report()
    assert report.exit_code == 2
    assert report.check("deposits").verdict is Verdict.UNKNOWN


def replace_facts(copy: Copy, **values: Any) -> Copy:
    copy.facts = replace(copy.facts, **values)
    return copy


def test_the_first_difference_is_located_by_contributor_and_amount(honest: History, tmp_path: Path) -> None:
    copy = copy_of(honest, tmp_path)
    row("allocation.jsonl", lambda rows: set_item(rows, 2, "amount", lambda value: plus(value, 17)))(copy)
    check = copy.report().check("telescoping")
    line = json.loads((copy.folder / "allocation.jsonl").read_text().splitlines()[2])
    whom = f"{line['name']}, {line['contributor_id']}, in {line['stage']}"
    assert check.where == f"allocation.jsonl:3: amount of {whom}"
    assert check.found.endswith("(+17)")


def test_a_link_out_of_the_bundle_is_refused(honest: History, tmp_path: Path) -> None:
    copy = copy_of(honest, tmp_path)
    (copy.folder / "usage.jsonl").unlink()
    (copy.folder / "usage.jsonl").symlink_to("/etc/hostname")
    report = copy.report()
    assert report.exit_code == 1
    assert "link" in report.sentence


def test_a_folder_without_a_manifest_is_unknown(tmp_path: Path) -> None:
    report = Copy([tmp_path], None).report()  # type: ignore[arg-type]
    assert report.exit_code == 2
