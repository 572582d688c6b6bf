"""Gathers what an audit asks a chain: bounded event scans that resume, views of one block, the code.

Speaks plain JSON-RPC, so that any node will do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from eth_abi.abi import decode, encode
from eth_utils.address import to_checksum_address

from ame.audit.facts import STATUSES, ChainFacts, PoolBooks, PoolEvent
from ame.encoding import ZERO_ADDRESS, keccak, to_hex
from ame.errors import AmeError, ChainError, FileError
from ame.execution.chain import Chain, artifact
from ame.records import LedgerCommitment, StageUpdate, Terms

Rpc: TypeAlias = Callable[[str, list[Any]], Any]
Progress: TypeAlias = Callable[[int, int], None]  # blocks scanned, of how many

EVENTS_FORMAT = "ame-events/1"
BLOCKS_PER_REQUEST = 2_000  # what public nodes allow for eth_getLogs
FEWEST_BLOCKS = 10
REORGANISED = (
    64  # blocks before the last scan's end that are read again: deeper reorganisations do not happen
)


def gather_facts(chain: Chain, pool: str, **options: Any) -> ChainFacts:
    """As `gather`, through an open connection and with the shipped builds."""
    artifacts = {name: artifact(name) for name in ("SettlementPool", "ContributorRegistry", "RightsRegistry")}
    return gather(chain.rpc, pool, artifacts, **options)


def gather(
    rpc: Rpc,
    pool: str,
    artifacts: Mapping[str, Mapping[str, Any]],
    *,
    first_block: int | None = None,
    store: Path | None = None,
    on_progress: Progress | None = None,
) -> ChainFacts:
    """All facts about a pool as of the latest block.

    artifacts: the shipped ABI and runtime code of SettlementPool and ContributorRegistry.
    first_block: where events begin; by default found by asking when the pool's code appeared. store: a file in
    which scanned events are kept, so that the next scan goes on from there. Raises ChainError where the node
    refuses.
    """
    call = _guarded(rpc)
    chain_id, block = int(call("eth_chainId", []), 16), int(call("eth_blockNumber", []), 16)
    code = bytes.fromhex(call("eth_getCode", [pool, hex(block)])[2:])
    if not code:
        raise ChainError(f"no contract at {pool} on chain {chain_id}")
    abi = artifacts["SettlementPool"]["contractType"]["abi"]
    views = _Views(call, pool, abi, block)
    start = creation_block(call, pool, block) if first_block is None else first_block
    logs = _scan(call, pool, chain_id, start, block, store, on_progress)
    terms = Terms(*views.one("terms"))
    times: dict[int, int] = {}
    events = tuple(_to_event(log, abi, lambda number: _time(call, times, number)) for log in logs)
    token_balance = int(call("eth_getBalance", [pool, hex(block)]), 16)
    ether = token_balance
    if terms.token != ZERO_ADDRESS:
        data = to_hex(keccak(b"balanceOf(address)")[:4] + encode(["address"], [pool]))
        found = call("eth_call", [{"to": terms.token, "data": data}, hex(block)])
        token_balance = int(found, 16)
    number, current, active_at, active_number = views.many("status")
    return ChainFacts(
        chain_id=chain_id,
        pool=pool,
        block=block,
        timestamp=_time(call, times, block),
        terms=terms,
        code=code,
        registry_code=bytes.fromhex(call("eth_getCode", [terms.registry, hex(block)])[2:]),
        balance=token_balance,
        ether=ether,
        books=PoolBooks(
            number,
            STATUSES[current],
            active_at,
            active_number,
            views.one("unallocated"),
            views.one("pendingRevenue"),
            views.one("unclaimed"),
            views.one("bondHeld"),
            views.one("closed"),
            views.one("updatesHash"),
            tuple(tuple(views.many("commitments", stage)) for stage in range(terms.stage_count)),
        ),
        events=events,
        first_block=start,
        complete=start == 0 or _has_no_code(call, pool, start - 1),
        builds=_builds(artifacts),
    )


def creation_block(rpc: Rpc, address: str, latest: int) -> int:
    """The first block in which the address has code, by bisection; 0 where the node keeps no old state."""
    low, high = 0, latest
    try:
        while low < high:
            middle = (low + high) // 2
            if rpc("eth_getCode", [address, hex(middle)]) == "0x":
                low = middle + 1
            else:
                high = middle
    except ChainError:
        return 0
    return low


def _has_no_code(rpc: Rpc, address: str, block: int) -> bool:
    try:
        return bool(rpc("eth_getCode", [address, hex(block)]) == "0x")
    except ChainError:
        return False


def _guarded(rpc: Rpc) -> Rpc:
    """Whatever a node or its client raises becomes a ChainError."""

    def call(method: str, params: list[Any]) -> Any:
        try:
            answer = rpc(method, params)
        except AmeError:
            raise
        except Exception as error:
            raise ChainError(f"{method}: {type(error).__name__}: {error}") from error
        return _plain(answer)

    return call


def _plain(value: Any) -> Any:
    """Clients of Python give bytes and numbers where JSON-RPC has hex."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return "0x" + bytes(value).hex()
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value]


