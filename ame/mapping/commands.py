"""`ame rights`: hash, import, check, show, prov; publish, read and vouch on a chain."""

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
@click.option("--force", is_flag=True, help="Overwrite the output.")
def import_command(
    cards: tuple[str, ...], registrars: tuple[str, ...], since: str | None, output: Path | None, force: bool
) -> None:
    """Read model and data-set cards into a rights file; report what they leave out.

    CARD is a Hugging Face README.md, a Croissant .json or a Hub listing .jsonl, as PATH or ID=PATH.
    """
    from ame.mapping.cards import read_cards
    from ame.mapping.importing import import_cards, to_text
    from ame.mapping.rights import parse_rights, to_time

    if output is not None and output.exists() and not force:
        raise InputError(f"{output}: exists; --force overwrites it")
    found = []
    for card in cards:
        asset_id, equals, path = card.rpartition("=")
        read = read_cards(Path(path), asset_id if equals else None)
        found += read
        if not equals and Path(path).suffix == ".md":
            held = ", ".join(read[0].holders) or "nobody"
            click.echo(f"id taken from the path: {read[0].id}, held by {held}; else give ID={path}", err=True)
    try:
        start = to_time(since) if since else datetime.now(UTC).replace(microsecond=0)
    except ValueError as error:
        raise InputError(f"--since: {error}") from error
    result = import_cards(found, _registrars(registrars), start)
    is_json = output is not None and output.suffix == ".json"
    text = json.dumps(result.document) + "\n" if is_json else to_text(result.document)
    parse_rights(text, output or "rights.yaml")  # nothing is written that could not be read
    for gap in result.gaps:
        click.echo(f"missing: {gap}", err=True)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        gaps = f"{len(result.gaps)} gap{'' if len(result.gaps) == 1 else 's'}"
        click.echo(f"{output}: {len(result.document['assets'])} assets, {gaps}", err=True)
    if not since:
        click.echo(f"held from {start.isoformat()}; --since for earlier", err=True)


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


_NETWORK = click.option(
    "--network", default="ethereum:devnet:node", show_default=True, help="As Ape names it."
)
_REGISTRY = click.option("--registry", required=True, metavar="ADDRESS", help="The RightsRegistry.")
_ACCEPT = click.option(
    "--accept",
    "accepted",
    multiple=True,
    metavar="ASSET",
    help="Take its registration by somebody else, with other holders than the file's. Repeatable.",
)


@rights.command("publish")
@click.argument("path", metavar="RIGHTS", type=_PATH)
@_NETWORK
@_REGISTRY
@click.option("--account", required=True, help="Ape account that registers; TEST::n on a devnet.")
@click.option("--contest", is_flag=True, help="Register content that others have registered: contests it.")
@_ACCEPT
@click.option("--yes", is_flag=True, help="Do not ask before signing.")
def publish_command(
    path: Path,
    network: str,
    registry: str,
    account: str,
    contest: bool,
    accepted: tuple[str, ...],
    yes: bool,
) -> None:
    """Register every asset of a rights file, with the split of now; exit 1 where one of them is refused."""
    from ame.encoding import to_hex
    from ame.execution.chain import connect
    from ame.execution.commands import confirm
    from ame.mapping.publishing import publish
    from ame.mapping.rights import load_rights

    rights_ = load_rights(path)
    with connect(network) as chain:
        sender = chain.account(account)
        confirm(yes, chain, signer=sender.address, registry=registry, assets=len(rights_.assets))
        at = datetime.fromtimestamp(chain.now, UTC)
        refused = []
        for done in publish(chain, registry, rights_, at, sender, contest, accepted):
            if done.problem:
                refused.append(f"Error: {rights_.file}: asset {done.asset}: {done.problem}")
            else:
                click.echo(f"{done.state}: {done.asset} {to_hex(done.asset_id)}")
        click.echo(f"block {chain.block}")
    for line in refused:
        click.echo(line, err=True)
    if refused:
        sys.exit(1)


