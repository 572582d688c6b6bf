"""The story's actors and scenes; each scene does one thing for real on the chain and returns what happened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from ame.attribution.measure import measure
from ame.attribution.usage import read_usage
from ame.bundle import Bundle, Token, evidence_of, write_bundle
from ame.encoding import ZERO_ADDRESS, account_id, keccak, named_id, typed_data
from ame.errors import InputError, InternalError
from ame.execution.chain import Chain, create_pool, deposit, propose, sign, terms_of
from ame.execution.ledger import StageLedger
from ame.execution.settlement import Books
from ame.mapping.importing import to_text
from ame.mapping.publishing import publish, read_standings
from ame.mapping.registration import document_as_of
from ame.mapping.rights import AsOf, Rights, moment_of, parse_rights
from ame.mapping.strict_yaml import parse
from ame.pipeline import Epoch, settle
from ame.records import Claim, Measurement, Terms, UsageRecord

CHALLENGE_SECONDS = 2 * 86_400
BOND_WEI = 10**18
DEMAND_BOND_WEI = 10**16
FORGED_UNITS = 100_000
PENDING, ACTIVE = 1, 2


@dataclass(frozen=True)
class Inputs:
    """What the story is told with: a module with PIPELINES, its sales and its rights file."""

    pipelines: Mapping[str, Any]
    usage: Mapping[str, Sequence[Path]]  # pool name -> one file per epoch
    rights: Path


@dataclass
class PoolStory:
    """One pool and what happened to it."""

    name: str
    token: Token
    contract: Any
    bundles: list[Bundle] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    deposited: int = 0

    @property
    def ledgers(self) -> Sequence[StageLedger]:
        """The ledgers of the last settlement, empty before the first."""
        return (
            self.bundles[-1].books.ledgers
            if self.bundles
            else [StageLedger()] * self.contract.terms().stageCount
        )


@dataclass(frozen=True)
class Payment:
    """One claim's receipt in words."""

    pool: str
    contributor: str
    sender: str
    amount: int
    text: str


@dataclass
class World:
    """The chain, the people and the contracts."""

    chain: Chain
    registry: Any
    factory: Any
    pools: list[PoolStory] = field(default_factory=list)
    rights: Any = None  # the RightsRegistry

    def person(self, number: int) -> Any:
        """Development account `number`, with gas money."""
        person = self.chain.account(f"TEST::{number}")
        if person.balance < 10**17:
            self.chain.transfer(self.operator, person.address, 10**18)
        return person

    @property
    def operator(self) -> Any:
        """Deposits revenue and posts settlements."""
        return self.chain.account("TEST::0")


def load_inputs(example: str, folder: Path) -> Inputs:
    """Import the example, write its sales: two epochs for a token pool, two smaller ones for an ETH pool."""
    usage = import_module(f"{example}.usage")
    module = import_module(f"{example}.pipeline")
    rights = Path(str(module.__file__)).with_name("rights.yaml")
    tokens = usage.write_sales(folder / "token")
    ether = usage.write_sales(folder / "eth", count=2_000, seed=7)
    return Inputs(module.PIPELINES, {"token": tokens, "eth": ether}, rights)


def measure_all(pipelines: Mapping[str, Any], on_progress: Any, cache: Path) -> dict[str, Measurement]:
    """Really re-run every coalition of every pipeline, on all cores."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # one BLAS thread for each worker
    with ProcessPoolExecutor() as executor:
        return {
            name: measure(pipeline, executor, cache=cache, on_progress=on_progress(name))
            for name, pipeline in pipelines.items()
        }


def open_pools(world: World, stages: int) -> None:
    """One pool for a token with 6 decimals, one for ETH; terms are fixed for good."""
    chain, operator = world.chain, world.operator
    token = chain.deploy("TestToken", "Example Dollar", "USDX", 6, sender=operator)
    salt = keccak(token.address.encode())  # every demo opens pools of its own
    for name, coin in (("token", Token(token.address, "USDX", 6)), ("eth", Token(ZERO_ADDRESS, "ETH", 18))):
        terms = Terms(
            token=coin.address,
            stage_count=stages,
            proposer=operator.address,
            arbiter=chain.account("TEST::1").address,
            registry=world.registry.address,
            challenge_seconds=CHALLENGE_SECONDS,
            abandon_seconds=180 * 86_400,
            bond_wei=BOND_WEI,
            demand_bond_wei=DEMAND_BOND_WEI,
            terms_hash=keccak(b"Example terms: revenue of the digits products"),
        )
        pool = create_pool(chain, world.factory, terms, operator, salt)
        world.pools.append(PoolStory(name, coin, pool))


def pay_in(world: World, story: PoolStory, amount: int, reference: bytes) -> None:
    """The operator deposits an epoch's revenue."""
    if story.token.address != ZERO_ADDRESS:
        token = world.chain.at("TestToken", story.token.address)
        world.chain.send(token.mint, world.operator.address, amount, sender=world.operator)
    deposit(world.chain, story.contract, amount, world.operator, reference)
    story.deposited += amount


