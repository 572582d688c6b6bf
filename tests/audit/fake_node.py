"""A node made of ChainFacts: answers JSON-RPC with encoded logs and views, so that gatherers meet what chains send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from eth_abi.abi import encode

from ame.audit.facts import STATUSES, ChainFacts, PoolEvent
from ame.audit.gather import _signature, _type
from ame.encoding import keccak, to_hex
from ame.execution.chain import artifact


class FakeNode:
    """`most_blocks`: how many blocks one eth_getLogs may ask for; `failures`: how many calls fail first."""

    def __init__(self, facts: ChainFacts, most_blocks: int = 10**9, failures: int = 0) -> None:
        self.facts, self.most_blocks, self.failures = facts, most_blocks, failures
        self.abi = artifact("SettlementPool")["contractType"]["abi"]
        self.asked: list[tuple[int, int]] = []

    def rpc(self, method: str, params: list[Any]) -> Any:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("connection refused")
        return getattr(self, method)(*params)

    def eth_chainId(self) -> str:
        return hex(self.facts.chain_id)

    def eth_blockNumber(self) -> str:
        return hex(self.facts.block)

    def eth_getCode(self, address: str, _block: str) -> str:
        pool = address.lower() == self.facts.pool.lower()
        return to_hex(self.facts.code if pool else self.facts.registry_code)

    def eth_getBalance(self, _address: str, _block: str) -> str:
        return hex(self.facts.balance)

    def eth_getBlockByNumber(self, block: str, _full: bool) -> dict[str, str]:
        times = {event.block: event.args["timestamp"] for event in self.facts.named("Proposed")}
        return {"timestamp": hex(times.get(int(block, 16), self.facts.timestamp)), "number": block}

    def eth_getLogs(self, query: dict[str, str]) -> list[dict[str, Any]]:
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        self.asked.append((first, last))
        if last - first + 1 > self.most_blocks:
            raise ValueError("block range too large")
        return [self._log(event) for event in self.facts.events if first <= event.block <= last]

    def eth_call(self, call: dict[str, str], _block: str) -> str:
        data = bytes.fromhex((call.get("data") or call["input"])[2:])
        entry = next(
            e for e in self.abi if e["type"] == "function" and keccak(_signature(e).encode())[:4] == data[:4]
        )
        books = self.facts.books
        values: dict[str, list[Any]] = {
            "terms": [tuple(self.facts.terms)],
            "status": [books.number, STATUSES.index(books.current), books.active_at, books.active_number],
            "unallocated": [books.unallocated],
            "pendingRevenue": [books.pending_revenue],
            "unclaimed": [books.unclaimed],
            "bondHeld": [books.bond_held],
            "closed": [books.closed],
            "updatesHash": [books.updates_hash],
        }
        if entry["name"] == "commitments":
            values["commitments"] = list(books.commitments[int.from_bytes(data[4:36])])
        return to_hex(encode([_type(field) for field in entry["outputs"]], values[entry["name"]]))

    def _log(self, event: PoolEvent) -> dict[str, Any]:
        entry = next(e for e in self.abi if e["type"] == "event" and e["name"] == event.name)
        topics, types, values = [to_hex(keccak(_signature(entry).encode()))], [], []
        for field in entry["inputs"]:
            value = event.args[field["name"]]
            if field["indexed"]:
                topics.append(to_hex(encode([_type(field)], [value])))
            else:
                types.append(_type(field))
                values.append(value)
        return {
            "address": self.facts.pool, "topics": topics, "data": to_hex(encode(types, values)),
            "blockNumber": hex(event.block), "logIndex": hex(event.log_index), "removed": False,
            "transactionHash": "0x" + "00" * 32, "transactionIndex": "0x0", "blockHash": "0x" + "00" * 32,
        }  # fmt: skip


@contextmanager
def served(node: FakeNode) -> Iterator[str]:
    """The node behind a local URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
            try:
                answer["result"] = node.rpc(request["method"], request.get("params", []))
            except Exception as error:
                answer["error"] = {"code": -32000, "message": str(error)}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
