"""The command line: quick help, one line per mistake, exit codes, nothing written half."""

from __future__ import annotations

import contextlib
import io
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from ame.bundle import write_bundle
from ame.cli import LazyGroup, cli, main
from ame.pipeline import settle
from tests.audit.synthetic import random_epoch

AME = Path(sys.executable).with_name("ame")
EMBEDDED = "ethereum:local:test"

PIPELINES = """
class Cats:
    name = "cats"
    stages = ("data", "model")
    assets = (("photos", "films"), ("net",))
    inputs_sha256 = "00" * 32
    def utility(self, coalition):
        return {utility}
PIPELINES = {{"cats": Cats()}}
"""
SETTLE = "format: ame-settle/1\npipelines: cat_shop\nrights: rights.yaml\npool: demo\n"
USAGE = '{"id":"s1","pipeline":"cats","amount":"1500000","time":"2026-02-01T12:00:00Z"}\n'
RIGHTS = """format: ame-rights/1
stages: [data, model]
registrars: {hf: "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"}
contributors:
  - {name: "hf:alice", wallet: "0x90F79bf6EB2c4f870365E785982E1f101E93b906"}
  - {name: "hf:bob"}
assets:
  - id: photos
    stage: data
    license: CC-BY-4.0
    holders:
      - {contributor: "hf:alice", ppm: 600000, from: 2026-01-01T00:00:00Z}
      - {contributor: "hf:bob", ppm: 400000, from: 2026-01-01T00:00:00Z}
  - id: films
    stage: data
    license: CC-BY-4.0
    holders: [{contributor: "hf:bob", ppm: 1000000, from: 2026-01-01T00:00:00Z}]
  - id: net
    stage: model
    license: Apache-2.0
    holders: [{contributor: "hf:alice", ppm: 1000000, from: 2026-01-01T00:00:00Z}]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project of its own: pipelines, rights, settings and one sale, all of them good."""
    (tmp_path / "cat_shop.py").write_text(PIPELINES.format(utility="coalition.bit_count() / 10"))
    (tmp_path / "settle.yaml").write_text(SETTLE)
    (tmp_path / "rights.yaml").write_text(RIGHTS)
    (tmp_path / "sales.jsonl").write_text(USAGE)
    return tmp_path


class Done(NamedTuple):
    """What a command said, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def ame(folder: Path, *arguments: str | Path) -> Done:
    """The command in this process, which is ten times quicker than one of its own."""
    out, err = io.StringIO(), io.StringIO()
    sys.modules.pop("cat_shop", None)
    with (
        contextlib.chdir(folder),
        patch.object(sys, "argv", ["ame", *map(str, arguments)]),
        patch.object(sys, "path", [*sys.path]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    code = ended.value.code
    return Done(code if isinstance(code, int) else 1, out.getvalue(), err.getvalue())


def ame_process(folder: Path, *arguments: str | Path) -> Done:
    """The installed command: what needs a chain leaves its marks on the process."""
    done = subprocess.run(
        [AME, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    return Done(done.returncode, done.stdout, done.stderr)


def files(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return {name for name in found if "__pycache__" not in name and not name.startswith(".build")}


def refused(folder: Path, *arguments: str | Path, run: Callable[..., Done] = ame) -> str:
    """What `ame` says, after it has exited with 1, in one line, and written nothing."""
    before = files(folder)
    done = run(folder, *arguments)
    lines = done.stderr.splitlines()
    assert done.returncode == 1, done.stdout + done.stderr
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:], done.stderr
    assert "Traceback" not in done.stderr
    assert files(folder) == before
    return lines[-1].removeprefix("Error: ")


def settle_refused(shop: Path, usage: str = "sales.jsonl", run: Callable[..., Done] = ame) -> str:
    arguments = ("settle", "settle.yaml", "--usage", usage, "-o", "bundle", "--network", EMBEDDED)
    return refused(shop, *arguments, run=run)


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from ame.cli import main; sys.argv = ['ame', '--help']; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"ape", "web3", "eth_account", "numpy", "pydantic", "rich", "yaml", "asyncio"}


def test_help_is_quick() -> None:
    """0.2 s of CPU on a machine of today; three times that here, as tests run beside others."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([AME, "--help"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.6
    assert "audit" in done.stdout


@pytest.mark.parametrize("name", LazyGroup().list_commands(None))  # type: ignore[arg-type]
def test_every_command_has_its_help(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert "Usage:" in done.output


def test_an_unknown_command_is_a_usage_error(tmp_path: Path) -> None:
    done = ame(tmp_path, "pay")
    assert done.returncode == 2
    assert "No such command 'pay'" in done.stderr


def test_the_version_is_told(tmp_path: Path) -> None:
    assert ame_process(tmp_path, "--version").stdout.startswith("ame, version ")


def test_attribute_writes_what_it_measured(shop: Path) -> None:
    done = ame(shop, "attribute", "cat_shop", "--usage", "sales.jsonl", "-o", "measured")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (shop / "measured").iterdir()} == {"coalitions.json", "shares.json"}


