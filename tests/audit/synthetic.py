"""Random honest histories of a pool without a chain: bundles on the disk, and the facts that a chain would tell."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from ame.attribution.hierarchical import plan_hierarchy, solve_exact
from ame.attribution.measure import stage_tree
from ame.attribution.policies import PLAIN
from ame.audit.facts import ACTIVE, PENDING, ChainFacts, PoolBooks, PoolEvent
from ame.bundle import Bundle, Token, write_bundle
from ame.encoding import commitment
from ame.execution.ledger import StageLedger
from ame.pipeline import Epoch, settle
from ame.records import Measurement, Terms, UsageRecord

POOL = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
REGISTRAR = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
WALLETS = (
    "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
    "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
    "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
)
TERMS = Terms(
    "0x0000000000000000000000000000000000000000", 3, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x0000000000000000000000000000000000000000", "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512",
    3600, 0, 10**18, 10**16, bytes(31) + b"\x07",
)  # fmt: skip
STAGES = ("training_data", "base_model", "prompt")
COIN = Token("0x0000000000000000000000000000000000000000", "ETH", 18)
RUNTIME = bytes(range(256)) * 4
BUILDS = {"SettlementPool": RUNTIME, "ContributorRegistry": RUNTIME}


def measurement(name: str, sizes: tuple[int, ...], seed: random.Random) -> Measurement:
    """A monotone random game, its values as `measure` would solve them."""
    assets = tuple(
        tuple(f"{name}/{stage}/{number}" for number in range(size))
        for stage, size in zip(STAGES, sizes, strict=True)
    )
    players = sum(sizes)
    worth = [seed.randrange(20_000, 200_000) for _ in range(players)]
    plan = plan_hierarchy(stage_tree(assets), players)
    masks = [int(mask) for mask in plan.coalitions]
    values = [
        sum(part for player, part in enumerate(worth) if mask >> player & 1) + seed.randrange(5_000)
        for mask in masks
    ]
    solved = iter(solve_exact(plan, values).exact_values)
    inner: tuple[tuple[Fraction, ...], ...] = tuple(tuple(next(solved) for _ in own) for own in assets)
    return Measurement(
        name, STAGES, assets, dict(zip(masks, values, strict=True)), inner,
        tuple((0,) * size for size in sizes), "hierarchical-exact", 0, len(masks), "ab" * 32, PLAIN.log(),
    )  # fmt: skip


def rights(measurements: dict[str, Measurement], people: int, seed: random.Random) -> bytes:
    """Everybody holds something; some without a wallet."""
    lines = ["format: ame-rights/1", f"stages: [{', '.join(STAGES)}]", f'registrars: {{hf: "{REGISTRAR}"}}']
    lines.append("contributors:")
    for number in range(people):
        wallet = f', wallet: "{WALLETS[number]}"' if number < len(WALLETS) else ""
        lines.append(f'  - {{name: "hf:p{number}"{wallet}}}')
    lines.append("assets:")
    for one in measurements.values():
        for stage, assets in zip(one.stages, one.assets, strict=True):
            for asset in assets:
                lines.append(f"  - id: {asset}\n    stage: {stage}\n    license: CC-BY-4.0\n    holders:")
                holders = seed.sample(range(people), k=min(people, seed.randrange(1, 4)))
                cuts = sorted(seed.sample(range(1, 10**6), k=len(holders) - 1))
                parts = [b - a for a, b in zip([0, *cuts], [*cuts, 10**6], strict=True)]
                lines += [
                    f'      - {{contributor: "hf:p{who}", ppm: {ppm}, from: 2026-01-01T00:00:00Z}}'
                    for who, ppm in zip(holders, parts, strict=True)
                ]
    return ("\n".join(lines) + "\n").encode()


@dataclass
class History:
    """A pool from its creation on. `folders`: a bundle per settlement that was not cancelled."""

    folder: Path
    seed: random.Random
    terms: Terms = TERMS
    events: list[PoolEvent] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    bundles: list[Bundle] = field(default_factory=list)
    ledgers: tuple[StageLedger, ...] = (StageLedger(),) * len(STAGES)
    before: tuple[StageLedger, ...] = (StageLedger(),) * len(STAGES)
    unallocated: int = 0
    pending: int = 0
    unclaimed: int = 0
    current: str = "none"
    number: int = 0
    active_number: int = 0
    bond_held: bool = False
    previous: str | None = None
    paid: dict[tuple[int, bytes], int] = field(default_factory=dict)

    def emit(self, name: str, **args: Any) -> None:
        self.events.append(PoolEvent(len(self.events) // 2, len(self.events) % 2, name, args))

    def deposit(self, amount: int) -> None:
        self.unallocated += amount
        self.emit("Deposited", depositor=WALLETS[0], depositReference=bytes(32), amount=amount)

    def propose(self, epoch: Epoch, change: Callable[[Bundle], Bundle] = lambda bundle: bundle) -> Bundle:
        """A settlement of the epoch; `change` is the operator's lie, posted with all hashes right."""
        bundle = change(settle(replace(epoch, previous=self.previous, ledgers=self.ledgers)))
        folder = self.folder / f"bundle-{self.number + 1}"
        evidence = write_bundle(folder, bundle)
        self.post(bundle, folder, evidence)
        return bundle

    def post(self, bundle: Bundle, folder: Path, evidence: bytes) -> None:
        settlement = bundle.settlement
        self.number, self.current, self.bond_held = settlement.number, PENDING, True
        self.pending = settlement.table[-1]
        self.unallocated -= self.pending
        self.emit(
            "Proposed", number=settlement.number, table=settlement.table, amounts=settlement.amounts,
            stages=settlement.updates, evidence=evidence, activeAt=3600, timestamp=2_000_000_000,
        )  # fmt: skip
        self.folders.append(folder)
        self.bundles.append(bundle)
        self.before = self.ledgers

    def cancel(self) -> None:
        self.unallocated += self.pending
        self.pending, self.current = 0, "cancelled"
        self.emit("Cancelled", number=self.number, reason=0, by=WALLETS[0], bondToChallenger=0)
        self.folders.pop()
        self.bundles.pop()

    def activate(self) -> None:
        self.ledgers = self.bundles[-1].books.ledgers
        self.unclaimed += self.pending
        self.pending, self.current, self.active_number = 0, ACTIVE, self.number
        self.previous = self.events[-1].args["evidence"].hex()

    def claim(self, stage: int, index: int) -> None:
        ledger = self.ledgers[stage]
        contributor_id, cumulative = ledger.ids[index], ledger.cumulatives[index]
        amount = cumulative - self.paid.get((stage, contributor_id), 0)
        if amount:
            self.paid[stage, contributor_id] = cumulative
            self.unclaimed -= amount
            self.emit("Claimed", stage=stage, contributorId=contributor_id, recipient=WALLETS[0],
                      amount=amount, cumulative=cumulative)  # fmt: skip

    @property
    def facts(self) -> ChainFacts:
        bonds = self.terms.bond_wei * self.bond_held
        money = self.unallocated + self.pending + self.unclaimed
        books = PoolBooks(
            self.number, self.current, 3600, self.active_number, self.unallocated, self.pending, self.unclaimed,
            self.bond_held, False, bytes(32),
            tuple((commitment(ledger.tree.ledger_commitment), bytes(32)) for ledger in self.ledgers),
        )  # fmt: skip
        return ChainFacts(
            31337, POOL, len(self.events), 0, self.terms, RUNTIME, RUNTIME, money + bonds, money + bonds, books,
            tuple(self.events), builds=BUILDS,
        )  # fmt: skip


