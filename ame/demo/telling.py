"""How the story is told on the terminal: rich tables, scene by scene."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ame.attribution.shares import normalised_table, stage_shares
from ame.bundle import Bundle
from ame.demo import story
from ame.demo.story import Inputs, Payment, World
from ame.encoding import ZERO_ADDRESS
from ame.errors import ChainError, InternalError
from ame.execution.chain import Chain, Deployments, propose
from ame.execution.commands import as_date
from ame.mapping.rights import Rights, parse_rights
from ame.records import Measurement

DEPLOYMENTS = Path("deployments")


@dataclass
class Told:
    """What the report shows."""

    inputs: Inputs
    measurements: dict[str, Measurement]
    world: World
    rights: Rights
    payments: list[Payment]
    verdicts: list[tuple[str, bool, str]]


def tell(chain: Chain, example: str, output: Path) -> Told:
    """All scenes in order."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    console.print(f"[bold]AME[/bold] on {chain.network}, chain {chain.id}\n")
    inputs = story.load_inputs(example, output / "usage")
    measurements = _measure(console, inputs, output)
    world = _open(console, chain, len(next(iter(measurements.values())).stages))
    rights_bytes, _ = story.rights_of(inputs)
    rights_bytes, rights = _publish(console, world, rights_bytes)
    told = Told(inputs, measurements, world, rights, [], [])
    for epoch in range(2):
        _settle(console, told, epoch, rights_bytes, output / "bundles")
        _claim(console, told, epoch)
    _late_wallet(console, told)
    _books(console, told)
    _audit(console, told)
    _liars(console, told, rights_bytes, output)
    from ame.demo.report import write_report

    write_report(output / "report.html", told)
    return told


def _measure(console: Console, inputs: Inputs, output: Path) -> dict[str, Measurement]:
    console.rule("1. Attribution: every coalition is re-trained and re-run")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:

        def on_progress(name: str) -> Any:
            task = progress.add_task(name, total=None)
            return lambda done, total: progress.update(task, completed=done, total=total)

        measurements = story.measure_all(inputs.pipelines, on_progress, output / "coalitions")
    first = next(iter(measurements.values()))
    table = Table("product", "coalitions run", *(f"{stage} %" for stage in first.stages))
    for name, one in measurements.items():
        shares = stage_shares(normalised_table(one))
        table.add_row(name, str(one.evaluations), *(f"{float(share) * 100:.1f}" for share in shares))
    console.print(table)
    return measurements


def _open(console: Console, chain: Chain, stages: int) -> World:
    console.rule("2. Contracts, compiled and deployed through Ape")
    deployments = Deployments(DEPLOYMENTS, chain)
    remembers = chain.network.split(":")[1] != "local"
    if remembers and deployments.is_stale:
        console.print(
            f"[yellow]{deployments.path} remembers contracts that chain {chain.id} does not have: it was started anew. "
            "Deploying again."
        )
        deployments.addresses.clear()
    operator = chain.account("TEST::0")
    contracts: dict[str, Any] = {}
    for name in ("ContributorRegistry", "PoolFactory", "RightsRegistry"):
        arguments = [contracts["ContributorRegistry"].address] if name == "RightsRegistry" else []
        if remembers and name in deployments.addresses:
            contracts[name] = deployments.find(name)
        else:
            contracts[name] = chain.deploy(name, *arguments, sender=operator)
            if remembers:
                deployments.remember(name, contracts[name].address)
    world = World(chain, contracts["ContributorRegistry"], contracts["PoolFactory"])
    world.rights = contracts["RightsRegistry"]
    story.open_pools(world, stages)
    table = Table("contract", "address")
    for name, contract in contracts.items():
        table.add_row(name, contract.address)
    for pool in world.pools:
        table.add_row(f"SettlementPool ({pool.token.symbol})", pool.contract.address)
        if remembers:
            deployments.remember(f"pool/{pool.name}", pool.contract.address)
    console.print(table)
    return world


def _publish(console: Console, world: World, rights: bytes) -> tuple[bytes, Rights]:
    """The rights go to the chain, and are read back as of a block: what every settlement uses."""
    rights = story.publish_rights(world, rights)
    read = parse_rights(rights.decode())
    if read.as_of is None:
        raise InternalError("the rights were not read as of a block")
    console.print(
        f"{len(read.assets)} assets are in the RightsRegistry; settlements use the rights as of block {read.as_of.block}."
    )
    return rights, read


