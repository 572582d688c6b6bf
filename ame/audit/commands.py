"""ame audit, bundle, statement, watch: parse, call, print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ame.errors import AmeError, CannotTell, InputError

_PATH = click.Path(path_type=Path)
_NETWORK = click.option(
    "--network",
    default=None,
    help="As Ape names it, e.g. ethereum:devnet:node. Without it no chain is asked.",
)


@click.command()
@click.argument("folders", type=_PATH, nargs=-1, required=True)
@_NETWORK
@click.option("--pool", default=None, help="The pool's address; by default the one that the bundle names.")
@click.option("--from-block", type=click.IntRange(0), default=None, help="Where the pool's events begin.")
@click.option("--events", type=_PATH, default=None, help="File that keeps scanned events for the next time.")
@click.option("--rerun", "module", default=None, help="Module with PIPELINES: run coalitions again.")
@click.option("--sample", type=click.IntRange(1), default=16, show_default=True, help="Coalitions to rerun.")
@click.option("--all", "everything", is_flag=True, help="Rerun all coalitions.")
@click.option("--html", type=_PATH, default=None, help="Write the report as one HTML file.")
@click.option("--markdown", type=_PATH, default=None, help="Write the report as Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def audit(
    folders: tuple[Path, ...],
    network: str | None,
    pool: str | None,
    from_block: int | None,
    events: Path | None,
    module: str | None,
    sample: int,
    everything: bool,
    html: Path | None,
    markdown: Path | None,
    as_json: bool,
) -> None:
    """Re-derive every number of the bundle FOLDER; older bundles may stand before it, oldest first.

    Exit 0 only if every check holds, 1 if something is false, 2 if it cannot be told.
    """
    from ame.audit import audit as auditing
    from ame.audit.render import to_html, to_json, to_markdown, to_text
    from ame.audit.rerun import rerun_of

    # 1 says that something is false: nothing else that happens to an audit may end so.
    try:
        rerun = None if module is None else rerun_of(_pipelines(module), None if everything else sample)
        with _Bar(as_json) as bar:
            facts = (
                _facts(network, pool, folders[-1], from_block, events, bar) if network is not None else None
            )
            report = auditing.audit(folders, facts, rerun=rerun, on_progress=bar.check)
        if html is not None:
            html.write_text(to_html(report), encoding="utf-8")
        if markdown is not None:
            markdown.write_text(to_markdown(report), encoding="utf-8")
    except CannotTell:
        raise
    except AmeError as error:
        raise CannotTell(str(error)) from error
    except Exception as error:
        raise CannotTell(f"the audit could not be done: {type(error).__name__}: {error}") from error
    click.echo(to_json(report) if as_json else to_text(report))
    sys.exit(report.exit_code)


def _pipelines(module: str) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = import_module(module).PIPELINES
    except (ImportError, AttributeError, ValueError) as error:
        raise CannotTell(f"--rerun: expected a module with PIPELINES, got {module!r}: {error}") from error
    return found


def _facts(
    network: str, pool: str | None, folder: Path, first_block: int | None, events: Path | None, bar: _Bar
) -> Any:
    from ame.audit.files import read_manifest
    from ame.audit.gather import gather_facts
    from ame.audit.rights_check import with_rights
    from ame.errors import ChainError
    from ame.execution.chain import connect

    try:
        address = pool or read_manifest(folder)[1]["pool"]
    except AmeError:
        return None  # the audit says what is wrong with the manifest
    try:
        with connect(network) as chain:
            facts = gather_facts(
                chain, address, first_block=first_block, store=events, on_progress=bar.blocks
            )
            return with_rights(facts, chain, folder)
    except ChainError as error:
        raise CannotTell(str(error)) from error


class _Bar:
    """A progress bar on standard error; silent where nobody looks."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self.progress = Progress(console=console, transient=True, disable=quiet or not console.is_terminal)
        self.task = self.progress.add_task("audit", total=None)

    def __enter__(self) -> _Bar:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def blocks(self, done: int, total: int) -> None:
        self.progress.update(self.task, description="scanning blocks", completed=done, total=total)

    def check(self, name: str, done: int, total: int) -> None:
        self.progress.update(self.task, description=name, completed=done, total=total)


