"""What a contributor does on the command line: see a balance, claim it, bind a name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ame.execution.commands import as_date, confirm, on_network, token_of

if TYPE_CHECKING:
    from ame.bundle import Bundle, Token
    from ame.execution.chain import Chain
    from ame.execution.entitlement import Entitlement
    from ame.execution.signed_files import Voucher

F = TypeVar("F", bound=Callable[..., Any])
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_DAY = 86_400


def signer_options(command: F) -> F:
    """Exactly one of --account, --keystore and --key-file, and --yes."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask before signing."),
        click.option("--key-file", type=_FILE, help="File with a private key in hex."),
        click.option(
            "--keystore",
            type=_FILE,
            help="Encrypted key (Web3 Secret Storage, as geth, MetaMask and eth-account write it).",
        ),
        click.option(
            "--account", help="Ape account: an alias, a hardware wallet's too; TEST::n on a devnet."
        ),
    ):
        command = option(command)
    return command


def bundles_option(command: F) -> F:
    """--bundle, once for each of the latest settlements."""
    return click.option(
        "--bundle",
        "folders",
        multiple=True,
        required=True,
        type=_FOLDER,
        help="Bundle of the latest settlement; repeat for the one before if it is still pending.",
    )(command)


def load_signer(chain: Chain, account: str | None, keystore: Path | None, key_file: Path | None) -> Any:
    """The account that signs. Raises InputError for none or several, a wrong passphrase, or no key."""
    from ame.errors import FileError, InputError

    if [account, keystore, key_file].count(None) != 2:
        raise InputError("expected one of --account, --keystore and --key-file")
    if account is not None:
        return chain.account(account)
    if keystore is not None:
        from eth_account import Account

        passphrase = click.prompt(f"Passphrase of {keystore}", hide_input=True, err=True)
        try:
            return chain.account_of_key(bytes(Account.decrypt(keystore.read_text(), passphrase)))
        except (ValueError, KeyError, TypeError) as error:
            raise FileError("expected a keystore file and its passphrase", file=keystore) from error
    try:
        key = bytes.fromhex(Path(key_file or "").read_text().strip().removeprefix("0x"))
        return chain.account_of_key(key)
    except Exception:  # whatever it is, its message might hold the key
        raise FileError("expected a private key: 64 hex digits", file=key_file) from None


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


@click.command()
@on_network
@bundles_option
@click.argument("who")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def balance(network: str, folders: tuple[Path, ...], who: str, as_json: bool) -> None:
    """Show what WHO has earned: an address, an id, or a name such as hf:alice.

    A settlement that is not active yet is pending, and never part of what can be claimed.
    """
    from ame.encoding import to_hex
    from ame.execution.chain import connect

    with connect(network) as chain:
        bundles = read_bundles(chain, folders)
        newest = bundles[-1].settlement
        contributor_id = find_id(bundles, who)
        pool = chain.at("SettlementPool", newest.pool)
        terms = pool.terms()
        token, now = token_of(chain, terms.token), pool.status()
        found = look_up(pool, bundles, contributor_id)
        payout = chain.at("ContributorRegistry", terms.registry).payoutOf(contributor_id)
        owed = int(pool.owed(contributor_id))
        seconds_left = max(0, int(now.activeAt) - chain.now) if now.current == 1 else 0
    if as_json:
        click.echo(
            json.dumps(
                {
                    "chain_id": str(newest.chain_id),
                    "pool": newest.pool,
                    "contributor_id": to_hex(contributor_id),
                    "payout": payout,
                    "owed": str(owed),
                    "token": token._asdict() if hasattr(token, "_asdict") else vars(token),
                    "seconds_until_active": seconds_left,
                    "stages": [
                        {
                            "stage": newest.stages[one.stage],
                            **{name: str(getattr(one, name)) for name in _COLUMNS},
                        }
                        for one in found
                    ],
                    **{name: str(sum(getattr(one, name) for one in found)) for name in _COLUMNS},
                }
            )
        )
        return
    click.echo(f"pool {newest.pool} on chain {newest.chain_id}")
    click.echo(f"id   {to_hex(contributor_id)}, paid to {_or_unbound(payout)}")
    for line in _table(newest.stages, found, token):
        click.echo(line)
    if seconds_left:
        click.echo(f"Settlement {now.number} is pending until {as_date(int(now.activeAt))}.")
    if owed:
        click.echo(f"{token.text(owed)} was refused by the payout address and waits to be withdrawn.")