def _settle(console: Console, told: Told, epoch: int, rights: bytes, folder: Path) -> None:
    console.rule(f"{3 + epoch}. Epoch {epoch + 1}: sales, deposit, settlement, challenge period")
    world = told.world
    for pool in world.pools:
        usage = story.read_all(told.inputs, pool, epoch)
        revenue = sum(record.amount for record in usage)
        story.pay_in(world, pool, revenue, f"epoch {epoch + 1}".encode().ljust(32, b"\0"))
        bundle = story.next_epoch(world, pool, usage, told.measurements, rights)
        story.post(world, pool, bundle, folder)
        status = pool.contract.status()
        if status.current != story.PENDING:
            raise InternalError(f"{pool.name}: expected a pending settlement, got {status}")
        console.print(_settlement_table(bundle, len(usage), status.activeAt))
    world.chain.wait(story.CHALLENGE_SECONDS)
    for pool in world.pools:
        if pool.contract.status().current != story.ACTIVE:
            raise InternalError(f"{pool.name}: the settlement is not active after its challenge period")
    console.print(f"Two days later, {as_date(world.chain.now)}: both are active, by time alone.")


def _settlement_table(bundle: Bundle, sales: int, active_at: int) -> Table:
    table = Table(
        "stage",
        "amount",
        "contributors",
        title=f"{bundle.token.symbol} settlement {bundle.settlement.number}: {sales:,} sales, "
        f"active from {as_date(active_at)}",
        show_footer=False,
    )
    for stage, amount, ledger in zip(
        bundle.settlement.stages, bundle.settlement.amounts, bundle.books.ledgers, strict=True
    ):
        table.add_row(stage, bundle.token.text(amount), str(len(ledger.ids)))
    table.add_row("[bold]sum", f"[bold]{bundle.token.text(sum(bundle.settlement.amounts))}", "")
    return table


def _claim(console: Console, told: Told, epoch: int) -> None:
    world, rights = told.world, told.rights
    people = [name for name, one in rights.contributors.items() if one.wallet is not None]
    first, second, third = people[:3]
    outsider = world.person(19)
    before = len(told.payments)
    for pool in world.pools:
        own_key = world.person(3)
        told.payments.append(
            story.claim(world, pool, story.id_of(rights, first), first, own_key, "claims with her own key")
        )
        if epoch == 1:
            told.payments.append(
                story.claim(
                    world,
                    pool,
                    story.id_of(rights, second),
                    second,
                    world.person(4),
                    "claims both epochs at once",
                )
            )
        told.payments.append(
            story.claim(
                world,
                pool,
                story.id_of(rights, third),
                third,
                outsider,
                "is paid by an outsider's transaction",
            )
        )
        if epoch == 1:
            paid = story.push_all(world, pool, outsider)
            told.payments.append(
                Payment(pool.name, "everybody else", outsider.address, paid, "one range claim for each stage")
            )
    _payments(console, world, told.payments[before:])


def _late_wallet(console: Console, told: Told) -> None:
    console.rule("5. A contributor without a wallet binds one, then claims")
    world, rights = told.world, told.rights
    name = next(name for name, one in rights.contributors.items() if one.wallet is None)
    contributor_id, holder = story.id_of(rights, name), world.person(18)
    if world.registry.holderOf(contributor_id) != ZERO_ADDRESS:
        console.print(
            f"{name} has bound a wallet on this chain before, and a name binds once: paid with everybody else."
        )
        return
    try:
        story.claim(world, world.pools[0], contributor_id, name, holder, "")
    except ChainError as error:
        raise InternalError(f"a claim for an unbound id must pay nothing, not fail: {error}") from error
    if story.bind(world, rights, name, holder) != contributor_id:
        raise InternalError("the bound id is not the id of the ledger")
    console.print(f"{name} is bound to {holder.address}; the money of both epochs had waited.")
    before = len(told.payments)
    for pool in world.pools:
        told.payments.append(
            story.claim(world, pool, contributor_id, name, holder, "claims both epochs after binding")
        )
    _payments(console, world, told.payments[before:])


def _payments(console: Console, world: World, payments: list[Payment]) -> None:
    symbols = {pool.name: pool.token for pool in world.pools}
    table = Table("pool", "contributor", "paid", "how")
    for payment in payments:
        token = symbols[payment.pool]
        table.add_row(token.symbol, payment.contributor, token.text(payment.amount), payment.text)
    console.print(table)


def _books(console: Console, told: Told) -> None:
    console.rule("6. The books: every unit is somewhere")
    table = Table("pool", "deposited", "claimed", "unclaimed", "unallocated")
    for pool in told.world.pools:
        books = story.check_books(told.world, pool)
        table.add_row(pool.token.symbol, *(pool.token.text(books[key]) for key in list(books)))
    console.print(table)


