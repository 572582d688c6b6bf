"""What each call costs, as receipts of real transactions on anvil, beside peers' contracts (tests/gas/peers.json).

    python scripts/gas.py            prints the tables and writes docs/gas.md
    python scripts/gas.py --check    exits 1 unless docs/gas.md holds exactly these figures

The contracts are the frozen ones that the wheel deploys, the token is OpenZeppelin's ERC-20. Siblings are those of full
trees whose other leaves all earn the same. All inputs are fixed, so the figures are the same wherever this runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from socket import socket
from textwrap import fill
from typing import Any
from urllib.request import Request, urlopen

from eth_abi.abi import encode
from foundry import ROOT, environment, native

from ame.arithmetic import stage_amounts
from ame.encoding import keccak, leaf_hash, node_hash

ARTIFACTS = ROOT / "ame" / "execution" / "artifacts"
SNAPSHOT = ROOT / "tests" / "gas" / "contracts.json"
PEERS = ROOT / "tests" / "gas" / "peers.json"
WITHOUT = ROOT / "tests" / "gas" / "without_fraud_proofs.json"
PAGE = ROOT / "docs" / "gas.md"

DEPTHS = (10, 17, 20)
STAGES = 4
DAY = 86_400
COUNT = 64  # recipients of one range
EACH = 1_500_000  # what everybody earns per epoch and stage
ZERO = "0x" + "00" * 20
ETHER = 10**18
AGREEMENT = 0.01  # receipts against Forge's isolated calls, whose random siblings have other zero bytes

TEXT = """# Gas

Written by `make gas`: receipts of real transactions on anvil (21,000 and calldata included), through the frozen contracts,
an OpenZeppelin ERC-20, storage cold. In thousands, at depth 10 / 17 / 20: a thousand, a hundred thousand and a million
contributors.

{peers}

## One claim, ERC-20

{claims}
AME's claim also looks the payee up in the registry (one cold account, one cold word: 4.7), keeps a re-entrancy guard, and
ends by checking that the pool still holds all that is reserved. `posting` is one settlement: for AME the value table of 16
coalitions, Shapley values computed on chain, four ledgers and their weights.

## One later claim, ETH

{ether}
## Paying many, per recipient, depth 20

{many}
## To the unit

"Without" is the same pool without its fraud proofs: no challenges and demands, nothing stored for them
(`scripts/fraud_proof_gas.py` cuts them out of the sources, and compiles what is left with the shipped settings).

{exact}
Claims pay nothing for fraud proofs. That is no accident: proofs of fraud are followed, and bonds sent, by code of their
own, because the compiler writes a function with one caller in place and calls one with two; an open demand stands right
above the time of activation in the state's word, so that one comparison looks at both; and the names and the order of
parameters of the claims were chosen so that their selectors, which the compiler tries one after the other, come before
those of the fraud proofs. `range` and `batch` are calls of {count} claims, and write the activation.

