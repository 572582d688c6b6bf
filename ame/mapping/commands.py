"""`ame rights`: hash, import, check, show."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ame.errors import InputError

_PATH = click.Path(path_type=Path)


@click.group()
def rights() -> None:
    """Rights files: who holds which asset, what it was made from, where its holders are paid."""


@rights.command("hash")
@click.argument("paths", nargs=-1, required=True, type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def hash_command(paths: tuple[Path, ...], as_json: bool) -> None:
    """Print the content hash (SHA-256) of files and folders."""
    from ame.mapping.hashing import hash_path

    found = {str(path): hash_path(path) for path in paths}
    if as_json:
        _print_json(found)
    else:
        for path, sha256 in found.items():
            click.echo(f"{sha256}  {path}")


@rights.command("import")
@click.argument("cards", nargs=-1, required=True, metavar="CARD...")
@click.option(
    "--registrar",
    "registrars",
    multiple=True,
    required=True,
    metavar="[NAMESPACE=]ADDRESS",
    help="Who vouches for names such as hf:alice; without a namespace: for all others.",
)
@click.option("--since", help="From when the owners hold their assets, with zone; default now.")
@click.option("-o", "--output", type=_PATH, help="Rights file to write (.yaml or .json); default: print it.")
def import_command(
    cards: tuple[str, ...], registrars: tuple[str, ...], since: str | None, output: Path | None
) -> None:
    """Read model and data-set cards into a rights file; report what they leave out.

    CARD is a Hugging Face README.md, a Croissant .json or a Hub listing .jsonl, as PATH or ID=PATH.
    """
    from ame.mapping.cards import read_cards
    from ame.mapping.importing import import_cards, to_text
    from ame.mapping.rights import parse_rights, to_time

    found = []
    for card in cards:
        asset_id, equals, path = card.rpartition("=")
        found += read_cards(Path(path), asset_id if equals else None)
    try:
        start = to_time(since) if since else datetime.now(UTC).replace(microsecond=0)
    except ValueError as error:
        raise InputError(f"--since: {error}") from error
    result = import_cards(found, _registrars(registrars), start)
    is_json = output is not None and output.suffix == ".json"
    text = json.dumps(result.document, indent=1) + "\n" if is_json else to_text(result.document)
    parse_rights(text, output or "rights.yaml")  # nothing is written that could not be read
    for gap in result.gaps:
        click.echo(f"missing: {gap}", err=True)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"{output}: {len(result.document['assets'])} assets, {len(result.gaps)} gaps", err=True)


@rights.command("check")
@click.argument("path", metavar="RIGHTS", type=_PATH)
@click.option("--content", is_flag=True, help="Also hash the files that the assets name.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check_command(path: Path, content: bool, as_json: bool) -> None:
    """Check a rights file and its licences; exit 1 where money must not move."""
    from ame.mapping.checking import check_file

    report = check_file(path, content)
    if as_json:
        _print_json({"ok": report.ok, **report._asdict(), "findings": [f._asdict() for f in report.findings]})
    else:
        for finding in report.findings:
            click.echo(f"{finding.level}: {finding.message}")
        verdict = "ok" if report.ok else "not ok"
        click.echo(f"{path}: {report.assets} assets, {report.edges} edges: {verdict}")
    if not report.ok:
        sys.exit(1)


@rights.command("show")
@click.argument("path", metavar="RIGHTS", type=_PATH)
@click.option("--asset", help="Only this asset and what it was made from.")
@click.option("--at", "moment", help="Holders at this time, with zone; default now.")
@click.option("--svg", type=_PATH, help="Write a picture instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_command(path: Path, asset: str | None, moment: str | None, svg: Path | None, as_json: bool) -> None:
    """Draw the lineage with holders, licences and conflicts: as text, or as SVG."""
    from ame.mapping import drawing
    from ame.mapping.rights import load_rights, to_time

    rights_ = load_rights(path)
    try:
        at = to_time(moment) if moment else datetime.now(UTC)
    except ValueError as error:
        raise InputError(f"--at: {error}") from error
    if svg is not None:
        svg.write_text(drawing.to_svg(rights_, at, asset), encoding="utf-8")
        click.echo(str(svg))
    elif as_json:
        _print_json(drawing.to_plain(rights_, at, asset))
    else:
        click.echo(drawing.to_text(rights_, at, asset), nl=False)


def _registrars(options: tuple[str, ...]) -> dict[str, str]:
    from ame.encoding import check_address

    found: dict[str, str] = {}
    for option in options:
        namespace, _, address = option.rpartition("=")
        found[namespace or "*"] = check_address(address, "--registrar")
    return found


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, sort_keys=True))
