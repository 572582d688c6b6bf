"""How a contributor is paid, on the command line: claim, withdraw what was refused, change where money goes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from ame import bounded_json
from ame.execution.balance_command import FOLDER, bundles_option, find_id, open_account, read_bundles
from ame.execution.commands import as_date, confirm, on_network, token_of
from ame.execution.signers import FILE, load_signer, signer_options

if TYPE_CHECKING:
    from ame.bundle import Token
    from ame.execution.balance_command import Account
    from ame.execution.chain import Chain
    from ame.records import Claim

_DAY = 86_400


class Due(NamedTuple):
    """What can be claimed for one id, and where it goes."""

    pool: Any
    registry: Any
    contributor_id: bytes
    claims: Sequence[Claim]
    amount: int
    token: Token
    recipient: str


@click.command()
@on_network
@signer_options
@click.option("--bundle", "folders", multiple=True, type=FOLDER, help="Bundle of the latest settlement(s).")
@click.option(
    "--proof", type=FILE, help="Instead of --bundle: a proof that the claim page or --export wrote."
)
@click.option("--signed", type=FILE, help="Send a claim that somebody else has signed, from its file.")
@click.option("--for", "who", help="Whose earnings: an address, id or name; default the signer's own.")
@click.option("--to", help="Pay this address instead of the payout address; the holder must sign.")
@click.option("--export", is_flag=True, help="Send nothing: print the proof and the call, for other tools.")
@click.option("--relay", is_flag=True, help="Send nothing: print a signed claim that anybody can send.")
@click.option("--valid-days", default=7, type=click.IntRange(1, 365), show_default=True, help="Of --relay.")
@click.option("--typed-data", is_flag=True, help="Of --relay: print what the holder must sign, a Safe say.")
@click.option("--message", type=FILE, help="Of --relay: what --typed-data has printed, now with --signature.")
@click.option(
    "--signature", metavar="HEX", help="Of --relay: the holder's signature of --message (ERC-1271)."
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def claim(
    network: str,
    account: str | None,
    keystore: Path | None,
    key_file: Path | None,
    yes: bool,
    folders: tuple[Path, ...],
    proof: Path | None,
    signed: Path | None,
    who: str | None,
    to: str | None,
    export: bool,
    relay: bool,
    valid_days: int,
    typed_data: bool,
    message: Path | None,
    signature: str | None,
    as_json: bool,
) -> None:
    """Claim what a contributor has earned; anybody may send it, the money goes to the payout address."""
    from ame.encoding import account_id, check_address
    from ame.errors import InputError
    from ame.execution.chain import connect

    if [bool(folders), bool(proof), bool(signed)].count(True) != 1:
        raise InputError("expected one of --bundle (of the latest settlement), --proof and --signed")
    if signed and (to or who or export or relay or typed_data or message):
        raise InputError(
            "--signed: the file says whose claim it is and who is paid; expected no other option of a claim"
        )
    if (message is None) != (signature is None):
        raise InputError("expected --message and --signature together")
    if to is not None:
        check_address(to, "--to")
    elsewhere = export or typed_data or message is not None  # nothing is signed here
    if elsewhere and folders and who is None:
        raise InputError("expected --for: whose earnings")
    with connect(network) as chain:
        signer = None if elsewhere else load_signer(chain, account, keystore, key_file, yes)
        if signed:
            _send_signed(chain, signer, signed, yes, as_json)
            return
        if proof:
            due = _from_proof(chain, proof, to)
        else:
            bundles = read_bundles(chain, folders)
            contributor_id = find_id(bundles, who) if who else account_id(cast(Any, signer).address)
            due = _from_account(open_account(chain, bundles, contributor_id), to)
        if export:
            _print_proof(chain, due, to is not None)
        elif typed_data:
            click.echo(json.dumps(_message(chain, due, chain.now + valid_days * _DAY), indent=2))
        elif message and signature:
            _print_signed_elsewhere(chain, due, message, signature)
        elif relay:
            _relay(chain, signer, due, valid_days, yes)
        else:
            _send(chain, signer, due, to is not None, yes, as_json)


def _from_account(account: Account, to: str | None) -> Due:
    from ame.errors import InputError

    if not account.bound and to is None:
        raise InputError("this name is not bound to a wallet yet: `ame bind` first, the money waits")
    claims = [one.claim for one in account.stages if one.claim]
    if not claims:
        text = account.token.text
        paid, pending = account.sum("claimed"), account.sum("pending")
        until = f", {text(pending)} is pending until {as_date(account.pending_until)}" if pending else ""
        raise InputError(f"nothing to claim: {text(paid)} has been paid{until}")
    return Due(
        account.pool, account.registry, account.contributor_id, claims, account.sum("claimable"), account.token,
        to or account.payout,
    )  # fmt: skip


def _from_proof(chain: Chain, path: Path, to: str | None) -> Due:
    from ame.errors import FileError, InputError
    from ame.execution.signed_files import read_claim_file

    found = read_claim_file(path)
    if found.chain_id != chain.id:
        raise FileError(f"expected a claim on chain {chain.id}, got one on chain {found.chain_id}", file=path)
    pool = chain.at("SettlementPool", found.to)
    terms, contributor_id = pool.terms(), found.claims[0].contributor_id
    contributors = chain.at("ContributorRegistry", terms.registry)
    payout = to or str(contributors.payoutOf(contributor_id))
    if not int(payout, 16):
        raise InputError("this name is not bound to a wallet yet: `ame bind` first, the money waits")
    amount, token = _unpaid(pool, found.claims), token_of(chain, terms.token)
    if not amount:
        raise InputError("nothing to claim: all that this proof shows has been paid")
    return Due(pool, contributors, contributor_id, found.claims, amount, token, payout)


def _unpaid(pool: Any, claims: Sequence[Claim]) -> int:
    return sum(max(0, one.cumulative - int(pool.claimed(one.stage, one.contributor_id))) for one in claims)


def _facts(due: Due, signer: Any) -> dict[str, str]:
    amount = due.token.text(due.amount)
    return {
        "contract": due.pool.address,
        "signer": signer.address,
        "recipient": due.recipient,
        "amount": amount,
    }


def _check_holder(due: Due, signer: Any) -> None:
    from ame.errors import InputError

    holder = str(due.registry.holderOf(due.contributor_id))
    if holder != signer.address:
        raise InputError(
            f"expected the holder {holder} to choose the recipient, got {signer.address}: without --to anybody may claim "
            "for others; a contract wallet sends the call of --export --to, or signs what --typed-data prints"
        )


def _send(chain: Chain, signer: Any, due: Due, elsewhere: bool, yes: bool, as_json: bool) -> None:
    if elsewhere:
        _check_holder(due, signer)
    confirm(yes, chain, **_facts(due, signer))
    if elsewhere:
        receipt = chain.send(due.pool.claimTo, due.claims, due.recipient, b"", 0, sender=signer)
    else:
        receipt = chain.send(due.pool.claimBatch, due.claims, sender=signer)
    _report(as_json, receipt, due.token.text(due.amount), due.amount, due.recipient)


def _print_proof(chain: Chain, due: Due, elsewhere: bool) -> None:
    from ame.execution.signed_files import ClaimFile

    if elsewhere:  # for the holder to send: a Safe's transaction builder, say
        data = bytes(due.pool.claimTo.encode_input(due.claims, due.recipient, b"", 0))
    else:
        data = bytes(due.pool.claimBatch.encode_input(due.claims))
    found = ClaimFile(chain.id, due.pool.address, due.amount, tuple(due.claims), data)
    click.echo(json.dumps(found.to_json(), indent=2))


def _message(chain: Chain, due: Due, deadline: int) -> dict[str, Any]:
    """What the holder signs; numbers and bytes as JSON has them."""
    from ame.encoding import to_hex

    message = _typed(chain, due, due.recipient, deadline)
    values = message["message"]
    values["contributorId"] = to_hex(values["contributorId"])
    return {**message, "message": {name: str(value) for name, value in values.items()}}


def _typed(chain: Chain, due: Due, recipient: str, deadline: int) -> dict[str, Any]:
    from ame.encoding import typed_data

    return typed_data(
        "AME SettlementPool",
        chain.id,
        due.pool.address,
        "ClaimTo",
        contributorId=due.contributor_id,
        recipient=recipient,
        nonce=int(due.pool.nonces(due.registry.holderOf(due.contributor_id))),
        deadline=deadline,
    )


def _relay(chain: Chain, signer: Any, due: Due, valid_days: int, yes: bool) -> None:
    from ame.execution.chain import sign

    _check_holder(due, signer)
    deadline = chain.now + valid_days * _DAY
    confirm(yes, chain, **_facts(due, signer), valid_until=as_date(deadline))
    _print_signed(chain, due, deadline, sign(signer, _typed(chain, due, due.recipient, deadline)))


def _print_signed_elsewhere(chain: Chain, due: Due, path: Path, signature: str) -> None:
    from ame.encoding import check_address
    from ame.errors import FileError
    from ame.execution.signed_files import hex_bytes

    try:
        given = bounded_json.loads(path.read_text())
        recipient, deadline = (
            check_address(given["message"]["recipient"], "recipient"),
            int(given["message"]["deadline"]),
        )
        due = due._replace(recipient=recipient)
        same = given == _message(chain, due, deadline)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError(f"expected what --typed-data has printed: {error}", file=path) from error
    if not same:
        raise FileError(
            "expected the message of this id, pool and chain, with the nonce not used yet", file=path
        )
    _print_signed(chain, due, deadline, hex_bytes(signature, "--signature"))


def _print_signed(chain: Chain, due: Due, deadline: int, signature: bytes) -> None:
    from ame.execution.signed_files import SignedClaim

    data = bytes(due.pool.claimTo.encode_input(due.claims, due.recipient, signature, deadline))
    found = SignedClaim(
        chain.id, due.pool.address, due.contributor_id, due.recipient, due.amount, deadline, data
    )
    click.echo(json.dumps(found.to_json(), indent=2))


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
    claims, recipient, signature, deadline = values.values()
    # The amount that the file names is the signer's word; the pool says what is still open.
    amount, token = _unpaid(pool, [Claim(*one) for one in claims]), token_of(chain, pool.terms().token)
    facts = {
        "contract": pool.address,
        "signer": signer.address,
        "recipient": recipient,
        "amount": token.text(amount),
    }
    confirm(yes, chain, **facts)
    receipt = chain.send(pool.claimTo, claims, recipient, signature, deadline, sender=signer)
    _report(as_json, receipt, token.text(amount), amount, recipient)


def _report(as_json: bool, receipt: Any, text: str, amount: int, recipient: str) -> None:
    if as_json:
        click.echo(
            json.dumps({"transaction": receipt.txn_hash, "amount": str(amount), "recipient": recipient})
        )
    else:
        click.echo(f"paid {text} to {recipient}: {receipt.txn_hash}")


@click.command()
@on_network
@signer_options
@bundles_option
@click.argument("to")
@click.option("--for", "who", help="Whose money: an address, id or name; default the signer's own.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def withdraw(
    network: str,
    account: str | None,
    keystore: Path | None,
    key_file: Path | None,
    yes: bool,
    folders: tuple[Path, ...],
    to: str,
    who: str | None,
    as_json: bool,
) -> None:
    """Withdraw to the address TO what the payout address has refused; only the id's holder can."""
    from ame.encoding import account_id, check_address
    from ame.errors import InputError
    from ame.execution.chain import connect

    check_address(to, "TO")
    with connect(network) as chain:
        signer, bundles = load_signer(chain, account, keystore, key_file, yes), read_bundles(chain, folders)
        contributor_id = find_id(bundles, who) if who else account_id(signer.address)
        pool = chain.at("SettlementPool", bundles[-1].settlement.pool)
        owed, token = int(pool.owed(contributor_id)), token_of(chain, pool.terms().token)
        if not owed:
            raise InputError("nothing to withdraw: no payment to this id was refused")
        due = Due(
            pool, chain.at("ContributorRegistry", pool.terms().registry), contributor_id, (), owed, token, to
        )
        _check_holder(due, signer)
        confirm(yes, chain, **_facts(due, signer))
        receipt = chain.send(pool.withdrawOwed, contributor_id, to, sender=signer)
        _report(as_json, receipt, token.text(owed), owed, to)