def random_epoch(seed: random.Random, number: int, revenue: int, people: int = 6, names: str = "ab") -> Epoch:
    """Sales of one or two pipelines that sum to the revenue."""
    measurements = {
        name: measurement(name, tuple(seed.randrange(1, 4) for _ in STAGES), seed) for name in names
    }
    cuts = sorted(seed.randrange(revenue + 1) for _ in range(3))
    amounts = [b - a for a, b in zip([0, *cuts], [*cuts, revenue], strict=True)]
    usage = tuple(
        UsageRecord(f"sale-{number}-{at}", seed.choice(sorted(measurements)), amount,
                    datetime(2026, 2, 1, 12, at, tzinfo=UTC))
        for at, amount in enumerate(amounts)
    )  # fmt: skip
    return Epoch(
        chain_id=31337, pool=POOL, number=number, terms=TERMS, token=COIN, measurements=measurements, usage=usage,
        rights=rights(measurements, people, seed), at=max(record.time for record in usage),
        ledgers=(StageLedger(),) * len(STAGES),
    )  # fmt: skip


def random_history(folder: Path, number: int) -> History:
    """One to three settlements, some cancelled and posted again, with claims in between."""
    seed = random.Random(number)
    history = History(folder, seed)
    for _ in range(seed.randrange(1, 4)):
        revenue = seed.choice([seed.randrange(1_000, 10**6), seed.randrange(10**18, 10**21)])
        history.deposit(revenue + seed.randrange(3))
        epoch = random_epoch(seed, history.number + 1, revenue, people=seed.randrange(1, 9))
        history.propose(epoch)
        if seed.random() < 0.25:
            history.cancel()
            history.propose(replace(epoch, number=history.number + 1))
        if history.number == 1 or seed.random() < 0.8:
            history.activate()
        else:
            break
        for stage, ledger in enumerate(history.ledgers):
            for index in range(len(ledger.ids)):
                if seed.random() < 0.5:
                    history.claim(stage, index)
    return history
