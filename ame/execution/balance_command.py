"""What an id has earned, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from ame.execution.commands import as_date, on_network, token_of

if TYPE_CHECKING:
    from ame.bundle import Bundle, Token
    from ame.execution.chain import Chain
    from ame.execution.entitlement import Entitlement

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
WAITS = "waits_for_binding"


def bundles_option(command: F) -> F:
    """--bundle, once for each of the latest settlements."""
    return click.option(
        "--bundle",
        "folders",
        multiple=True,
        required=True,
        type=FOLDER,
        help="Bundle of the latest settlement; repeat for the one before if it is still pending.",
    )(command)


def find_id(bundles: Sequence[Bundle], who: str) -> bytes:
    """The id of an address, an id in hex, or a name that the bundles or their registrars know."""
    from ame.encoding import account_id, named_id, to_bytes
    from ame.errors import InputError
    from ame.mapping.rights import parse_rights

    if who.startswith("0x"):
        return to_bytes(who, 32, "id") if len(who) == 66 else account_id(who)
    for bundle in reversed(bundles):
        for contributor_id, name in bundle.allocation.names.items():
            if name == who:
                return contributor_id
    registrars = parse_rights(bundles[-1].rights.decode()).registrars
    namespace = who.partition(":")[0]
    if ":" in who and namespace in registrars:
        return named_id(registrars[namespace], who)
    known = ", ".join(sorted(registrars)) or "none"
    raise InputError(
        f"expected an address, an id, or a name that the bundles know (registrars: {known}), got {who!r}"
    )


def read_bundles(chain: Chain, folders: Sequence[Path]) -> list[Bundle]:
    """The bundles of one pool on this chain, oldest first."""
    from ame.bundle import read_bundle

    first = read_bundle(folders[0], chain_id=chain.id)
    rest = [read_bundle(f, chain_id=chain.id, pool=first.settlement.pool) for f in folders[1:]]
    return sorted([first, *rest], key=lambda bundle: bundle.settlement.number)


def look_up(pool: Any, bundles: Sequence[Bundle], contributor_id: bytes) -> list[Entitlement]:
    """Ask the pool about an id, and match the answers with the published ledgers."""
    from ame.execution.entitlement import ChainView, entitlements

    stages, now = range(len(bundles[-1].settlement.stages)), pool.status()
    pending = int(now.number) if now.current == 1 else 0
    view = ChainView(
        [tuple(map(bytes, pool.commitments(stage))) for stage in stages],  # type: ignore[misc]  # two of them
        [int(pool.claimed(stage, contributor_id)) for stage in stages],
        pending,
    )
    return entitlements(contributor_id, [(one.settlement.number, one.books.ledgers) for one in bundles], view)


class Account(NamedTuple):
    """What the chain says of one id in one pool. `payout` is the zero address of a name that is not bound."""

    pool: Any
    registry: Any
    contributor_id: bytes
    payout: str
    token: Token
    stages: Sequence[Entitlement]
    pending_until: int  # seconds; 0 if nothing is pending

    @property
    def bound(self) -> bool:
        """Whether the id has a wallet; what an unbound name has earned waits."""
        return int(self.payout, 16) != 0

    def sum(self, column: str) -> int:
        """Of a column of Entitlement, over the stages."""
        return sum(getattr(one, column) for one in self.stages)


def open_account(chain: Chain, bundles: Sequence[Bundle], contributor_id: bytes) -> Account:
    """Ask pool and registry about an id."""
    pool = chain.at("SettlementPool", bundles[-1].settlement.pool)
    terms, now = pool.terms(), pool.status()
    contributors = chain.at("ContributorRegistry", terms.registry)
    return Account(
        pool,
        contributors,
        contributor_id,
        str(contributors.payoutOf(contributor_id)),
        token_of(chain, terms.token),
        look_up(pool, bundles, contributor_id),
        int(now.activeAt) if now.current == 1 else 0,
    )


@click.command()
@on_network
@bundles_option
@click.argument("who")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def balance(network: str, folders: tuple[Path, ...], who: str, as_json: bool) -> None:
    """Show what WHO has earned: an address, an id, or a name such as hf:alice.

    A settlement that is not active yet is pending, and never part of what can be claimed; neither is the money of a
    name that is not bound to a wallet: it waits for binding.
    """
    from ame.execution.chain import connect

    with connect(network) as chain:
        bundles = read_bundles(chain, folders)
        account = open_account(chain, bundles, find_id(bundles, who))
        owed = int(account.pool.owed(account.contributor_id))
        seconds_left = max(0, account.pending_until - chain.now)
    names = bundles[-1].settlement.stages
    if as_json:
        click.echo(json.dumps(_to_json(bundles[-1], account, owed, seconds_left)))
        return
    click.echo(f"pool {account.pool.address} on chain {bundles[-1].settlement.chain_id}")
    paid_to = account.payout if account.bound else "nobody yet: the name is not bound"
    click.echo(f"id   0x{account.contributor_id.hex()}, paid to {paid_to}")
    for line in _table(names, account):
        click.echo(line)
    if seconds_left:
        click.echo(
            f"What is pending becomes claimable at {as_date(account.pending_until)}, unless it is challenged."
        )
    if not account.bound and account.sum("claimable"):
        click.echo("The money waits for the name's holder: `ame bind` with the registrar's voucher.")
    if owed:
        click.echo(f"{account.token.text(owed)} was refused by the payout address and waits: `ame withdraw`.")


_COLUMNS = ("earned", "pending", "claimed", "claimable")


def _to_json(newest: Bundle, account: Account, owed: int, seconds_left: int) -> dict[str, Any]:
    def columns(amounts: dict[str, int]) -> dict[str, str]:
        waits = 0 if account.bound else amounts["claimable"]
        return {
            **{name: str(amount) for name, amount in amounts.items()},
            "claimable": str(amounts["claimable"] - waits),
            WAITS: str(waits),
        }

    return {
        "chain_id": str(newest.settlement.chain_id),
        "pool": newest.settlement.pool,
        "contributor_id": "0x" + account.contributor_id.hex(),
        "payout": account.payout,
        "owed": str(owed),
        "token": vars(account.token),
        "seconds_until_active": seconds_left,
        "stages": [
            {
                "stage": newest.settlement.stages[one.stage],
                **columns({name: getattr(one, name) for name in _COLUMNS}),
            }
            for one in account.stages
        ],
        **columns({name: account.sum(name) for name in _COLUMNS}),
    }


def _table(stages: Sequence[str], account: Account) -> list[str]:
    def number(amount: int) -> str:
        return account.token.text(amount).rpartition(" ")[0]

    last = "claimable" if account.bound else WAITS.replace("_", " ")
    rows = [["stage", *_COLUMNS[:-1], last]]
    rows += [
        [stages[one.stage], *(number(getattr(one, name)) for name in _COLUMNS)] for one in account.stages
    ]
    rows.append([f"total {account.token.symbol}", *(number(account.sum(name)) for name in _COLUMNS)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
