"""Who signs on the command line: an Ape account, an encrypted key, or a file with a key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ame.execution.chain import Chain

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def signer_options(command: F) -> F:
    """Exactly one of --account, --keystore and --key-file, and --yes."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask before signing."),
        click.option("--key-file", type=FILE, help="File with a private key in hex."),
        click.option(
            "--keystore",
            type=FILE,
            help="Encrypted key (Web3 Secret Storage, as geth, MetaMask and eth-account write it).",
        ),
        click.option(
            "--account", help="Ape account: an alias, a hardware wallet's too; TEST::n on a devnet."
        ),
    ):
        command = option(command)
    return command


def load_signer(
    chain: Chain, account: str | None, keystore: Path | None, key_file: Path | None, yes: bool = False
) -> Any:
    """The account that signs. Raises InputError for none or several, a wrong passphrase, or no key.

    Ape's own keyfile accounts ask once more before each signature, except after `yes`.
    """
    from ame.errors import FileError, InputError

    if [account, keystore, key_file].count(None) != 2:
        raise InputError("expected one of --account, --keystore and --key-file")
    if account is not None:
        return chain.account(account, autosign=yes)
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