@click.command()
@on_network
@signer_options
@bundles_option
@click.argument("address")
@click.option("--for", "who", help="Whose payout address: an address, id or name; default the signer's own.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def payout(
    network: str,
    account: str | None,
    keystore: Path | None,
    key_file: Path | None,
    yes: bool,
    folders: tuple[Path, ...],
    address: str,
    who: str | None,
    as_json: bool,
) -> None:
    """Have everything that is claimed from now on paid to ADDRESS, in all pools that use the registry."""
    from ame.encoding import account_id, check_address, to_hex
    from ame.execution.chain import connect

    check_address(address, "ADDRESS")
    with connect(network) as chain:
        signer, bundles = load_signer(chain, account, keystore, key_file, yes), read_bundles(chain, folders)
        contributor_id = find_id(bundles, who) if who else account_id(signer.address)
        pool = chain.at("SettlementPool", bundles[-1].settlement.pool)
        contributors = chain.at("ContributorRegistry", pool.terms().registry)
        before = contributors.payoutOf(contributor_id)
        facts = {
            "signer": signer.address,
            "id": to_hex(contributor_id),
            "paid_so_far_to": before,
            "recipient": address,
        }
        confirm(yes, chain, contract=contributors.address, **facts)
        receipt = chain.send(contributors.setPayout, contributor_id, address, sender=signer)
        if as_json:
            click.echo(json.dumps({"transaction": receipt.txn_hash, "payout": address}))
        else:
            click.echo(f"paid to {address} from now on: {receipt.txn_hash}")