def test_a_path_is_answered_with_its_module_name(shop: Path) -> None:
    said = refused(shop, "attribute", "mine/pipeline.py", "-o", "measured")
    assert said == "expected a module name such as mine.pipeline, got 'mine/pipeline.py'"


def test_a_wrong_address_of_a_pool_is_told_without_a_chain(tmp_path: Path) -> None:
    said = refused(tmp_path, "status", "0x1234", "--network", "ethereum:devnet:http://127.0.0.1:9")
    assert said == "POOL: expected a checksummed address (EIP-55), got '0x1234'"


def test_a_test_account_without_its_number_is_told_without_a_chain(tmp_path: Path) -> None:
    said = refused(
        tmp_path, "deploy", "--account", "TEST::x", "--network", "ethereum:devnet:http://127.0.0.1:9"
    )
    assert said == "account: expected TEST:: and a number such as TEST::0, got 'TEST::x'"


def test_a_page_of_nothing_is_told_of_folder(tmp_path: Path) -> None:
    done = ame(tmp_path, "portal", "--port", "0")
    assert done.returncode == 2
    assert "--folder" in done.stderr.splitlines()[-1]


def test_rights_check_accepts_good_rights(shop: Path) -> None:
    done = ame(shop, "rights", "check", "rights.yaml")
    assert (done.returncode, done.stderr) == (0, "")


JSON_LINES: list[tuple[str, str]] = [
    ('{"id":"s2","pipeline":"cats"', "sales.jsonl:2: expected one JSON object"),
    ("[]", "sales.jsonl:2: expected one JSON object"),
    (USAGE.replace("s1", "s2").replace("cats", "dogs"), "sales.jsonl:2: pipeline: expected one of cats"),
    (USAGE.replace("s1", "s2").replace("1500000", "-5"), "sales.jsonl:2: amount: expected a whole number"),
    (USAGE.replace("s1", "s2").replace("1500000", "1.5"), "sales.jsonl:2: amount: expected a whole number"),
    (USAGE.replace("s1", "s2").replace('"1500000"', "1.5"), "sales.jsonl:2: amount: expected decimal digits"),
    (USAGE.replace("s1", "s2").replace('"1500000"', "NaN"), "sales.jsonl:2: expected one JSON object"),
    (
        USAGE.replace("s1", "s2").replace(':00Z"', ':00"'),
        "sales.jsonl:2: time: expected a time with its zone",
    ),
    (USAGE, "sales.jsonl:2: id: expected each id once"),
    (USAGE.replace("s1", "s2").replace('"time"', '"tip":"1","time"'), "sales.jsonl:2: tip: expected only"),
]


@pytest.mark.parametrize(("line", "message"), JSON_LINES)
@pytest.mark.parametrize("command", ["settle", "attribute"])
def test_a_wrong_sale_is_refused_by_file_line_and_field(
    shop: Path, line: str, message: str, command: str
) -> None:
    (shop / "sales.jsonl").write_text(USAGE + line + "\n")
    if command == "settle":
        said = settle_refused(shop)
    else:
        said = refused(shop, "attribute", "cat_shop", "--usage", "sales.jsonl", "-o", "measured")
    assert said.startswith(message)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("s2,dogs,5,2026-02-01T12:00:00Z", "sales.csv:3: pipeline: expected one of cats, got 'dogs'"),
        ("s2,cats,-5,2026-02-01T12:00:00Z", "sales.csv:3: amount: expected a whole number"),
        ("s2,cats,0.5,2026-02-01T12:00:00Z", "sales.csv:3: amount: expected a whole number"),
        ("s2,cats,5", "sales.csv:3: expected 4 cells, got 3"),
    ],
)
def test_a_wrong_row_is_refused_by_file_line_and_field(shop: Path, row: str, message: str) -> None:
    good = "id,pipeline,amount,time\ns1,cats,7,2026-02-01T12:00:00Z\n"
    (shop / "sales.csv").write_text(good + row + "\n")
    assert settle_refused(shop, "sales.csv").startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("b906", "B906", "rights.yaml:5: contributors[0].wallet: "),
        ("ppm: 400000", "ppm: 400000.5", "rights.yaml:13: assets[0].holders[1].ppm: expected an integer"),
        ("stage: model", "stage: music", "rights.yaml:19: assets[2].stage: unknown stage 'music'"),
        (
            'contributor: "hf:bob", ppm: 4',
            'contributor: "hf:eve", ppm: 4',
            "rights.yaml:13: assets[0].holders[1].contributor: unknown",
        ),
        (
            "license: Apache-2.0",
            "license: Apache-2.0\n    license: MIT",
            "rights.yaml:21: license: the key is given twice",
        ),
    ],
)
@pytest.mark.parametrize("command", ["settle", "rights check"])
def test_wrong_rights_are_refused_by_file_line_and_field(
    shop: Path, old: str, new: str, message: str, command: str
) -> None:
    assert old in RIGHTS
    (shop / "rights.yaml").write_text(RIGHTS.replace(old, new))
    said = settle_refused(shop) if command == "settle" else refused(shop, "rights", "check", "rights.yaml")
    assert said.startswith(message)


