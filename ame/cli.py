"""The command line. Each command is loaded when it is called, so that `ame --help` answers at once."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from ame.errors import AmeError, CannotTell

_ONE_LINE = {  # command -> (module, attribute, help)
    "demo": ("ame.demo.commands", "demo", "The whole story on the embedded chain, in one command."),
    "attribute": ("ame.attribution.commands", "attribute", "Measure pipelines and write shares."),
    "evaluate": ("ame.attribution.commands", "evaluate", "Compare rules with what people thought fair."),
    "rights": ("ame.mapping.commands", "rights", "Rights files: hash, import, check, show, publish."),
    "deploy": ("ame.execution.commands", "deploy", "Deploy registries and factory to a chain."),
    "pool": ("ame.execution.commands", "pool", "Open a pool."),
    "deposit": ("ame.execution.commands", "deposit", "Deposit revenue into a pool."),
    "settle": ("ame.execution.commands", "settle", "Attribution, mapping and ledger of one epoch: a bundle."),
    "propose": ("ame.execution.commands", "propose", "Post a bundle's settlement."),
    "status": ("ame.execution.commands", "status", "Show a pool's settlement and books."),
    "cancel": ("ame.execution.commands", "cancel", "Cancel the pending settlement, as its arbiter."),
    "refund": ("ame.execution.commands", "refund", "Give deposits back from an abandoned pool."),
    "bind": ("ame.execution.bind_commands", "bind", "Bind a named id to a wallet."),
    "claim": ("ame.execution.claim_commands", "claim", "Claim what a contributor has earned."),
    "withdraw": ("ame.execution.claim_commands", "withdraw", "Withdraw what a payout address has refused."),
    "payout": ("ame.execution.claim_commands", "payout", "Change where an id is paid."),
    "balance": ("ame.execution.balance_command", "balance", "Show what a contributor has earned."),
    "statement": ("ame.audit.commands", "statement", "Explain one contributor's money."),
    "bundle": ("ame.audit.commands", "bundle", "Look into a bundle."),
    "audit": ("ame.audit.commands", "audit", "Re-derive every number from the chain and a bundle."),
    "watch": ("ame.audit.commands", "watch", "Audit each proposal as it comes; challenge what is false."),
    "portal": ("ame.portal.commands", "portal", "The contributors' claim page."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names in the order of the story."""
        return list(_ONE_LINE)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module."""
        if cmd_name not in _ONE_LINE:
            return None
        module, attribute, _ = _ONE_LINE[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _ONE_LINE.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ame")
def cli() -> None:
    """Measure who added what to a generative-AI output, and let contracts pay them."""


def main() -> None:
    """Entry point: a mistake is one line on standard error, exit 1; 2 where nothing can be told."""
    working_folder = str(Path.cwd())
    if working_folder not in sys.path:  # pipelines are modules of the user's project
        sys.path.insert(0, working_folder)
    try:
        cli()
    except AmeError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2 if isinstance(error, CannotTell) else 1)
    except (
        OSError
    ) as error:  # a file that cannot be written, a full disk; an audit has found nothing false by it
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"Error: {where}{error.strerror or error}", err=True)
        sys.exit(2)
