"""What an operator does: deploy, open a pool, deposit, settle, propose; and what everybody may look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ame.bundle import Token
    from ame.execution.chain import Chain

F = TypeVar("F", bound=Callable[..., Any])
DEPLOYMENTS = Path("deployments")
REGISTRIES = ("ContributorRegistry", "RightsRegistry", "PoolFactory")
STATUSES = ("none", "pending", "active", "cancelled")


def on_network(command: F) -> F:
    """--network, as Ape names it."""
    return click.option(
        "--network", default="ethereum:devnet:node", show_default=True, help="As Ape names it."
    )(command)


def _account(_context: click.Context, _option: click.Parameter, name: str) -> str:
    from ame.execution.chain import check_account

    return check_account(name)


def signed(command: F) -> F:
    """--account and --yes: who signs, and whether to ask before."""
    command = click.option("--yes", is_flag=True, help="Do not ask before signing.")(command)
    return click.option(
        "--account",
        required=True,
        callback=_account,
        help="Alias of an Ape account, or TEST::n on a development chain.",
    )(command)


def confirm(yes: bool, chain: Chain, **facts: object) -> None:
    """Show what is about to be signed and ask, unless the caller said yes already."""
    for name, value in {"chain": chain.id, **facts}.items():
        shown = "0x" + value.hex() if isinstance(value, bytes) else value
        click.echo(f"{name:>18}  {shown}", err=True)
    if not yes:
        click.confirm("Sign and send?", abort=True, err=True)


def token_of(chain: Chain, address: str) -> Token:
    """Symbol and decimals of a pool's token, read from it."""
    from ame.bundle import Token
    from ame.encoding import ZERO_ADDRESS

    if address == ZERO_ADDRESS:
        return Token(address, "ETH", 18)
    token = chain.at("TestToken", address)
    return Token(address, token.symbol(), int(token.decimals()))


def _pool_name(_context: click.Context, _option: click.Parameter, name: str) -> str:
    """What is wrong with an address by itself is told before a connection is opened."""
    from ame.encoding import check_address

    return check_address(name, "POOL") if name.startswith("0x") else name


@click.command()
@on_network
@signed
def deploy(network: str, account: str, yes: bool) -> None:
    """Deploy the registries and the factory; remember them in deployments/<chain id>.json.

    What is remembered and still on the chain is left alone.
    """
    from ame.execution.chain import Deployments, connect

    with connect(network) as chain:
        deployments, sender = Deployments(DEPLOYMENTS, chain), chain.account(account)
        missing = [n for n in REGISTRIES if not chain.code(deployments.addresses.get(n, "0x" + "00" * 20))]
        if missing:
            confirm(yes, chain, signer=sender.address, deploys=", ".join(missing))
        else:
            click.echo("already deployed:", err=True)
        for name in REGISTRIES:
            if name in missing:
                arguments = [deployments.addresses[REGISTRIES[0]]] if name == "RightsRegistry" else []
                deployments.remember(name, chain.deploy(name, *arguments, sender=sender).address)
            click.echo(f"{name:<20} {deployments.addresses[name]}")


@click.group()
def pool() -> None:
    """Open a pool."""


@pool.command()
@on_network
@signed
@click.argument("name")
@click.option("--token", default="0x" + "00" * 20, help="Address of an ERC-20; default ETH.")
@click.option("--stages", default=4, type=click.IntRange(2, 5), show_default=True)
@click.option("--proposer", help="Who posts settlements; default the signer.")
@click.option(
    "--arbiter", default="0x" + "00" * 20, help="Who may cancel a pending settlement; default nobody."
)
@click.option("--challenge-hours", default=48, type=click.IntRange(1, 24 * 365), show_default=True)
@click.option(
    "--abandon-days", default=180, type=click.IntRange(0, 3650), show_default=True, help="0 is never."
)
@click.option("--bond-wei", default=10**18, type=click.IntRange(0), show_default=True)
@click.option("--demand-bond-wei", default=10**16, type=click.IntRange(0), show_default=True)
@click.option("--terms-file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def create(
    network: str,
    account: str,
    yes: bool,
    name: str,
    token: str,
    stages: int,
    proposer: str | None,
    arbiter: str,
    challenge_hours: int,
    abandon_days: int,
    bond_wei: int,
    demand_bond_wei: int,
    terms_file: Path,
) -> None:
    """Open a pool of these terms, fixed for good, and remember it as pool/NAME."""
    from ame.encoding import ZERO_ADDRESS, check_address, keccak
    from ame.errors import InputError
    from ame.execution.chain import Deployments, connect, create_pool
    from ame.records import Terms

    for address, field in ((token, "--token"), (arbiter, "--arbiter")):
        if address != ZERO_ADDRESS:
            check_address(address, field)
    with connect(network) as chain:
        deployments, sender = Deployments(DEPLOYMENTS, chain), chain.account(account)
        factory = deployments.find("PoolFactory")
        proposer = check_address(proposer or sender.address, "--proposer")
        if arbiter == proposer:
            raise InputError(
                "--arbiter: expected somebody other than the proposer, whom the arbiter is to check"
            )
        terms = Terms(
            token=token,
            stage_count=stages,
            proposer=proposer,
            arbiter=arbiter,
            registry=deployments.find("ContributorRegistry").address,
            challenge_seconds=challenge_hours * 3600,
            abandon_seconds=abandon_days * 86_400,
            bond_wei=bond_wei,
            demand_bond_wei=demand_bond_wei,
            terms_hash=keccak(terms_file.read_bytes()),
        )
        address = str(factory.poolAddress(terms, keccak(name.encode())))
        if chain.code(address):
            raise InputError(f"a pool {name!r} of these terms exists already: {address}")
        shown = {**terms._asdict(), "token": "ETH" if token == ZERO_ADDRESS else token}
        confirm(yes, chain, signer=sender.address, **shown)
        contract = create_pool(chain, factory, terms, sender, keccak(name.encode()))
        deployments.remember(f"pool/{name}", contract.address)
        click.echo(contract.address)