def next_epoch(
    world: World,
    story: PoolStory,
    usage: Sequence[UsageRecord],
    measurements: Mapping[str, Measurement],
    rights: bytes,
) -> Bundle:
    """Attribution, mapping and ledger of one epoch, with the rights as of the block that they were read at."""
    return settle(
        Epoch(
            chain_id=world.chain.id,
            pool=story.contract.address,
            number=int(story.contract.status().number) + 1,
            terms=terms_of(story.contract),
            token=story.token,
            measurements=measurements,
            usage=tuple(usage),
            rights=rights,
            at=moment_of(parse_rights(rights.decode()), max(record.time for record in usage)),
            ledgers=story.ledgers,
            previous=evidence_of(story.folders[-1]).hex() if story.folders else None,
        )
    )


def post(world: World, story: PoolStory, bundle: Bundle, folder: Path) -> None:
    """Publish the bundle and propose its settlement."""
    path = folder / f"{story.name}-{bundle.settlement.number}"
    evidence = write_bundle(path, bundle)
    propose(world.chain, story.contract, bundle.books, evidence, world.operator)
    story.bundles.append(bundle)
    story.folders.append(path)


def claims_of(bundle: Bundle, contributor_id: bytes) -> list[Claim]:
    """All leaves of a contributor, over the stages, that hold money."""
    return [
        ledger.claim(stage, contributor_id)
        for stage, ledger in enumerate(bundle.books.ledgers)
        if ledger.cumulatives and contributor_id in ledger.index_of
    ]


def claim(
    world: World, story: PoolStory, contributor_id: bytes, name: str, sender: Any, text: str
) -> Payment:
    """Send all of a contributor's claims in one transaction and add up what the events say was paid."""
    claims = claims_of(story.bundles[-1], contributor_id)
    receipt = world.chain.send(story.contract.claimBatch, claims, sender=sender)
    paid = sum(event.amount for event in receipt.decode_logs(story.contract.Claimed))
    return Payment(story.name, name, sender.address, paid, text)


def push_all(world: World, story: PoolStory, sender: Any) -> int:
    """Anybody pays everybody: one range claim for each stage. Gives what was paid."""
    paid = 0
    for stage, ledger in enumerate(story.bundles[-1].books.ledgers):
        claim_ = ledger.range_claim(stage, 0, len(ledger.ids))
        receipt = world.chain.send(story.contract.claimRange, claim_, sender=sender)
        paid += sum(event.amount for event in receipt.decode_logs(story.contract.Claimed))
    return paid


def bind(world: World, rights: Rights, name: str, holder: Any) -> bytes:
    """Bind a named id to a wallet: the registrar vouches, the holder agrees, anybody sends it."""
    registrar = world.person(2)
    namespace = name.split(":")[0]
    if rights.registrars[namespace] != registrar.address:
        raise InputError(
            f"expected {registrar.address} to be the registrar of {namespace}, got {rights.registrars[namespace]}"
        )
    deadline = world.chain.now + 3_600
    contributor_id = named_id(registrar.address, name)
    external_id_hash = keccak(name.encode())
    recovery_seconds = 30 * 86_400
    domain = ("AME ContributorRegistry", world.chain.id, world.registry.address)
    vouch = typed_data(
        *domain,
        "Vouch",
        externalIdHash=external_id_hash,
        holder=holder.address,
        recoverySeconds=recovery_seconds,
        deadline=deadline,
    )
    agree = typed_data(
        *domain,
        "Bind",
        contributorId=contributor_id,
        holder=holder.address,
        payout=holder.address,
        recoverySeconds=recovery_seconds,
        nonce=int(world.registry.nonces(holder.address)),
        deadline=deadline,
    )
    world.chain.send(
        world.registry.bind,
        registrar.address,
        external_id_hash,
        holder.address,
        holder.address,
        recovery_seconds,
        deadline,
        deadline,
        sign(registrar, vouch),
        sign(holder, agree),
        sender=holder,
    )
    return contributor_id


