"""An anvil of our own, and pools on it: what the page meets."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from web3 import HTTPProvider, Web3

from ame.bundle import Bundle, Token, write_bundle
from ame.encoding import ZERO_ADDRESS, account_id, keccak, typed_data
from ame.execution.chain import artifact
from ame.execution.ledger import StageLedger
from ame.execution.settlement import settle
from ame.portal.export import Published, Site, site_files, write
from ame.records import Allocation, AllocationLine, Shares, Terms, UsageRecord

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from foundry import environment, native  # noqa: E402 - a script, not a package

STAGES = ("training_data", "base_model", "fine_tuning", "prompt")
CHALLENGE_SECONDS = 3600
OPERATOR, REGISTRAR, ALICE, BOB, OUTSIDER = (
    Account.from_key(keccak(f"portal {role}".encode()))
    for role in ("operator", "registrar", "alice", "bob", "outsider")
)
# Worth of each coalition in parts per million of the revenue, for four stages.
PPM = (0, 210, 330, 470, 120, 350, 480, 640, 60, 290, 400, 560, 230, 520, 720, 1000)


def plain(value: Any) -> Any:
    """web3 wants bare tuples where Ape takes records."""
    return tuple(map(plain, value)) if isinstance(value, tuple | list) else value


class Devnet:
    """anvil on a free port, with money for everybody."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.web3 = Web3(HTTPProvider(url))
        for person in (OPERATOR, REGISTRAR, ALICE, BOB, OUTSIDER):
            self.give(person.address)

    def give(self, address: str, wei: int = 10**21) -> None:
        self.rpc("anvil_setBalance", address, hex(wei))

    def rpc(self, method: str, *params: Any) -> Any:
        answer = self.web3.provider.make_request(method, list(params))  # type: ignore[arg-type]
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def send(self, call: Any, sender: Any = OPERATOR, value: int = 0) -> Any:
        """Sign, send and mine; the receipt."""
        fields = {
            "from": sender.address,
            "value": value,
            "nonce": self.web3.eth.get_transaction_count(sender.address),
            "chainId": self.web3.eth.chain_id,
            "gasPrice": 2 * 10**9,
        }
        signed = sender.sign_transaction(call.build_transaction(fields))
        receipt = self.web3.eth.wait_for_transaction_receipt(
            self.web3.eth.send_raw_transaction(signed.raw_transaction), poll_latency=0.02
        )
        assert receipt["status"] == 1, receipt
        return receipt

    def deploy(self, name: str, *arguments: Any) -> Any:
        kind = artifact(name)["contractType"]
        contract = self.web3.eth.contract(abi=kind["abi"], bytecode=kind["deploymentBytecode"]["bytecode"])
        address = self.send(contract.constructor(*arguments))["contractAddress"]
        return self.web3.eth.contract(address=address, abi=kind["abi"])

    def deploy_plain(self, code: str) -> str:
        """A contract of bare creation code."""
        return str(self.send(self.web3.eth.contract(abi=[], bytecode=code).constructor())["contractAddress"])

    def pass_time(self, seconds: int) -> None:
        self.rpc("evm_increaseTime", seconds)
        self.rpc("evm_mine")


@contextmanager
def devnet() -> Iterator[Devnet]:
    """Start anvil; it ends with the block."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [native("anvil"), "--port", "0", "--chain-id", "31337", "--hardfork", "prague"],
            stdout=log, stderr=subprocess.STDOUT, env=environment(),
        )  # fmt: skip
        try:
            yield Devnet(_address_of(process, log))
        finally:
            process.kill()
            process.wait()


def _address_of(process: subprocess.Popen[bytes], log: Any) -> str:
    for _ in range(300):
        log.seek(0)
        for line in log:
            if "Listening on " in line:
                return "http://" + line.split("Listening on ")[1].strip()
        if process.poll() is not None:
            break
        time.sleep(0.05)
    log.seek(0)
    raise RuntimeError(f"anvil did not start: {log.read()}")


def rights_text(names: Sequence[str] = ("hf",)) -> bytes:
    registrars = ", ".join(f'{name}: "{REGISTRAR.address}"' for name in names)
    return f"""format: ame-rights/1
registrars: {{{registrars}}}
contributors:
  - {{name: "hf:nobody", wallet: "{OUTSIDER.address}"}}
assets:
  - id: demo
    stage: training_data
    license: CC-BY-4.0
    holders: [{{contributor: "hf:nobody", ppm: 1000000, from: 2026-01-01T00:00:00Z}}]