def test_splits_that_do_not_add_up_are_refused(shop: Path) -> None:
    (shop / "rights.yaml").write_text(RIGHTS.replace("ppm: 400000", "ppm: 300000"))
    said = settle_refused(shop)
    assert said.startswith("rights.yaml:")
    assert "the holders have 900000 ppm" in said
    checked = ame(shop, "rights", "check", "rights.yaml")
    assert checked.returncode == 1
    assert said in checked.stdout


@pytest.mark.parametrize("utility", ["float('nan')", "float('inf')", "1 / 0", "'much'", "None", "True"])
def test_a_utility_that_is_no_number_is_refused_by_its_coalition(shop: Path, utility: str) -> None:
    (shop / "cat_shop.py").write_text(PIPELINES.format(utility=f"{utility} if coalition == 5 else 0.5"))
    said = refused(shop, "attribute", "cat_shop", "-o", "measured")
    assert said.startswith("pipeline cats: coalition 0x5 (photos, net): ")


def test_a_table_of_noise_is_refused(shop: Path) -> None:
    (shop / "cat_shop.py").write_text(PIPELINES.format(utility="0.5"))
    said = refused(shop, "attribute", "cat_shop", "--usage", "sales.jsonl", "-o", "measured")
    assert said.startswith("pipeline cats: ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ame-settle/1", "ame-settle/9", "settle.yaml:1: format: expected format: ame-settle/1"),
        (
            "cat_shop",
            "dog_shop",
            "settle.yaml:2: pipelines: expected a module with PIPELINES, got 'dog_shop'",
        ),
        ("rights.yaml", "wrongs.yaml", "settle.yaml:3: rights: no such file"),
        ("pool: demo", "pool: [demo]", "settle.yaml:4: pool: expected text"),
    ],
)
def test_wrong_settings_are_refused_by_file_line_and_field(
    shop: Path, old: str, new: str, message: str
) -> None:
    (shop / "settle.yaml").write_text(SETTLE.replace(old, new))
    assert settle_refused(shop).startswith(message)


def broken(shop: Path, chain_id: int, spoil: Callable[[Path], object] = lambda folder: None) -> Path:
    folder = shop / "bundle"
    write_bundle(folder, settle(replace(random_epoch(random.Random(1), 1, 10**6), chain_id=chain_id)))
    spoil(folder)
    return folder


def propose_refused(shop: Path) -> str:
    arguments = ("propose", "bundle", "--account", "TEST::0", "--yes", "--network", EMBEDDED)
    return refused(shop, *arguments, run=ame_process)


@pytest.mark.chain
def test_a_bundle_of_another_chain_is_not_proposed(shop: Path) -> None:
    broken(shop, 31337)
    assert (
        propose_refused(shop)
        == "bundle/manifest.json: chain_id: expected a bundle of chain 1337, got '31337'"
    )


@pytest.mark.chain
def test_a_bundle_of_a_pool_that_is_not_there_is_not_proposed(shop: Path) -> None:
    broken(shop, 1337)
    assert "SettlementPool was expected: was the chain restarted?" in propose_refused(shop)


@pytest.mark.chain
def test_an_altered_bundle_is_not_proposed(shop: Path) -> None:
    broken(shop, 1337, lambda folder: (folder / "usage.jsonl").write_text(USAGE))
    assert propose_refused(shop).startswith("bundle/usage.jsonl: expected what the manifest lists")


@pytest.mark.chain
def test_settling_for_a_pool_that_nobody_opened_is_refused(shop: Path) -> None:
    assert settle_refused(shop, run=ame_process).startswith(
        "deployments/1337.json: nothing named 'pool/demo' is remembered"
    )


@pytest.mark.chain
def test_a_chain_that_is_away_is_told_in_one_line(shop: Path) -> None:
    (shop / "ape-config.yaml").write_text(
        "networks:\n  custom:\n    - {name: devnet, chain_id: 31337, ecosystem: ethereum, "
        "base_ecosystem_plugin: ethereum, default_provider: node}\n"
        "node: {ethereum: {devnet: {uri: http://127.0.0.1:9}}}\n"
    )
    arguments = ("status", "demo", "--network", "ethereum:devnet:http://127.0.0.1:9")
    said = refused(shop, *arguments, run=ame_process)
    assert said.startswith("cannot reach 'ethereum:devnet:http://127.0.0.1:9'")


def test_home_is_not_written_to(shop: Path) -> None:
    home = shop / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home)}
    for arguments in (
        ("--help",),
        ("rights", "check", "rights.yaml"),
        ("attribute", "cat_shop", "-o", "measured"),
    ):
        subprocess.run([AME, *arguments], cwd=shop, env=environment, capture_output=True, check=True)
    assert not list(home.iterdir())