@click.group()
def bundle() -> None:
    """Look into a bundle."""


@bundle.command()
@click.argument("folder", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def show(folder: Path, as_json: bool) -> None:
    """Show what a bundle says, after checking that it is whole."""
    from ame.audit.statement import summary_of, summary_text

    summary = summary_of(folder)
    click.echo(json.dumps(summary, indent=2, sort_keys=True) if as_json else summary_text(summary))


@click.command()
@click.argument("folders", type=_PATH, nargs=-1, required=True)
@click.option("--contributor", required=True, help="A name such as hf:alice, an address, or an id in hex.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def statement(folders: tuple[Path, ...], contributor: str, as_json: bool) -> None:
    """Explain one contributor's money, from the bundles FOLDERS, oldest first."""
    from ame.audit.statement import statement_of, statement_text

    found = statement_of(folders, contributor)
    click.echo(json.dumps(found, indent=2, sort_keys=True) if as_json else statement_text(found))


@click.command()
@click.argument("pool")
@click.option("--network", required=True, help="As Ape names it, e.g. ethereum:devnet:node.")
@click.option("--bundles", required=True, help="A folder of bundles, or a URL with {number} or {evidence}.")
@click.option("--account", default=None, help="Ape account that sends challenges; needed unless --dry-run.")
@click.option("--cache", type=_PATH, default=Path(".cache/watch"), show_default=True)
@click.option("--from-block", type=click.IntRange(0), default=None, help="Where the pool's events begin.")
@click.option("--pause", type=click.IntRange(1), default=12, show_default=True, help="Seconds between looks.")
@click.option(
    "--most-demands", type=click.IntRange(0), default=128, show_default=True, help="Per settlement."
)
@click.option(
    "--most-megabytes",
    type=click.IntRange(1),
    default=512,
    show_default=True,
    help="Of a bundle; reading takes several times as much memory. What is larger counts as not published.",
)
@click.option(
    "--answer", is_flag=True, help="Answer demands about settlements that are right, for their bonds."
)
@click.option("--once", is_flag=True, help="Look once and end.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, send nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def watch(
    pool: str,
    network: str,
    bundles: str,
    account: str | None,
    cache: Path,
    from_block: int | None,
    pause: int,
    most_demands: int,
    most_megabytes: int,
    answer: bool,
    once: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Audit each proposal of POOL as it comes; challenge what is false, demand what is hidden."""
    from ame.audit.gather import gather_facts
    from ame.audit.source import FolderSource, Source, UrlSource
    from ame.audit.watch import Policy, Watcher, secret_in, send_challenge
    from ame.execution.chain import connect

    if account is None and not dry_run:
        raise InputError("expected --account, or --dry-run to send nothing")
    log = _logger(as_json)
    most = most_megabytes << 20
    source: Source = FolderSource(Path(bundles))
    if "://" in bundles:
        source = UrlSource(bundles, cache, log=log, most_bytes=most)
    with connect(network) as chain:
        contract, store = chain.at("SettlementPool", pool), cache / f"{chain.id}-{pool}.json"
        sender = None if account is None or dry_run else chain.account(account)

        def send(updates: Any, challenge: Any) -> str:
            return str(send_challenge(chain, contract, updates, challenge, sender).txn_hash)

        watcher = Watcher(
            lambda: gather_facts(chain, pool, first_block=from_block, store=store),
            source,
            None if sender is None else send,
            log,
            Policy(None if sender is None else sender.address, secret_in(cache), most_demands, most, answer),
        )
        if once:
            watcher.step()
        else:
            watcher.run(pause)


def _logger(as_json: bool) -> Callable[[str], None]:
    def log(text: str) -> None:
        line: Mapping[str, str] = {"watch": text}
        click.echo(json.dumps(line) if as_json else text)

    return log