@click.command()
@on_network
@signed
@click.argument("pool_name", metavar="POOL", callback=_pool_name)
@click.argument("amount", type=click.IntRange(1))
@click.option("--reference", default="", help="Up to 32 bytes of text that go into the event.")
def deposit(network: str, account: str, yes: bool, pool_name: str, amount: int, reference: str) -> None:
    """Deposit AMOUNT base units into POOL (a name or an address)."""
    from ame.errors import InputError
    from ame.execution.chain import connect
    from ame.execution.chain import deposit as deposit_into

    mark = reference.encode()
    if len(mark) > 32:
        raise InputError(f"--reference: expected at most 32 bytes, got {len(mark)}")
    with connect(network) as chain:
        contract, sender = find_pool(chain, pool_name), chain.account(account)
        token = token_of(chain, contract.terms().token)
        confirm(yes, chain, signer=sender.address, pool=contract.address, amount=token.text(amount))
        receipt = deposit_into(chain, contract, amount, sender, mark.ljust(32, b"\0"))
        credited = sum(event.amount for event in receipt.decode_logs(contract.Deposited))
        click.echo(f"credited {token.text(credited)} in {receipt.txn_hash}")


@click.command()
@on_network
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--usage", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder of the bundle.")
@click.option(
    "--previous", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Bundle before."
)
def settle(network: str, config: Path, usage: Path, output: Path, previous: Path | None) -> None:
    """Measure, map and settle one epoch of sales: writes a bundle.

    CONFIG is a YAML file such as examples/digits/settle.yaml.
    """
    from concurrent.futures import ProcessPoolExecutor

    from ame.attribution.measure import measure
    from ame.attribution.usage import read_usage
    from ame.bundle import evidence_of, read_bundle, write_bundle
    from ame.errors import InputError
    from ame.execution.chain import connect, terms_of
    from ame.execution.ledger import StageLedger
    from ame.execution.settings import read_settings
    from ame.mapping.rights import load_rights, moment_of
    from ame.pipeline import Epoch
    from ame.pipeline import settle as settle_epoch

    settings = read_settings(config)
    rights = load_rights(settings.rights)  # its mistakes should not wait for the measurement
    records = read_usage(usage, settings.pipelines)
    with connect(network) as chain:
        contract = find_pool(chain, settings.pool)
        terms, number, active = (
            terms_of(contract),
            int(contract.status().number),
            int(contract.status().activeNumber),
        )
        token, chain_id = token_of(chain, terms.token), chain.id
        address = str(contract.address)
        if rights.as_of is not None and chain.time_of(rights.as_of.block) < max(one.time for one in records):
            raise rights.error(
                f"expected the rights as of a block after the last sale, got block {rights.as_of.block}; "
                "read them again with `ame rights read`",
                ("as_of", "block"),
            )
    before = read_bundle(previous, chain_id=chain_id, pool=address) if previous else None
    if (before.settlement.number if before else 0) != active:
        raise InputError(
            f"--previous: expected the bundle of the active settlement {active}, "
            f"got {before.settlement.number if before else 'none'}"
        )
    with ProcessPoolExecutor() as executor:
        measurements = {
            name: measure(one, executor, cache=settings.cache) for name, one in settings.pipelines.items()
        }
    bundle = settle_epoch(
        Epoch(
            chain_id=chain_id,
            pool=address,
            number=number + 1,
            terms=terms,
            token=token,
            measurements=measurements,
            usage=tuple(records),
            rights=settings.rights.read_bytes(),
            at=moment_of(rights, max(record.time for record in records)),
            ledgers=before.books.ledgers if before else [StageLedger()] * terms.stage_count,
            previous=evidence_of(previous).hex() if previous else None,
        )
    )
    evidence = write_bundle(output, bundle)
    for stage, amount in zip(bundle.settlement.stages, bundle.settlement.amounts, strict=True):
        click.echo(f"{stage:<16} {token.text(amount)}")
    revenue = bundle.settlement.table[-1]
    click.echo(f"{'sum':<16} {token.text(revenue)}, in base units {revenue}")
    if rights.as_of is not None:
        click.echo(f"rights as of block {rights.as_of.block} of RightsRegistry {rights.as_of.registry}")
    click.echo(f"evidence {evidence.hex()}")