The same calls as Forge measures them, isolated, are in `tests/gas/contracts.json`, which `make test` holds against the
sources; `make gas` fails where the two differ by more than {agreement}: their trees are different, and with them the zero
bytes of the calldata.
"""

Node = tuple[bytes, int]


class Anvil:
    """A node of its own, and its first account."""

    def __init__(self) -> None:
        with closing(socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [str(native("anvil")), "--silent", "--port", str(port), "--hardfork", "prague"]
        self.url, self._id = f"http://127.0.0.1:{port}", 0
        self.process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.accounts = [str(one) for one in self.ask("eth_accounts")]
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("anvil did not start")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()

    def ask(self, method: str, *params: Any) -> Any:
        self._id += 1
        body = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        request = Request(self.url, json.dumps(body).encode(), {"content-type": "application/json"})
        with urlopen(request, timeout=60) as answer:
            found = json.loads(answer.read())
        if "error" in found:
            sys.exit(f"{method}: {found['error']}")
        return found["result"]

    def send(self, to: str | None, data: bytes, value: int = 0) -> dict[str, Any]:
        """The receipt of a transaction, which must succeed."""
        sent = {
            "from": self.accounts[0],
            "data": "0x" + data.hex(),
            "gas": hex(16_000_000),
            "value": hex(value),
        }
        hash_ = self.ask("eth_sendTransaction", sent | ({"to": to} if to else {}))
        while (receipt := self.ask("eth_getTransactionReceipt", hash_)) is None:
            time.sleep(0.005)
        if receipt["status"] != "0x1":
            sys.exit(f"a transaction to {to or 'a new contract'} failed")
        return dict(receipt)

    def pass_time(self, seconds: int) -> None:
        self.ask("evm_increaseTime", seconds)
        self.ask("evm_mine")


def _type(item: dict[str, Any]) -> str:
    if not item["type"].startswith("tuple"):
        return str(item["type"])
    return "(" + ",".join(map(_type, item["components"])) + ")" + str(item["type"])[5:]


class Contract:
    """A frozen contract, or one that was built otherwise, deployed; `call` gives the gas of the receipt."""

    def __init__(self, node: Anvil, name: str, *arguments: Any, built: dict[str, Any] | None = None) -> None:
        frozen = built or json.loads((ARTIFACTS / f"{name}.json").read_text())["contractType"]
        self.node, self.abi = node, frozen["abi"]
        types = next(
            ([_type(one) for one in entry["inputs"]] for entry in self.abi if entry["type"] == "constructor"),
            [],
        )
        code = bytes.fromhex(frozen["deploymentBytecode"]["bytecode"].removeprefix("0x"))
        self.address = str(node.send(None, code + encode(types, arguments))["contractAddress"])

    def call(self, name: str, *arguments: Any, value: int = 0) -> int:
        entry = next(one for one in self.abi if one["type"] == "function" and one["name"] == name)
        types = [_type(one) for one in entry["inputs"]]
        selector = keccak(f"{name}({','.join(types)})".encode())[:4]
        return int(self.node.send(self.address, selector + encode(types, arguments), value)["gasUsed"], 16)


def packed(node: Node) -> bytes:
    return node[0] + node[1].to_bytes(16, "big")


def parent(left: Node, right: Node) -> Node:
    return node_hash(*left, *right), left[1] + right[1]


def leaf(payee: bytes, cumulative: int) -> Node:
    return leaf_hash(payee, cumulative), cumulative


def climb(node: Node, index: int, levels: range, total: int, seed: bytes) -> tuple[Node, bytes]:
    """From a node to the root, whose sum becomes `total`; siblings as in a full tree, the last takes the rest."""
    proof = b""
    for level in levels:
        last = level == levels[-1]
        sibling = (
            keccak(seed + bytes([level])),
            total - node[1] if last else min(EACH << level, total - node[1]),
        )
        proof += packed(sibling)
        node = parent(sibling, node) if index >> (level - levels[0]) & 1 else parent(node, sibling)
    return node, proof


@dataclass
class Opened:
    """A leaf and its proof."""

    payee: bytes
    cumulative: int
    index: int
    proof: bytes

    def claim(self, stage: int) -> tuple[int, int, bytes, int, bytes]:
        return stage, self.index, self.payee, self.cumulative, self.proof


class Pool:
    """A pool with four stages whose ledgers have the given depth; stage 0 is what is measured."""

    def __init__(
        self, node: Anvil, token: Contract | None, depth: int, built: dict[str, Any] | None = None
    ) -> None:
        self.node, self.token, self.depth, self.epoch = node, token, depth, 0
        self.contributors = Contract(node, "ContributorRegistry")
        self.contract = Contract(
            node, "SettlementPool",
            (token.address if token else ZERO, STAGES, node.accounts[0], ZERO, self.contributors.address,
             DAY, 30 * DAY, ETHER, ETHER // 10, bytes(32)),
            built=built,
        )  # fmt: skip
        if token:
            token.call("approve", self.contract.address, 2**256 - 1)
        self.ledgers = [(keccak(bytes(96)), 0, 1)] * STAGES
        self.revenue = STAGES * (EACH << depth) + 12_345
        self.table = [self.revenue * size // (1 << STAGES) for size in range(1 << STAGES)]
        self.table[-1] = self.revenue

    def deposit(self) -> int:
        value = 0 if self.token else self.revenue
        return self.contract.call("deposit", self.revenue, b"invoice".ljust(32, b"\0"), value=value)

    def propose(self, build: Callable[[int, int], Node]) -> int:
        """Posts the next settlement; `build` makes a stage's root of its number and total. It becomes active."""
        self.epoch += 1
        after, stages = [], []
        for stage, amount in enumerate(stage_amounts(self.table)):
            total = self.ledgers[stage][1] + amount
            root, found = build(stage, total)
            if found != total:
                sys.exit(f"a ledger of {found} where {total} was due")
            after.append((root, total, self.depth))
            stages.append((root, self.depth, keccak(bytes([stage, self.epoch])), 12_345_678_901_234_567))
        gas = self.contract.call(
            "propose", self.table, self.ledgers, stages, b"evidence".ljust(32, b"\0"),
            value=0 if self.epoch > 1 else ETHER,
        )  # fmt: skip
        self.ledgers = after
        self.node.pass_time(DAY + 1)
        return gas

    def settle(self, payee: bytes) -> list[Opened]:
        """A settlement whose every stage has one leaf that we can open: the payee's, and in stage 1 somebody else's."""
        opened = []

        def build(stage: int, total: int) -> Node:
            one, cumulative = (account(b"other"), 1) if stage == 1 else (payee, EACH * self.epoch)
            index = 0x5A5A5 % (1 << self.depth)
            seed = bytes([stage, self.epoch, self.depth])
            root, proof = climb(leaf(one, cumulative), index, range(self.depth), total, seed)
            opened.append(Opened(one, cumulative, index, proof))
            return root

        self.deposit()
        self.propose(build)
        return opened

    def claim(self, payee: bytes, epochs: int = 1) -> int:
        """Gas of the payee's claim, after that many settlements and somebody's first claim, which writes the activation."""
        for _ in range(epochs):
            opened = self.settle(payee)
        self.contract.call("claim", opened[1].claim(1))
        return self.contract.call("claim", opened[0].claim(0))


