"""`ame demo`: tells the story on the terminal and writes the report."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import click


@click.command()
@click.option(
    "--network", default=None, help="As Ape names it, e.g. ethereum:devnet:node; default the embedded chain."
)
@click.option(
    "--example",
    default="examples.digits",
    show_default=True,
    help="Package with pipeline, usage, rights.yaml.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("out/demo"), show_default=True)
def demo(network: str | None, example: str, output: Path) -> None:
    """Tell the whole story: measure, map, pay, audit; and catch two liars."""
    from ame.demo.telling import tell
    from ame.execution.chain import EMBEDDED, connect

    started = time.monotonic()
    if output.exists():
        shutil.rmtree(output)
    output.mkdir(parents=True)
    with connect(network or EMBEDDED) as chain:
        tell(chain, example, output)
    click.echo(
        f"\nReport: {output / 'report.html'}   Bundles: {output / 'bundles'}   {time.monotonic() - started:.0f} s"
    )