def forge(books: Books, stage: int) -> Books:
    """A proposer's lie: units moved in one stage's ledger from the first contributor to the second."""
    ledger = books.ledgers[stage]
    moved = (
        ledger.cumulatives[0] - FORGED_UNITS,
        ledger.cumulatives[1] + FORGED_UNITS,
        *ledger.cumulatives[2:],
    )
    forged = StageLedger(ledger.ids, moved, ledger.depth)
    update = books.settlement.updates[stage]._replace(afterwards=forged.tree.ledger_commitment)
    updates = tuple(update if at == stage else old for at, old in enumerate(books.settlement.updates))
    ledgers = tuple(forged if at == stage else old for at, old in enumerate(books.ledgers))
    return Books(replace(books.settlement, updates=updates), ledgers, books.weights)


def ledger_rows(bundle: Bundle) -> Iterator[tuple[str, str, int]]:
    """(stage, contributor, amount of this settlement) of every line that pays."""
    for stage, lines, ledger, amount, weights in zip(
        bundle.settlement.stages,
        bundle.allocation.lines,
        bundle.books.ledgers,
        bundle.settlement.amounts,
        bundle.books.weights,
        strict=True,
    ):
        parts = weights.parts(amount)
        for line in lines:
            name = bundle.allocation.names.get(line.contributor_id, "0x" + line.contributor_id.hex())
            yield stage, name, parts[ledger.index_of[line.contributor_id]]


def check_books(world: World, story: PoolStory) -> dict[str, int]:
    """Where every deposited unit is. Raises InternalError if one is missing."""
    pool = story.contract
    claimed = sum(
        pool.claimed(stage, contributor_id)
        for stage, ledger in enumerate(story.ledgers)
        for contributor_id in ledger.ids
    )
    books = {
        "deposited": story.deposited,
        "claimed": claimed,
        "unclaimed": pool.unclaimed(),
        "unallocated": pool.unallocated(),
    }
    if books["deposited"] != books["claimed"] + books["unclaimed"] + books["unallocated"]:
        raise InternalError(f"{story.name}: the books do not add up: {books}")
    held = world.chain.balance(story.token.address, pool.address)
    bonds = int(pool.terms().bondWei) if story.token.address == ZERO_ADDRESS and pool.bondHeld() else 0
    if held != books["unclaimed"] + books["unallocated"] + bonds:
        raise InternalError(
            f"{story.name}: the pool holds {held}, the books say {books} and bonds of {bonds}"
        )
    return books


def id_of(rights: Rights, name: str) -> bytes:
    """A contributor's id: of the wallet, or of the name while there is none."""
    contributor = rights.contributors[name]
    if contributor.wallet is not None:
        return account_id(contributor.wallet)
    return named_id(rights.registrars[name.split(":")[0]], name)


def read_all(inputs: Inputs, story: PoolStory, epoch: int) -> list[UsageRecord]:
    """An epoch's sales. In the ETH shop a price of 1 micro-unit is 10^8 wei."""
    records = read_usage(inputs.usage[story.name][epoch], inputs.pipelines)
    if story.token.address != ZERO_ADDRESS:
        return records
    return [replace(record, amount=record.amount * 10**8) for record in records]


def publish_rights(world: World, rights: bytes) -> bytes:
    """Register every asset of a rights file; gives the file with its holders as of the block of the last one."""
    chain, file = world.chain, parse_rights(rights.decode())
    at = datetime.fromtimestamp(chain.now, UTC)
    address = world.rights.address
    for _ in publish(chain, address, file, at, world.operator):
        pass
    as_of = AsOf(chain.id, address, chain.block)
    standings = read_standings(chain, address, file, as_of.block)
    document = document_as_of(parse(rights.decode(), "rights.yaml"), file, standings, as_of)
    return to_text(document).encode()


def rights_of(inputs: Inputs) -> tuple[bytes, Rights]:
    """The rights file, as bytes for the bundle and parsed."""
    data = inputs.rights.read_bytes()
    return data, parse_rights(data.decode(), inputs.rights)