@click.command()
@on_network
@signed
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def propose(network: str, account: str, yes: bool, folder: Path) -> None:
    """Post the settlement of the bundle in FOLDER, with the bond that the pool asks for."""
    from ame.bundle import evidence_of, read_bundle
    from ame.errors import InputError
    from ame.execution.chain import connect
    from ame.execution.chain import propose as propose_to

    with connect(network) as chain:
        bundle = read_bundle(folder, chain_id=chain.id)
        contract, sender = chain.at("SettlementPool", bundle.settlement.pool), chain.account(account)
        revenue, unallocated = bundle.settlement.table[-1], int(contract.unallocated())
        if revenue > unallocated:
            raise InputError(
                f"the settlement needs {bundle.token.text(revenue)}, the pool has {bundle.token.text(unallocated)} "
                f"unallocated: deposit {revenue - unallocated} base units first (`ame deposit`)"
            )
        confirm(
            yes,
            chain,
            signer=sender.address,
            pool=contract.address,
            settlement=bundle.settlement.number,
            revenue=bundle.token.text(revenue),
        )
        receipt = propose_to(chain, contract, bundle.books, evidence_of(folder), sender)
        click.echo(f"settlement {bundle.settlement.number} is pending: {receipt.txn_hash}")


@click.command()
@on_network
@click.argument("pool_name", metavar="POOL", callback=_pool_name)
@click.option("--json", "as_json", is_flag=True)
def status(network: str, pool_name: str, as_json: bool) -> None:
    """Show the settlement and the books of POOL (a name or an address)."""
    from ame.execution.chain import connect

    with connect(network) as chain:
        contract = find_pool(chain, pool_name)
        token, now = token_of(chain, contract.terms().token), contract.status()
        books = {
            name: int(getattr(contract, name)()) for name in ("unallocated", "unclaimed", "pendingRevenue")
        }
    if as_json:
        facts = {
            "settlement": str(now.number),
            "status": STATUSES[now.current],
            "active_at": str(now.activeAt),
        }
        click.echo(json.dumps({**facts, **{name: str(amount) for name, amount in books.items()}}))
        return
    since = f", active from {as_date(now.activeAt)}" if STATUSES[now.current] in ("pending", "active") else ""
    click.echo(
        f"settlement {now.number}: {STATUSES[now.current]}{since}" if now.number else "no settlement yet"
    )
    for name, amount in books.items():
        words = "pending revenue" if name == "pendingRevenue" else name
        click.echo(f"{words:<16} {token.text(amount)}")


@click.command()
@on_network
@signed
@click.argument("pool_name", metavar="POOL", callback=_pool_name)
def cancel(network: str, account: str, yes: bool, pool_name: str) -> None:
    """Cancel the pending settlement of POOL: only its arbiter can."""
    from ame.execution.chain import connect

    with connect(network) as chain:
        contract, sender = find_pool(chain, pool_name), chain.account(account)
        confirm(yes, chain, signer=sender.address, pool=contract.address, cancels=contract.status().number)
        receipt = chain.send(contract.cancel, sender=sender)
        click.echo(f"cancelled: {receipt.txn_hash}")


@click.command()
@on_network
@signed
@click.argument("pool_name", metavar="POOL", callback=_pool_name)
def refund(network: str, account: str, yes: bool, pool_name: str) -> None:
    """Give what is unallocated in an abandoned POOL back to its latest deposits. Anybody can; the first time closes it."""
    from ame.audit.gather import gather_facts
    from ame.execution.chain import connect
    from ame.execution.refunds import next_refund
    from ame.records import Deposit

    with connect(network) as chain:
        contract, sender = find_pool(chain, pool_name), chain.account(account)
        token = token_of(chain, contract.terms().token)
        events = gather_facts(chain, contract.address).named("Deposited")
        deposits = [Deposit(event.args["depositor"], event.args["amount"]) for event in events]
        left = contract.unallocated()
        before, latest = next_refund(deposits, bytes(contract.depositsHash()), left)
        shown = {"unallocated": token.text(left), "deposits": len(latest)}
        confirm(yes, chain, signer=sender.address, pool=contract.address, **shown)
        receipt = chain.send(contract.refund, before, latest, sender=sender)
        for event in receipt.decode_logs(contract.Refunded):
            click.echo(f"{event.depositor}  {token.text(event.amount)}")


def as_date(seconds: int) -> str:
    """A chain's time for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def find_pool(chain: Chain, name: str) -> Any:
    """A pool by its address, or by the name it is remembered under."""
    from ame.errors import InputError
    from ame.execution.chain import Deployments

    if name.startswith("0x"):
        return chain.at("SettlementPool", name)
    deployments = Deployments(DEPLOYMENTS, chain)
    if f"pool/{name}" not in deployments.addresses:
        raise InputError(
            f"{deployments.path}: nothing named {f'pool/{name}'!r} is remembered; `ame pool create {name}` first"
        )
    return deployments.find(f"pool/{name}", "SettlementPool")
