"""Whatever is wrong with a rights file or a card is refused with file, line and field."""

from pathlib import Path

import pytest

from ame.errors import FileError, InputError
from ame.mapping import strict_yaml
from ame.mapping.cards import read_cards
from ame.mapping.hashing import hash_path
from ame.mapping.names import check_name
from ame.mapping.rights import load_rights, parse_rights
from tests.mapping import ALICE_WALLET, HEAD, REGISTRAR, WHOLE, asset, text_of

CASES = {
    "duplicate asset": (
        text_of(asset("a") + "\n" + asset("a")),
        "rights.yaml:12: assets[1].id: 'a' is given twice",
    ),
    "duplicate contributor": (
        text_of(asset("a"), HEAD.replace("hf:carol", "hf:bob")),
        "rights.yaml:6: contributors[2].name: 'hf:bob' is given twice",
    ),
    "name that differs in case only": (
        text_of(asset("a"), HEAD.replace("hf:carol", "hf:BOB")),
        "contributors[2].name: 'hf:BOB' could be mistaken for 'hf:bob'",
    ),
    "Cyrillic letter that looks like a": (
        text_of(asset("a"), HEAD.replace("hf:alice", "hf:\u0430lice")),
        r"rights.yaml:4: contributors[0].name: expected printable ASCII",
    ),
    "wallet with a wrong checksum": (
        text_of(asset("a"), HEAD.replace(ALICE_WALLET, ALICE_WALLET.replace("F", "f", 1))),
        "rights.yaml:4: contributors[0].wallet: expected a checksummed address (EIP-55)",
    ),
    "zero wallet": (
        text_of(asset("a"), HEAD.replace(ALICE_WALLET, "0x" + "0" * 40)),
        "contributors[0].wallet: expected an address other than zero",
    ),
    "registrar with a wrong checksum": (
        text_of(asset("a"), HEAD.replace(REGISTRAR, REGISTRAR.lower())),
        "rights.yaml:2: registrars.hf: expected a checksummed address",
    ),
    "namespace without registrar": (
        text_of(asset("a"), HEAD.replace("hf:bob", "gitlab:bob")),
        "contributors[1].name: expected a wallet, or a registrar for the namespace 'gitlab'",
    ),
    "duplicate key": (
        text_of(asset("a", "stage: prompt, stage: prompt")),
        "rights.yaml:11: stage: the key is given twice",
    ),
    "alias": (
        text_of(asset("a"), HEAD.replace("disputes, contributor", "*bomb, contributor")),
        "rights.yaml:9: aliases are not allowed",
    ),
    "anchor": (
        HEAD.replace("name: disputes", "name: &bomb disputes"),
        "rights.yaml:9: anchors are not allowed",
    ),
    "tag": (
        HEAD.replace("name: disputes", "name: !!python/none disputes"),
        "expected plain data, got the tag",
    ),
    "deep nesting": ("[" * 100 + "]" * 100, "rights.yaml:1: expected at most 32 levels"),
    "two documents": (HEAD + "---\n" + HEAD, "expected one document"),
    "no YAML": ("format: [", "expected YAML"),
    "no mapping": ("- 1", "rights.yaml:1: expected fields, got [1]"),
    "other format": ("format: ame-rights/9\ncontributors: []\nassets: []", "format: expected ame-rights/1"),
    "path that climbs out": (
        text_of(asset("a", "path: ../../etc/passwd")),
        "rights.yaml:11: assets[0].path: expected a/b/c",
    ),
    "absolute path": (text_of(asset("a", "path: /etc/passwd")), "assets[0].path: expected a/b/c"),
    "drive": (text_of(asset("a", "path: 'C:/x'")), "assets[0].path: expected a path inside its folder"),
    "asset id that climbs out": (text_of(asset("../a")), "assets[0].id: expected a/b/c"),
    "date without zone": (
        text_of(asset("a").replace("00:00:00Z", "00:00:00")),
        "rights.yaml:11: assets[0].holders[0].from: expected a time with its zone",
    ),
    "date without time": (text_of(asset("a").replace("T00:00:00Z", "")), "expected a time with its zone"),
    "month 13": (
        text_of(asset("a").replace("2026-01", "2026-13")),
        "holders[0].from: month must be in 1..12",
    ),
    "unknown stage": (
        text_of(asset("a", stage="training")),
        "rights.yaml:11: assets[0].stage: unknown stage 'training'; known: base_model",
    ),
    "unknown field": (text_of(asset("a", "colour: red")), "rights.yaml:11: assets[0].colour: unknown field"),
    "unknown holder": (text_of(asset("a", holder="hf:mallory")), "unknown contributor 'hf:mallory'"),
    "unknown licence": (
        text_of(asset("a", "license: MTI")),
        "rights.yaml:11: assets[0].license: unknown licence 'MTI'",
    ),
    "unreadable licence": (text_of(asset("a", "license: MIT OR OR")), "expected an SPDX expression"),
    "credits that are no names": (
        text_of(asset("a", "credits: [1]")),
        "assets[0].credits: expected asset ids, got [1]",
    ),
    "hash that is none": (text_of(asset("a", "sha256: abc")), "assets[0].sha256: expected 64 lower-case hex"),
    "ppm as text": (text_of(asset("a").replace("1000000", "'1000000'")), "ppm: expected an integer from 1"),
    "fractional ppm": (text_of(asset("a").replace("1000000", "1e6")), "ppm: expected an integer from 1"),
    "negative ppm": (text_of(asset("a").replace("1000000", "-1")), "ppm: expected an integer from 1"),
    "splits below the whole": (
        text_of(asset("a").replace("1000000", "999999")),
        "asset a: splits do not add up: expected 1000000 ppm, the holders have 999999 ppm from 2026-01-01",
    ),
    "two holders at a time": (
        text_of(asset("a").replace("holders: [", "holders: [" + WHOLE[1:-1].replace("alice", "bob") + ", ")),
        "two holders at a time: hf:bob, hf:alice hold 2000000 ppm",
    ),
    "nobody after the end": (
        text_of(asset("a").replace("00:00:00Z}", "00:00:00Z, until: 2026-03-01T00:00:00Z}")),
        "the holders have 0 ppm from 2026-03-01T00:00:00Z on",
    ),
    "no holders": (text_of("{id: a, stage: prompt, holders: []}"), "expected holders (a reserve"),
    "missing parent": (
        text_of(asset("a", "parents: [b]")),
        "rights.yaml:11: assets[0].parents[0]: asset a: its parent 'b' is missing",
    ),
    "cycle": (
        text_of(
            "\n".join([asset("a", "parents: [b]"), asset("b", "parents: [c]"), asset("c", "parents: [b]")])
        ),
        "its lineage is a cycle: b -> c -> b",
    ),
    "its own parent": (text_of(asset("a", "parents: [a]")), "its lineage is a cycle: a -> a"),
    "relative shares above the whole": (
        text_of(
            asset("a", "parents: [{asset: b, upstream_ppm: 600000}, {asset: c, upstream_ppm: 600000}]")
            + f"\n{asset('b')}\n{asset('c')}"
        ),
        "assets[0].parents: expected relative upstream shares of at most 1000000 ppm, got 1200000",
    ),
    "policy for an unknown kind": (
        text_of(asset("a"), HEAD + "policies: {copyleft: warn}\n"),
        "rights.yaml:10: policies.copyleft: unknown kind of conflict",
    ),
    "policy with an unknown reserve": (
        text_of(asset("a"), HEAD + "policies: {noncommercial: {reserve: pocket}}\n"),
        "policies.noncommercial.reserve: unknown reserve 'pocket'",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_rights_file_is_refused_with_line_and_field(case: str) -> None:
    text, message = CASES[case]
    with pytest.raises(FileError) as refusal:
        parse_rights(text)
    assert message in str(refusal.value)
    assert str(refusal.value).startswith("rights.yaml:")
    assert str(refusal.value).isascii()


def test_an_alias_bomb_is_refused_before_it_grows(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    bomb = tmp_path / "bomb.yaml"
    bomb.write_text("\n".join(lines))
    with pytest.raises(FileError, match=r"bomb\.yaml:1: anchors are not allowed"):
        load_rights(bomb)


def test_json_is_as_strict_as_yaml(tmp_path: Path) -> None:
    path = tmp_path / "rights.json"
    path.write_text('{"format": "ame-rights/1",\n "assets": [],\n "assets": []}')
    with pytest.raises(FileError, match=r"rights\.json:3: assets: the key is given twice"):
        load_rights(path)
    path.write_text('{"format": NaN}')
    with pytest.raises(FileError, match="expected JSON, got NaN"):
        load_rights(path)
    path.write_text("[" * 100_000)
    with pytest.raises(FileError, match="expected"):
        load_rights(path)


def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rights.yaml"
    path.write_bytes(b"format: ame-rights/1\n\xff")
    with pytest.raises(FileError, match=r"rights\.yaml:2: expected UTF-8"):
        load_rights(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere\.yaml: cannot be read"):
        load_rights(tmp_path / "nowhere.yaml")


def test_a_card_of_fifty_megabytes_is_refused_unread(tmp_path: Path) -> None:
    card = tmp_path / "acme" / "model" / "README.md"
    card.parent.mkdir(parents=True)
    with card.open("wb") as stream:
        stream.truncate(50 * 2**20)  # sparse: reading it would be noticed, making it is not
    with pytest.raises(FileError, match="expected at most 4194304 bytes, got 52428800"):
        read_cards(card)


@pytest.mark.parametrize(
    ("front_matter", "message"),
    [
        ("datasets: [a: b]", "README.md:2: datasets: expected text or a list of texts"),
        ("base_model: ../../secret", "README.md:2: base_model: expected a/b/c"),
        ("base_model: a/b\nbase_model_relation: child", "README.md:3: base_model_relation: expected adapter"),
        ("license: mit\nlicense: mit", "README.md:3: license: the key is given twice"),
        ("a: &x [1]\nb: *x", "README.md:2: anchors are not allowed"),
        ("base_model: m\u043edel", "README.md:2: base_model: expected printable ASCII"),
        ("- mit", "README.md:2: expected fields in the card"),
    ],
)
def test_a_bad_card_is_refused_with_its_line(tmp_path: Path, front_matter: str, message: str) -> None:
    card = tmp_path / "acme" / "model" / "README.md"
    card.parent.mkdir(parents=True)
    card.write_text(f"---\n{front_matter}\n---\n# Model\n", encoding="utf-8")
    with pytest.raises(FileError) as refusal:
        read_cards(card)
    assert message in str(refusal.value)


def test_a_card_without_front_matter_is_refused(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("# Model\n")
    with pytest.raises(FileError, match=r"README\.md:1: expected YAML front matter"):
        read_cards(card, "acme/model")


@pytest.mark.parametrize("name", ["", "a b", "\u202ealice", "al\u0131ce", "a\u200bb", "x" * 201, "tab\t"])
def test_names_that_could_deceive_are_refused_and_shown_escaped(name: str) -> None:
    with pytest.raises(InputError) as refusal:
        check_name(name, "name")
    assert str(refusal.value).isascii()


def test_links_out_of_a_folder_are_not_hashed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to("/etc/passwd")
    with pytest.raises(FileError, match="got a link or a device"):
        hash_path(tmp_path / "data")


def test_the_line_of_a_field_is_found_in_yaml_and_json() -> None:
    text = "a:\n  - b: 1\n    c:\n      - 2\n      - {d: 3,\n         e: 4}\n"
    assert strict_yaml.line_of(text, ("a", 0, "c", 1, "e")) == 6
    assert strict_yaml.line_of(text, ("a", 0, "c", 1, "missing")) == 5
    assert strict_yaml.line_of('{"a":\n [1,\n 2]}', ("a", 1)) == 3


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(FileError, match="expected JSON without numbers of thousands of digits"):
        parse_rights('{"format": ' + "9" * 10_000 + "}", "rights.json")


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="expected at most 1000 bytes"):
        strict_yaml.read_file(Path("/dev/zero"), 1000)
    endless = tmp_path / "hub.jsonl"
    endless.symlink_to("/dev/zero")
    with pytest.raises(FileError, match="1: expected at most 4194304 bytes a line"):
        read_cards(endless)