def account(name: bytes) -> bytes:
    """The id of an account that nobody has used."""
    return bytes(12) + keccak(name)[:20]


def neighbours(pool: Pool, claim: Callable[[Sequence[Opened], bytes, int], int]) -> int:
    """Gas when 64 neighbours are paid, the second time."""
    payees = [account(b"neighbour %d" % i) for i in range(COUNT)]
    first = 3 * COUNT
    for _ in range(2):
        found: list[tuple[list[Opened], bytes]] = []

        def build(stage: int, total: int, found: list[tuple[list[Opened], bytes]] = found) -> Node:
            if stage:
                root, _ = climb((bytes(32), 0), 0, range(pool.depth), total, bytes([stage]))
                return root
            levels = [[leaf(payee, EACH * pool.epoch) for payee in payees]]
            while len(levels[-1]) > 1:
                below = levels[-1]
                levels.append([parent(below[i], below[i + 1]) for i in range(0, len(below), 2)])
            height = len(levels) - 1
            root, upper = climb(levels[-1][0], first >> height, range(height, pool.depth), total, b"upper")
            opened = []
            for i, payee in enumerate(payees):
                lower = b"".join(packed(levels[level][(i >> level) ^ 1]) for level in range(height))
                opened.append(Opened(payee, EACH * pool.epoch, first + i, lower + upper))
            found.append((opened, upper))
            return root

        pool.deposit()
        pool.propose(build)
        opened, upper = found[0]
        gas = claim(opened, upper, first)
    return gas


def measure(node: Anvil, built: dict[str, Any] | None = None) -> dict[str, int]:
    """Every figure by its name, of the frozen pool or of another one."""
    token = Contract(node, "TestToken", "Test Dollar", "TUSD", 6)
    token.call("mint", node.accounts[0], 10**18)
    figures = {}
    for depth in DEPTHS:
        pool, payee = Pool(node, token, depth, built), account(b"payee %d" % depth)
        figures[f"first {depth}"] = pool.claim(payee)
        figures[f"later {depth}"] = pool.claim(payee)
        if depth == DEPTHS[-1]:
            figures["twelve"] = pool.claim(payee, epochs=12)
            pool.settle(payee)
            figures["deposit"] = pool.deposit()
            figures["propose"] = pool.propose(lambda stage, total: (keccak(bytes([stage])), total))
        ether = Pool(node, None, depth, built)
        ether.claim(payee)
        figures[f"ether {depth}"] = ether.claim(payee)
    for name, token_ in (("range", token), ("range in ether", None)):
        pool = Pool(node, token_, DEPTHS[-1], built)

        def by_range(opened: Sequence[Opened], upper: bytes, first: int, pool: Pool = pool) -> int:
            ids, cumulatives = [one.payee for one in opened], [one.cumulative for one in opened]
            return pool.contract.call("claimRange", (0, ids, cumulatives, first, pool.depth, upper))

        figures[name] = neighbours(pool, by_range)
    pool = Pool(node, token, DEPTHS[-1], built)
    figures["batch"] = neighbours(
        pool, lambda opened, *_: pool.contract.call("claimBatch", [one.claim(0) for one in opened])
    )
    return figures