""".encode()


@dataclass
class World:
    """A pool and its published settlements."""

    net: Devnet
    folder: Path
    decimals: int = 6
    symbol: str = "USDC"
    eth: bool = False
    abandon_seconds: int = 0
    registry: Any = None
    pool: Any = None
    token: Token = field(init=False)
    terms: Terms = field(init=False)
    ledgers: tuple[StageLedger, ...] = (StageLedger(),) * len(STAGES)
    published: list[Published] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    start_block: int = 0

    def __post_init__(self) -> None:
        net = self.net
        self.start_block = net.web3.eth.block_number
        self.registry = net.deploy("ContributorRegistry")
        if self.eth:
            self.token = Token(ZERO_ADDRESS, "ETH", 18)
        else:
            self.coin = net.deploy("TestToken", "Test dollar", self.symbol, self.decimals)
            self.token = Token(self.coin.address, self.symbol, self.decimals)
        self.terms = Terms(
            self.token.address, len(STAGES), OPERATOR.address, REGISTRAR.address, self.registry.address,
            CHALLENGE_SECONDS, self.abandon_seconds, 0, 10**16, bytes(31) + b"\x07",
        )  # fmt: skip
        self.pool = net.deploy("SettlementPool", plain(self.terms))

    @property
    def unit(self) -> int:
        return 10**self.token.decimals

    def deposit(self, amount: int) -> None:
        if self.eth:
            self.net.send(self.pool.functions.deposit(amount, bytes(32)), value=amount)
            return
        self.net.send(self.coin.functions.mint(OPERATOR.address, amount))
        self.net.send(self.coin.functions.approve(self.pool.address, amount))
        self.net.send(self.pool.functions.deposit(amount, bytes(32)))

    def bundle(
        self, people: Sequence[tuple[bytes, str, Sequence[int]]], revenue: int, **change: Any
    ) -> Bundle:
        """A settlement of `revenue`: each contributor (id, name, weight per stage)."""
        number = (self.published[-1].bundle.settlement.number if self.published else 0) + 1
        number = change.get("number", number)
        table = tuple(revenue * ppm // 1000 for ppm in PPM)
        reasons = change.get("reasons") or (lambda stage: (f"asset demo/{stage}: holds 60.00 % of it",))
        others = [(account_id(OUTSIDER.address), "", (1,) * len(STAGES))]  # where nobody else worked
        lines = tuple(
            tuple(
                AllocationLine(who, weights[at], tuple(reasons(stage)))
                for who, _, weights in (sorted(one for one in people if one[2][at]) or others)
            )
            for at, stage in enumerate(STAGES)
        )
        names = {who: name for who, name, _ in people if name}
        allocation = Allocation(STAGES, table, lines, names)
        books = settle(allocation, self.ledgers, chain_id=31337, pool=self.pool.address, number=number)
        month = datetime(2026, 1 + (number - 1) % 12, 3, tzinfo=UTC)
        usage = tuple(
            UsageRecord(
                f"sale-{number}-{n}", "portrait" if n % 3 else "poster", part, month.replace(day=3 + n)
            )
            for n, part in enumerate([revenue // 10] * 9 + [revenue - revenue // 10 * 9])
        )
        shares = Shares(STAGES, table, tuple({f"demo/{stage}": 1} for stage in STAGES))
        return Bundle(
            books, self.token, self.terms, usage, {}, shares, rights_text(), month, allocation, None
        )

    def propose(
        self, people: Sequence[tuple[bytes, str, Sequence[int]]], revenue: int, **change: Any
    ) -> Bundle:
        bundle = self.bundle(people, revenue, **change)
        self.deposit(revenue)
        folder = self.folder / f"bundle-{bundle.settlement.number}"
        evidence = write_bundle(folder, bundle)
        table, before, stages = bundle.books.proposal
        self.net.send(self.pool.functions.propose(*plain([table, before, stages]), evidence))
        self.published.append(Published(bundle, evidence))
        self.folders.append(folder)
        return bundle

    def activate(self) -> None:
        self.net.pass_time(CHALLENGE_SECONDS + 1)
        self.ledgers = self.published[-1].bundle.books.ledgers

    def settle(
        self, people: Sequence[tuple[bytes, str, Sequence[int]]], revenue: int, **change: Any
    ) -> Bundle:
        bundle = self.propose(people, revenue, **change)
        self.activate()
        return bundle

    def export(self, published: Sequence[Published] | None = None, **site: Any) -> Path:
        """The site of these settlements, of this pool or of several."""
        made = self.folder / "site"
        options = {
            "rpc": self.net.url,
            "chain_name": "Local chain",
            "from_block": self.start_block,
            "title": "Portrait studio",
        }
        write(made, site_files(published or self.published, Site(**{**options, **site})))
        return made

    def voucher(
        self,
        name: str,
        holder: Any,
        deadline: int | None = None,
        recovery_seconds: int = 0,
        content: bytes | None = None,
    ) -> dict[str, str]:
        """What the registrar gives to the holder of a name, or of contested content, which has none."""
        name = name if content is None else f"sha256:{content.hex()}"
        raw = {} if content is None else {"external_id_hash": "0x" + content.hex()}
        deadline = deadline or int(self.net.web3.eth.get_block("latest")["timestamp"]) + 7 * 86_400
        message = typed_data(
            "AME ContributorRegistry", 31337, self.registry.address, "Vouch",
            externalIdHash=content or keccak(name.encode()), holder=holder.address, recoverySeconds=recovery_seconds,
            deadline=deadline,
        )  # fmt: skip
        signature = REGISTRAR.sign_message(encode_typed_data(full_message=message)).signature
        return raw | {
            "format": "ame-voucher/1", "chain_id": "31337", "registry": self.registry.address, "name": name,
            "registrar": REGISTRAR.address, "holder": holder.address, "recovery_seconds": str(recovery_seconds),
            "deadline": str(deadline), "signature": "0x" + signature.hex(),
        }  # fmt: skip


def person(account: Any, *weights: int, name: str = "") -> tuple[bytes, str, tuple[int, ...]]:
    return account_id(account.address), name, weights or (3, 0, 2, 1)
