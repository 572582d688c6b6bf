"""`ame portal`: export the claim page, serve it on this machine."""

from __future__ import annotations

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


def _export(folder: Path, bundles: tuple[Path, ...], site: dict[str, Any]) -> int:
    from ame.bundle import evidence_of, read_bundle
    from ame.portal.export import Published, Site, site_files, write

    if not bundles or not site["rpc"]:
        raise click.UsageError("give --bundle (once for each settlement) and --rpc")
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