def _scan(
    rpc: Rpc,
    pool: str,
    chain_id: int,
    start: int,
    end: int,
    store: Path | None,
    on_progress: Progress | None,
) -> list[dict[str, Any]]:
    kept, first = _load(store, pool, chain_id, start, end)
    step = BLOCKS_PER_REQUEST
    while first <= end:
        last = min(end, first + step - 1)
        try:
            found = rpc("eth_getLogs", [{"address": pool, "fromBlock": hex(first), "toBlock": hex(last)}])
        except ChainError:
            if step <= FEWEST_BLOCKS:
                raise
            step = max(FEWEST_BLOCKS, step // 4)  # nodes differ in how much they give at once
            continue
        kept += [log for log in found if not log.get("removed")]
        first = last + 1
        if on_progress is not None:
            on_progress(first - start, end - start + 1)
        if store is not None:
            _save(store, pool, chain_id, start, last, kept)
    kept.sort(key=lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)))
    return kept


def _load(
    store: Path | None, pool: str, chain_id: int, start: int, end: int
) -> tuple[list[dict[str, Any]], int]:
    """Logs of an earlier scan, without its last blocks, which may have been reorganised; and where to go on."""
    if store is None or not store.exists():
        return [], start
    try:
        saved = json.loads(store.read_text())
        same = (EVENTS_FORMAT, pool, chain_id, start)
        if (saved["format"], saved["pool"], saved["chain_id"], saved["first"]) != same or saved["last"] > end:
            return [], start
        again = max(start, saved["last"] + 1 - REORGANISED)
        return [log for log in saved["logs"] if int(log["blockNumber"], 16) < again], again
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise FileError(
            f"not the events of an earlier scan: {error}; delete it to scan anew", file=store
        ) from error


def _save(store: Path, pool: str, chain_id: int, first: int, last: int, logs: list[dict[str, Any]]) -> None:
    draft = store.with_suffix(".draft")
    saved = {
        "format": EVENTS_FORMAT, "pool": pool, "chain_id": chain_id, "first": first, "last": last, "logs": logs,
    }  # fmt: skip
    store.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(json.dumps(saved))
    draft.rename(store)


def _time(rpc: Rpc, known: dict[int, int], block: int) -> int:
    if block not in known:
        known[block] = int(rpc("eth_getBlockByNumber", [hex(block), False])["timestamp"], 16)
    return known[block]


def _to_event(log: Mapping[str, Any], abi: list[dict[str, Any]], time_of: Callable[[int], int]) -> PoolEvent:
    topic = log["topics"][0]
    entry = next(
        (e for e in abi if e["type"] == "event" and to_hex(keccak(_signature(e).encode())) == topic), None
    )
    block, index = int(log["blockNumber"], 16), int(log["logIndex"], 16)
    if entry is None:
        return PoolEvent(block, index, "unknown", {"topic": topic})
    indexed = [field for field in entry["inputs"] if field.get("indexed")]
    others = [field for field in entry["inputs"] if not field.get("indexed")]
    values = decode([_type(field) for field in others], bytes.fromhex(log["data"][2:]))
    args = dict(
        zip((field["name"] for field in others), map(_value, values, map(_type, others)), strict=True)
    )
    for field, word in zip(indexed, log["topics"][1:], strict=True):
        [value] = decode([_type(field)], bytes.fromhex(word[2:]))
        args[field["name"]] = _value(value, _type(field))
    if entry["name"] == "Proposed":
        args["stages"] = tuple(
            StageUpdate(LedgerCommitment(*before), LedgerCommitment(*after), root, total)
            for before, after, root, total in args["stages"]
        )
        args["timestamp"] = time_of(block)
    return PoolEvent(block, index, entry["name"], args)


class _Views:
    """A contract's views as of one block."""

    def __init__(self, rpc: Rpc, address: str, abi: list[dict[str, Any]], block: int) -> None:
        self.rpc, self.address, self.block = rpc, address, block
        self.functions = {entry["name"]: entry for entry in abi if entry["type"] == "function"}

    def many(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """All that a view returns."""
        entry = self.functions[name]
        data = keccak(_signature(entry).encode())[:4] + encode(
            [_type(field) for field in entry["inputs"]], arguments
        )
        answer = self.rpc("eth_call", [{"to": self.address, "data": to_hex(data)}, hex(self.block)])
        types = [_type(field) for field in entry["outputs"]]
        return tuple(map(_value, decode(types, bytes.fromhex(answer[2:])), types))

    def one(self, name: str, *arguments: Any) -> Any:
        """The one thing that a view returns."""
        [value] = self.many(name, *arguments)
        return value


def _signature(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']}({','.join(_type(field) for field in entry['inputs'])})"


def _type(field: Mapping[str, Any]) -> str:
    if not field["type"].startswith("tuple"):
        return str(field["type"])
    inner = ",".join(_type(part) for part in field["components"])
    return f"({inner}){field['type'].removeprefix('tuple')}"


def _value(value: Any, kind: str) -> Any:
    """eth_abi gives addresses in lower case."""
    if kind == "address":
        return to_checksum_address(value)
    if kind.startswith("(") and kind.endswith(")"):
        parts = kind[1:-1].split(",")
        flat = "(" not in kind[1:-1]
        return tuple(map(_value, value, parts)) if flat else value
    return value


def _builds(artifacts: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """Runtime code of the shipped builds."""
    return {
        name: bytes.fromhex(artifact["contractType"]["runtimeBytecode"]["bytecode"].removeprefix("0x"))
        for name, artifact in artifacts.items()
    }
