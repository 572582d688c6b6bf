import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from ame.errors import AmeError
from ame.mapping.commands import rights
from tests.mapping import HEAD, REGISTRAR, asset, text_of

HERE = Path(__file__).parent
FULL = str(HERE / "full.yaml")


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(rights, arguments)
    if isinstance(result.exception, AmeError):
        raise result.exception
    return result


def test_hash_prints_what_sha256sum_prints(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"test")
    assert run("hash", str(path)).output.startswith(
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    )
    assert json.loads(run("hash", "--json", str(path)).output)[str(path)].startswith("9f86d081")


@pytest.mark.parametrize("name", ["rights.yaml", "rights.json"])
def test_import_then_check_then_show(tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    cards = [str(path) for path in sorted((HERE / "cards").rglob("README.md"))]
    run("import", *cards, "--registrar", REGISTRAR, "--since", "2026-01-01T00:00:00Z", "-o", str(output))
    checked = run("check", str(output))
    assert checked.exit_code == 1
    assert (
        "error: noncommercial: CC-BY-NC-4.0 of datasets/inkwell/haiku-en forbids commercial use: "
        "datasets/inkwell/haiku-en -> bramble/terra-7b-poetry -> delta/terra-blend"
    ) in checked.output
    assert "└─ trained_on: datasets/folklore/river-songs" in run("show", str(output)).output


def test_check_of_a_good_file_exits_zero() -> None:
    done = run("check", FULL, "--json")
    report = json.loads(done.output)
    assert (done.exit_code, report["ok"], report["assets"], report["edges"]) == (0, True, 4, 3)


def test_check_reports_everything_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rights.yaml"
    path.write_text(text_of(asset("a", "parents: [x]") + "\n" + asset("b", "parents: [y]")))
    done = run("check", str(path))
    assert done.exit_code == 1
    assert f"{path}:11: assets[0].parents[0]: asset a: its parent 'x' is missing" in done.output
    assert f"{path}:12: assets[1].parents[0]: asset b: its parent 'y' is missing" in done.output


def test_check_compares_content(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"test")
    (tmp_path / "outside").symlink_to("/etc")
    path = tmp_path / "rights.yaml"
    sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    path.write_text(text_of(asset("a", f"path: a.bin, sha256: '{sha256}'")))
    assert run("check", str(path), "--content").exit_code == 0
    (tmp_path / "a.bin").write_bytes(b"tampered")
    assert "expected the content 9f86d081" in run("check", str(path), "--content").output
    path.write_text(text_of(asset("a", "path: outside/passwd")))
    assert "leads out of the folder" in run("check", str(path), "--content").output


def test_check_finds_copies_and_contested_assets_without_escrow(tmp_path: Path) -> None:
    path = tmp_path / "rights.yaml"
    same = f"sha256: {'ab' * 32}"
    path.write_text(
        text_of(
            "\n".join([asset("a", same), asset("b", same, holder="hf:bob"), asset("c", "contested: true")])
        )
    )
    output = run("check", str(path)).output
    assert "error: copy: asset b: same content as a of other holders" in output
    assert "error: asset c: is contested: expected an escrow reserve" in output


def test_show_draws_a_picture_that_names_everything(tmp_path: Path) -> None:
    picture = tmp_path / "rights.svg"
    run("show", FULL, "--svg", str(picture), "--at", "2026-06-01T00:00:00Z")
    text = " ".join(ElementTree.fromstring(picture.read_text()).itertext())
    for word in ("aurora/terra-7b", "CC-BY-4.0 OR", "hf:alice 60 %", "adapter 5 % absolute"):
        assert word in text


def test_show_of_one_asset_leaves_the_others_out() -> None:
    entries = json.loads(run("show", FULL, "--asset", "aurora/terra-7b", "--json").output)
    assert [entry["id"] for entry in entries] == [
        "datasets/folklore/river-songs",
        "undeclared-data/aurora/terra-7b",
        "aurora/terra-7b",
    ]


def test_hostile_titles_are_escaped_in_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "rights.yaml"
    path.write_text(text_of(asset("a", "title: '<script>alert(1)</script>'"), HEAD))
    picture = tmp_path / "rights.svg"
    run("show", str(path), "--svg", str(picture))
    assert "<script" not in picture.read_text()


def test_import_says_whose_it_took_the_card_to_be_and_overwrites_nothing(tmp_path: Path) -> None:
    card = tmp_path / "cards" / "m" / "README.md"
    card.parent.mkdir(parents=True)
    card.write_text("---\nlicense: mit\n---\n")
    output = tmp_path / "rights.yaml"
    arguments = ["import", str(card), "--registrar", REGISTRAR, "-o", str(output)]
    said = CliRunner(mix_stderr=False).invoke(rights, arguments).stderr
    assert "id taken from the path: cards/m, held by hf:cards" in said
    assert "--since for earlier" in said
    output.write_text("mine")
    again = CliRunner(mix_stderr=False).invoke(rights, arguments)
    assert "exists; --force" in str(again.exception)
    assert output.read_text() == "mine"
    assert CliRunner().invoke(rights, [*arguments, "--force"]).exit_code == 0
    assert output.read_text() != "mine"