def disagreement(figures: dict[str, int]) -> str:
    """How far receipts are from Forge's isolated calls; empty if they agree."""
    forge = {name: int(text) for name, text in json.loads(SNAPSHOT.read_text()).items()}
    pairs = {
        "claim, first by a new token holder, ERC-20, D 20": figures["first 20"],
        "claim, later, ERC-20, D 20": figures["later 20"],
        "claim, 12 epochs at once, ERC-20, D 20": figures["twelve"],
        "claim, later, ETH, D 20": figures["ether 20"],
        "claimRange of 64, ERC-20, D 20, each": figures["range"] / COUNT,
        "claimRange of 64, ETH, D 20, each": figures["range in ether"] / COUNT,
        "deposit, ERC-20, steady": figures["deposit"],
        "propose, 4 stages, steady": figures["propose"],
    }
    far = [
        f"{name}: {gas} by receipt, {forge[name]} by Forge"
        for name, gas in pairs.items()
        if abs(gas / forge[name] - 1) > AGREEMENT
    ]
    return "\n".join(far)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def thousands(*gas: float) -> str:
    return " / ".join(f"{one:.1f}" for one in gas)


def page(figures: dict[str, int]) -> str:
    """docs/gas.md."""
    peers = json.loads(PEERS.read_text())
    posts = {one["system"]: one["gas"] for one in peers["post"]}

    def ours(kind: str) -> str:
        return "**" + thousands(*(figures[f"{kind} {depth}"] / 1000 for depth in DEPTHS)) + "**"

    def each(kind: str) -> str:
        return f"{figures[kind] / COUNT / 1000:.1f}"

    claims = [["**AME**", "yes", ours("first"), ours("later"), f"**{figures['twelve'] / 1000:.1f}**",
               f"**{figures['propose'] / 1000:.1f}**"]]  # fmt: skip
    claims += [
        [one["system"], "yes" if one["proves_total"] else "no", thousands(*one["first"]), thousands(*one["later"]),
         f"{one['twelve']:.1f}", posts.get(one["system"], "")]
        for one in peers["claims"]
    ]  # fmt: skip
    ether = [
        ["**AME**", ours("ether")],
        *([one["system"], thousands(*one["later"])] for one in peers["ether"]),
    ]
    many = [
        [f"**AME, `claimRange` of {COUNT}**", f"**{each('range')}**"],
        [f"AME, `claimRange` of {COUNT}, ETH", each("range in ether")],
        [f"AME, `claimBatch` of {COUNT}, a proof each", each("batch")],
        *([one["system"], f"{one['each']:.1f}"] for one in peers["many"]),
    ]
    without = json.loads(WITHOUT.read_text())
    exact = [
        [f"`{name}`", f"{gas:,}", f"{without[name]:,}", f"{gas - without[name]:,}"]
        for name, gas in figures.items()
    ]
    return TEXT.format(
        peers=fill("Peers (`tests/gas/peers.json`): " + peers["about"], 124),
        claims=table(
            ["system", "total proven", "first by a new holder", "later", "12 epochs, depth 20", "posting"],
            claims,
        ),
        ether=table(["system", "gas"], ether),
        many=table(["system", "gas"], many),
        exact=table(["case", "gas", "without", "more"], exact),
        agreement=f"{AGREEMENT:.0%}",
        count=COUNT,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if docs/gas.md is another"
    )
    check = arguments.parse_args().check
    with closing(Anvil()) as node:
        figures = measure(node)
    text = page(figures)
    if not check:
        PAGE.write_text(text)
    print(text)
    if far := disagreement(figures):
        sys.exit(far)
    if PAGE.read_text() != text:
        sys.exit("docs/gas.md holds other figures: run `make gas`")


if __name__ == "__main__":
    main()