@rights.command("read")
@click.argument("path", metavar="RIGHTS", type=_PATH)
@_NETWORK
@_REGISTRY
@click.option("--block", type=click.IntRange(0), help="As of this block; default the latest.")
@click.option(
    "--from-block", type=click.IntRange(0), help="Where the registry's events start; default: found."
)
@_ACCEPT
@click.option("-o", "--output", type=_PATH, help="Rights file to write; default: print it.")
def read_command(
    path: Path,
    network: str,
    registry: str,
    block: int | None,
    from_block: int | None,
    accepted: tuple[str, ...],
    output: Path | None,
) -> None:
    """The rights file with its holders as the RightsRegistry says at a block: the same for everybody who asks."""
    from ame.execution.chain import connect
    from ame.mapping.importing import to_text
    from ame.mapping.publishing import read_standings
    from ame.mapping.registration import document_as_of
    from ame.mapping.rights import AsOf, parse_rights
    from ame.mapping.strict_yaml import parse, read_file

    text = read_file(path)
    rights_ = parse_rights(text, path)
    with connect(network) as chain:
        as_of = AsOf(chain.id, registry, chain.block if block is None else block)
        standings = read_standings(chain, registry, rights_, as_of.block, from_block)
    found = to_text(document_as_of(parse(text, path), rights_, standings, as_of, accepted))
    parse_rights(found, output or "rights.yaml")  # nothing is written that could not be read
    if output is None:
        click.echo(found, nl=False)
    else:
        output.write_text(found, encoding="utf-8")
        click.echo(f"{output}: {len(standings)} assets as of block {as_of.block}", err=True)


@rights.command("release")
@click.argument("content")
@_NETWORK
@_REGISTRY
@click.option("--valid-days", default=30, type=click.IntRange(1, 365), show_default=True)
def release_command(content: str, network: str, registry: str, valid_days: int) -> None:
    """Print the registry's voucher for the escrow id of a settled contest; the winner passes it to `ame bind`.

    CONTENT is the content hash, or the id of an asset that has none.
    """
    from ame.encoding import check_address
    from ame.execution.chain import connect
    from ame.mapping.publishing import release
    from ame.mapping.registration import hash_of_name

    digits = content.removeprefix("0x")
    is_hash = len(digits) == 64 and all(digit in "0123456789abcdef" for digit in digits)
    with connect(network) as chain:
        voucher = release(
            chain,
            check_address(registry, "--registry"),
            bytes.fromhex(digits) if is_hash else hash_of_name(content),
            chain.now + valid_days * 86_400,
        )
    _print_json(voucher.to_json())


@rights.command("prov")
@click.argument("folder", metavar="BUNDLE", type=_PATH)
@click.option("-o", "--output", type=_PATH, help="File to write; default: print it.")
def prov_command(folder: Path, output: Path | None) -> None:
    """Lineage and payments of a bundle as PROV-JSON (W3C)."""
    from ame.bundle import evidence_of, read_bundle
    from ame.mapping.prov import bundle_to_prov

    document = bundle_to_prov(read_bundle(folder), evidence_of(folder))
    text = json.dumps(document, indent=1, ensure_ascii=True) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"{output}: {len(document['entity'])} entities, {len(document['agent'])} agents", err=True)


@rights.command("vouch")
@click.argument("name")
@_NETWORK
@click.option("--registry", required=True, metavar="ADDRESS", help="The ContributorRegistry.")
@click.option("--holder", required=True, metavar="ADDRESS", help="The wallet that NAME belongs to.")
@click.option("--account", required=True, help="The registrar's Ape account; TEST::n on a devnet.")
@click.option("--recovery-days", default=0, type=click.IntRange(0, 3650), show_default=True)
@click.option("--valid-days", default=30, type=click.IntRange(1, 365), show_default=True)
@click.option("--yes", is_flag=True, help="Do not ask before signing.")
@click.pass_context
def vouch_command(context: click.Context, /, name: str, **options: Any) -> None:
    """As the registrar, print a voucher that NAME belongs to a wallet; its holder passes it to `ame bind`."""
    from ame.execution.bind_commands import bind
    from ame.mapping.names import check_name, namespace_of

    namespace_of(check_name(name, "name"))
    context.invoke(bind, vouch=name, **options)


def _registrars(options: tuple[str, ...]) -> dict[str, str]:
    from ame.encoding import check_address

    found: dict[str, str] = {}
    for option in options:
        namespace, _, address = option.rpartition("=")
        found[namespace or "*"] = check_address(address, "--registrar")
    return found


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, sort_keys=True))