def _audit(console: Console, told: Told) -> None:
    from ame.audit.audit import audit
    from ame.audit.gather import gather_facts
    from ame.audit.rights_check import with_rights

    console.rule("7. The auditor re-derives everything from the chain and the bundles")
    table = Table("pool", "settlement", "checks", "verdict")
    for pool in told.world.pools:
        chain = told.world.chain
        facts = with_rights(gather_facts(chain, pool.contract.address), chain, pool.folders[-1])
        for number in range(1, len(pool.folders) + 1):
            report = audit(pool.folders[:number], facts)
            told.verdicts.append(
                (f"{pool.token.symbol} settlement {number}", report.is_true, report.sentence)
            )
            table.add_row(pool.token.symbol, str(number), str(len(report.checks)), report.sentence)
            if not report.is_true:
                raise InternalError(f"an honest settlement failed its audit: {report.sentence}")
    console.print(table)


def _liars(console: Console, told: Told, rights: bytes, output: Path) -> None:
    console.rule("8. Two liars: a tampered bundle, a tampered proposal")
    _tampered_bundle(console, told, output)
    _tampered_proposal(console, told, rights)


def _tampered_bundle(console: Console, told: Told, output: Path) -> None:
    from ame.audit.audit import audit
    from ame.audit.gather import gather_facts

    pool = told.world.pools[0]
    copies = []
    for folder in pool.folders:
        copies.append(output / "tampered" / folder.name)
        shutil.copytree(folder, copies[-1])
    path = copies[-1] / "allocation.jsonl"
    lines = path.read_text().splitlines()
    row = json.loads(lines[0])
    row["amount"] = str(int(row["amount"]) + 1)
    lines[0] = json.dumps(row, separators=(",", ":"), sort_keys=True)
    path.write_text("\n".join(lines) + "\n")
    facts = gather_facts(told.world.chain, pool.contract.address)
    report = audit(copies, facts)
    told.verdicts.append(
        ("tampered bundle: one unit more for the first line", report.is_true, report.sentence)
    )
    console.print(f"One unit added in {path.name}: [bold red]{report.sentence}")
    if report.is_true:
        raise InternalError("a tampered bundle passed its audit")
    _list_again(copies[-1], path)
    report = audit(copies, facts)
    found = report.check("telescoping")
    text = f"at {found.where}: expected {found.expected}, found {found.found}"
    told.verdicts.append(("the same, and all hashes of the manifest made to fit", report.is_true, text))
    console.print(f"All hashes made to fit, it is still false {text}", style="bold red")
    if report.is_true or not found.where:
        raise InternalError("a tampered bundle with fitting hashes passed its audit")


def _list_again(folder: Path, part: Path) -> None:
    """The manifest as if the changed part had always been so."""
    data, where = part.read_bytes(), folder / "manifest.json"
    manifest = json.loads(where.read_bytes())
    manifest["parts"][part.name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    where.write_bytes(rfc8785.dumps(manifest))


def _tampered_proposal(console: Console, told: Told, rights: bytes) -> None:
    from ame.audit.watch import find_lie, send_challenge

    world, pool = told.world, told.world.pools[0]
    usage = story.read_all(told.inputs, pool, 0)[:1_000]
    story.pay_in(world, pool, sum(record.amount for record in usage), b"epoch 3".ljust(32, b"\0"))
    honest = story.next_epoch(world, pool, usage, told.measurements, rights)
    forged = story.forge(honest.books, stage=0)
    watcher = world.person(19)
    propose(world.chain, pool.contract, forged, bytes.fromhex("ee" * 32), world.operator)
    lie = find_lie(pool.ledgers, forged.settlement.updates, honest.books.weights, forged.ledgers)
    if lie is None:
        raise InternalError("the watcher did not find the lie")
    balance = watcher.balance
    receipt = send_challenge(world.chain, pool.contract, forged.settlement.updates, lie, watcher)
    reward = watcher.balance - balance + receipt.gas_used * receipt.gas_price
    current = pool.contract.status().current
    text = (
        f"The proposer moved {pool.token.text(story.FORGED_UNITS)} to somebody else; the watcher proved it at leaf "
        f"{lie.index}: settlement cancelled, bond of {story.BOND_WEI / 10**18:g} ETH lost, "
        f"{reward / 10**18:g} ETH of it to the watcher, the rest burned. Revenue is unallocated again."
    )
    told.verdicts.append(("tampered proposal", False, text))
    console.print(f"[bold red]{text}")
    if reward != story.BOND_WEI // 2 or int(current) != 3:
        raise InternalError(f"expected a slashed bond and a cancelled settlement, got {reward} and {current}")
    story.check_books(world, pool)
