"""Named ids on the command line: registrars vouch for them, holders bind them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ame.execution.commands import as_date, confirm, on_network
from ame.execution.signers import FILE, load_signer, signer_options

if TYPE_CHECKING:
    from ame.execution.chain import Chain
    from ame.execution.signed_files import Voucher

_DAY = 86_400


@click.command()
@on_network
@signer_options
@click.argument("voucher_file", metavar="VOUCHER", required=False, type=FILE)
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
        signer = load_signer(chain, account, keystore, key_file, yes)
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
    from ame.encoding import check_address, to_hex
    from ame.errors import FileError
    from ame.execution.chain import sign
    from ame.execution.signed_files import read_voucher

    voucher = read_voucher(path)
    if voucher.chain_id != chain.id:
        raise FileError(f"expected a voucher for chain {chain.id}, got {voucher.chain_id}", file=path)
    if voucher.holder != signer.address:
        raise FileError(f"expected a voucher for {signer.address}, got one for {voucher.holder}", file=path)
    check_address(payout, "--payout")
    contributors = chain.at("ContributorRegistry", voucher.registry)
    contributor_id = voucher.contributor_id
    deadline = chain.now + valid_days * _DAY
    message = _bind_message(
        chain, voucher, contributor_id, payout, int(contributors.nonces(signer.address)), deadline
    )
    confirm(
        yes,
        chain,
        contract=contributors.address,
        signer=signer.address,
        name=voucher.name,
        vouched_by=voucher.registrar,
        recipient=payout,
        recovery=f"by the registrar after {voucher.recovery_seconds} s"
        if voucher.recovery_seconds
        else "never",
    )
    receipt = chain.send(
        contributors.bind,
        voucher.registrar,
        voucher.external_id_hash,
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