_COLUMNS = ("earned", "pending", "claimed", "claimable")


def _or_unbound(payout: str) -> str:
    return payout if int(payout, 16) else "nobody yet: the name is not bound"


def _table(stages: Sequence[str], found: Sequence[Entitlement], token: Token) -> list[str]:
    rows = [["stage", *_COLUMNS]]
    rows += [
        [stages[one.stage], *(token.text(getattr(one, name)).rpartition(" ")[0] for name in _COLUMNS)]
        for one in found
    ]
    totals = [token.text(sum(getattr(one, name) for one in found)) for name in _COLUMNS]
    rows.append([f"total {totals[0].rpartition(' ')[2]}", *(total.rpartition(" ")[0] for total in totals)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


@click.command()
@on_network
@signer_options
@click.option("--bundle", "folders", multiple=True, type=_FOLDER, help="Bundle of the latest settlement(s).")
@click.option("--for", "who", help="Whose earnings: an address, id or name; default the signer's own.")
@click.option(
    "--to", "recipient", help="Pay this address instead of the payout address; the holder must sign."
)
@click.option("--relay", is_flag=True, help="Send nothing: print a signed claim that anybody can send.")
@click.option("--valid-days", default=7, type=click.IntRange(1, 365), show_default=True, help="Of --relay.")
@click.option("--signed", "signed_claim", type=_FILE, help="Send a claim that somebody else has signed.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def claim(
    network: str,
    account: str | None,
    keystore: Path | None,
    key_file: Path | None,
    yes: bool,
    folders: tuple[Path, ...],
    who: str | None,
    recipient: str | None,
    relay: bool,
    valid_days: int,
    signed_claim: Path | None,
    as_json: bool,
) -> None:
    """Claim what a contributor has earned; anybody may send it, the money goes to the payout address."""
    from ame.encoding import account_id, check_address
    from ame.errors import InputError
    from ame.execution.chain import connect

    with connect(network) as chain:
        signer = load_signer(chain, account, keystore, key_file)
        if signed_claim:
            _send_signed(chain, signer, signed_claim, yes, as_json)
            return
        if not folders:
            raise InputError("expected --bundle, the bundle of the latest settlement")
        bundles = read_bundles(chain, folders)
        contributor_id = find_id(bundles, who) if who else account_id(signer.address)
        pool = chain.at("SettlementPool", bundles[-1].settlement.pool)
        terms = pool.terms()
        token = token_of(chain, terms.token)
        payout = chain.at("ContributorRegistry", terms.registry).payoutOf(contributor_id)
        if not int(payout, 16):
            raise InputError("this name is not bound to a wallet yet: `ame bind` first, the money waits")
        found = [one for one in look_up(pool, bundles, contributor_id) if one.claim]
        amount = sum(one.claimable for one in found)
        if not amount:
            raise InputError("nothing to claim: it has been paid, or its settlement is still pending")
        to = check_address(recipient, "--to") if recipient else payout
        facts = {
            "contract": pool.address,
            "signer": signer.address,
            "recipient": to,
            "amount": token.text(amount),
        }
        claims = [one.claim for one in found]
        if relay:
            _relay(chain, pool, signer, claims, to, amount, valid_days, yes, facts)
            return
        confirm(yes, chain, **facts)
        if recipient:
            receipt = chain.send(pool.claimTo, claims, to, 0, b"", sender=signer)
        else:
            receipt = chain.send(pool.claimMany, claims, sender=signer)
        _report(as_json, receipt, token.text(amount), str(amount), to)


def _relay(
    chain: Chain,
    pool: Any,
    signer: Any,
    claims: Sequence[Any],
    recipient: str,
    amount: int,
    valid_days: int,
    yes: bool,
    facts: dict[str, str],
) -> None:
    from ame.encoding import typed_data
    from ame.execution.chain import sign
    from ame.execution.signed_files import SignedClaim

    deadline = chain.now + valid_days * _DAY
    contributor_id = claims[0].contributor_id
    message = typed_data(
        "AME SettlementPool",
        chain.id,
        pool.address,
        "ClaimTo",
        contributorId=contributor_id,
        recipient=recipient,
        nonce=int(pool.nonces(signer.address)),
        deadline=deadline,
    )
    confirm(yes, chain, **facts, valid_until=as_date(deadline))
    signature = sign(signer, message)
    data = bytes(pool.claimTo.encode_input(claims, recipient, deadline, signature))
    signed = SignedClaim(chain.id, pool.address, contributor_id, recipient, amount, deadline, data)
    click.echo(json.dumps(signed.to_json(), indent=2))


def _send_signed(chain: Chain, signer: Any, path: Path, yes: bool, as_json: bool) -> None:
    from ame.errors import FileError
    from ame.execution.signed_files import read_signed_claim
    from ame.records import Claim

    signed = read_signed_claim(path)
    if signed.chain_id != chain.id:
        raise FileError(
            f"expected a claim on chain {chain.id}, got one on chain {signed.chain_id}", file=path
        )
    pool = chain.at("SettlementPool", signed.to)
    name, values = pool.decode_input(signed.data)
    if name.partition("(")[0] != "claimTo":
        raise FileError(f"expected a call of claimTo, got one of {name}", file=path)
    claims, recipient, deadline, signature = values.values()
    # The amount that the file names is the signer's word; the pool says what is still open.
    opened = [Claim(*one) for one in claims]
    amount = sum(max(0, one.cumulative - int(pool.claimed(one.stage, one.contributor_id))) for one in opened)
    token = token_of(chain, pool.terms().token)
    confirm(
        yes,
        chain,
        contract=pool.address,
        signer=signer.address,
        recipient=recipient,
        amount=token.text(amount),
    )
    receipt = chain.send(pool.claimTo, claims, recipient, deadline, signature, sender=signer)
    _report(as_json, receipt, token.text(amount), str(amount), recipient)


def _report(as_json: bool, receipt: Any, text: str, amount: str, recipient: str) -> None:
    if as_json:
        click.echo(json.dumps({"transaction": receipt.txn_hash, "amount": amount, "recipient": recipient}))
    else:
        click.echo(f"paid {text} to {recipient}: {receipt.txn_hash}")


@click.command()
@on_network
@signer_options
@click.argument("voucher_file", metavar="VOUCHER", required=False, type=_FILE)
@click.option("--payout", help="Where the name is paid; default the signer.")
@click.option("--vouch", metavar="NAME", help="As the registrar: print a voucher for this name.")
@click.option("--holder", help="With --vouch: the wallet that NAME belongs to.")
@click.option("--registry", help="With --vouch: the ContributorRegistry.")
@click.option("--valid-days", default=30, type=click.IntRange(1, 365), show_default=True)
@click.option(
    "--recovery-days",
    default=0,
    type=click.IntRange(0, 3650),
    show_default=True,
    help="With --vouch: notice after which the registrar may move the name to another wallet; 0 is never.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def bind(
    network: str,
    account: str | None,
    keystore: Path | None,
    key_file: Path | None,
    yes: bool,
    voucher_file: Path | None,
    payout: str | None,
    vouch: str | None,
    holder: str | None,
    registry: str | None,
    valid_days: int,
    recovery_days: int,
    as_json: bool,
) -> None:
    """Bind the name in VOUCHER, a registrar's file, to the wallet that signs. Registrars make one with --vouch."""
    from ame.errors import InputError
    from ame.execution.chain import connect

    with connect(network) as chain:
        signer = load_signer(chain, account, keystore, key_file)
        if vouch is not None:
            if holder is None or registry is None:
                raise InputError("--vouch: expected --holder and --registry as well")
            _vouch(chain, signer, registry, vouch, holder, recovery_days * _DAY, valid_days, yes)
            return
        if voucher_file is None:
            raise InputError("expected VOUCHER, the registrar's file")
        _bind(chain, signer, voucher_file, payout or signer.address, valid_days, yes, as_json)


def _vouch(
    chain: Chain,
    signer: Any,
    registry: str,
    name: str,
    holder: str,
    recovery_seconds: int,
    valid_days: int,
    yes: bool,
) -> None:
    from ame.encoding import keccak, typed_data
    from ame.execution.chain import sign
    from ame.execution.signed_files import Voucher
    from ame.mapping.names import check_name

    chain.at("ContributorRegistry", registry)
    check_name(name, "name")
    deadline = chain.now + valid_days * _DAY
    message = typed_data(
        "AME ContributorRegistry",
        chain.id,
        registry,
        "Vouch",
        externalIdHash=keccak(name.encode()),
        holder=holder,
        recoverySeconds=recovery_seconds,
        deadline=deadline,
    )
    confirm(
        yes,
        chain,
        contract=registry,
        registrar=signer.address,
        name=name,
        holder=holder,
        valid_until=as_date(deadline),
    )
    signature = sign(signer, message)
    voucher = Voucher(chain.id, registry, name, signer.address, holder, recovery_seconds, deadline, signature)
    click.echo(json.dumps(voucher.to_json(), indent=2))


def _bind(
    chain: Chain, signer: Any, path: Path, payout: str, valid_days: int, yes: bool, as_json: bool
) -> None:
    from ame.encoding import check_address, keccak, named_id, to_hex
    from ame.errors import FileError
    from ame.execution.chain import sign
    from ame.execution.signed_files import read_voucher

    voucher = read_voucher(path)
    if voucher.chain_id != chain.id:
        raise FileError(f"expected a voucher for chain {chain.id}, got {voucher.chain_id}", file=path)
    if voucher.holder != signer.address:
        raise FileError(f"expected a voucher for {signer.address}, got one for {voucher.holder}", file=path)
    check_address(payout, "--payout")
    registry = chain.at("ContributorRegistry", voucher.registry)
    contributor_id = named_id(voucher.registrar, voucher.name)
    deadline = chain.now + valid_days * _DAY
    message = _bind_message(
        chain, voucher, contributor_id, payout, int(registry.nonces(signer.address)), deadline
    )
    confirm(
        yes,
        chain,
        contract=registry.address,
        signer=signer.address,
        name=voucher.name,
        vouched_by=voucher.registrar,
        recipient=payout,
        recovery=f"by the registrar after {voucher.recovery_seconds} s"
        if voucher.recovery_seconds
        else "never",
    )
    receipt = chain.send(
        registry.bind,
        voucher.registrar,
        keccak(voucher.name.encode()),
        voucher.holder,
        payout,
        voucher.recovery_seconds,
        voucher.deadline,
        deadline,
        voucher.signature,
        sign(signer, message),
        sender=signer,
    )
    if as_json:
        facts = {"transaction": receipt.txn_hash, "contributor_id": to_hex(contributor_id), "payout": payout}
        click.echo(json.dumps(facts))
    else:
        click.echo(f"bound {voucher.name}, paid to {payout}: {receipt.txn_hash}")


def _bind_message(
    chain: Chain, voucher: Voucher, contributor_id: bytes, payout: str, nonce: int, deadline: int
) -> dict[str, Any]:
    from ame.encoding import typed_data

    return typed_data(
        "AME ContributorRegistry",
        chain.id,
        voucher.registry,
        "Bind",
        contributorId=contributor_id,
        holder=voucher.holder,
        payout=payout,
        recoverySeconds=voucher.recovery_seconds,
        nonce=nonce,
        deadline=deadline,
    )
