"""`ame portal`: export the claim page, serve it on this machine, describe its messages to wallets."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _site_options(command: _Command) -> _Command:
    options = [
        click.option("--bundle", "bundles", multiple=True, type=click.Path(path_type=Path, exists=True),
                     help="A bundle's folder; once for each settlement, of one or more pools."),
        click.option("--rpc", help="Node that browsers ask, such as http://127.0.0.1:8545."),
        click.option("--title", default="", help="What the page calls the pool."),
        click.option("--chain-name", default="", help="What the page calls the chain."),
        click.option("--explorer", default="", help="Block explorer whose /tx/HASH shows a transaction."),
        click.option("--from-block", default=0, help="Block of the pool's creation: the search for events begins there."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@click.option("--folder", type=click.Path(path_type=Path, exists=True), help="An exported page to serve.")
@click.option("--port", default=8600, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@_site_options
@click.pass_context
def portal(
    ctx: click.Context, /, folder: Path | None, port: int, bundles: tuple[Path, ...], **site: Any
) -> None:
    """The contributors' claim page. Serves --folder, or what --bundle and --rpc give, on this machine."""
    if ctx.invoked_subcommand:
        return
    if folder is not None and not bundles:
        _serve(folder, port)
        return
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(temporary) / "site"
        _export(made, bundles, site)
        _serve(made, port)


@portal.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_site_options
def export(folder: Path, bundles: tuple[Path, ...], **site: Any) -> None:
    """Write the page for any static host. Run it again for each settlement."""
    count = _export(folder, bundles, site)
    click.echo(
        f"{folder}: {count} files. Any static host will do; `ame portal --folder {folder}` shows it here."
    )


@portal.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--bundle",
    "bundles",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, exists=True),
    help="A bundle's folder, one for each pool.",
)
@click.option("--rights-registry", multiple=True, metavar="ADDRESS", help="On the bundles' chain.")
@click.option("--owner", required=True, help="Who runs the pools, as wallets will show it.")
@click.option("--url", required=True, help="The owner's page.")
def descriptors(
    folder: Path, bundles: tuple[Path, ...], rights_registry: tuple[str, ...], owner: str, url: str
) -> None:
    """Write clear-signing descriptors (ERC-7730) of the pools' contracts, to be submitted to wallets' registries."""
    from ame.bundle import read_bundle
    from ame.encoding import check_address
    from ame.portal.clear_signing import descriptors as describe

    places: dict[str, list[tuple[int, str]]] = {"AME SettlementPool": [], "AME ContributorRegistry": []}
    for bundle in map(read_bundle, bundles):
        chain = bundle.settlement.chain_id
        places["AME SettlementPool"].append((chain, bundle.settlement.pool))
        places["AME ContributorRegistry"].append((chain, bundle.terms.registry))
        for address in rights_registry:
            places.setdefault("AME RightsRegistry", []).append(
                (chain, check_address(address, "--rights-registry"))
            )
    found = describe(owner, url, {domain: list(dict.fromkeys(ones)) for domain, ones in places.items()})
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in found.items():
        (folder / name).write_text(json.dumps(document, indent=2) + "\n")
    click.echo(f"{folder}: {len(found)} descriptors")


def _export(folder: Path, bundles: tuple[Path, ...], site: dict[str, Any]) -> int:
    from ame.bundle import evidence_of, read_bundle
    from ame.portal.export import Published, Site, site_files, write

    if not bundles or not site["rpc"]:
        raise click.UsageError(
            "give --bundle (once for each settlement) and --rpc, or serve a page with --folder"
        )
    published = [Published(read_bundle(bundle), evidence_of(bundle)) for bundle in bundles]
    return write(folder, site_files(published, Site(**site)))


def _serve(folder: Path, port: int) -> None:
    from ame.portal.serve import make_server

    with make_server(folder, port) as server:
        click.echo(f"http://127.0.0.1:{server.server_address[1]}/ (end with Ctrl-C)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo()
