import json
from pathlib import Path

import license_expression
import pytest

from ame.errors import InputError
from ame.mapping import license_kinds
from ame.mapping.cards import license_of
from ame.mapping.licenses import _REFS, HUGGING_FACE_TAGS, is_known, kinds_of, may_follow, options, to_spdx


@pytest.mark.parametrize(
    ("tag", "expression"),
    [
        ("mit", "MIT"),
        ("apache-2.0", "Apache-2.0"),
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
        ("openrail++", "LicenseRef-openrail-plus-plus"),
        ("gpl-3.0", "GPL-3.0-only"),
        ("gfdl", "GFDL-1.3-or-later"),
        ("llama3.1", "LicenseRef-llama3.1"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("unknown", None),
        ("other", None),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-NC-4.0"),
        ("https://creativecommons.org/licenses/by-sa/3.0/deed.en", "CC-BY-SA-3.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://spdx.org/licenses/BSD-3-Clause.html", "BSD-3-Clause"),
        ("https://choosealicense.com/licenses/mit/", "MIT"),
        ("https://opendatacommons.org/licenses/odbl/1-0/", "ODbL-1.0"),
    ],
)
def test_tags_and_addresses_become_spdx(tag: str, expression: str | None) -> None:
    assert license_of(tag) == expression


def test_a_licence_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match="unknown licence 'made-up'"):
        to_spdx("made-up")


# huggingface.co/docs/hub/repositories-licenses, region "licenses"
HUB = """apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0
cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0
cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1
lgpl-3.0 lgpl-lr isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl
deepfloyd-if-license llama2 gemma unknown other"""


@pytest.mark.parametrize("tag", HUB.split())
def test_every_tag_of_the_hub_is_known(tag: str) -> None:
    expression = to_spdx(tag)
    assert (expression is None) == (tag in ("unknown", "other"))


@pytest.mark.parametrize("tag", sorted(HUGGING_FACE_TAGS))
def test_every_tag_of_the_table_is_readable(tag: str) -> None:
    assert options(to_spdx(tag))


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        ("CC0-1.0", set()),
        ("MIT", {"attribution"}),
        ("CC-BY-NC-ND-4.0", {"attribution", "noncommercial", "no-derivatives"}),
        ("CC-BY-SA-4.0", {"attribution", "share-alike"}),
        ("GPL-3.0-only", {"attribution", "share-alike"}),
        ("C-UDA-1.0", {"attribution", "use-restrictions"}),
        ("LicenseRef-gemma", {"attribution", "use-restrictions"}),
        ("LicenseRef-ame-consent", set()),
        ("LicenseRef-my-own", {"unknown-license"}),
        ("OFL-1.1", {"attribution", "share-alike"}),
        ("CDDL-1.0", {"attribution", "share-alike"}),
        ("BUSL-1.1", {"attribution", "noncommercial"}),
        ("Elastic-2.0", {"attribution", "use-restrictions"}),
        ("PolyForm-Noncommercial-1.0.0", {"attribution", "noncommercial"}),
    ],
)
def test_what_licences_ask(key: str, kinds: set[str]) -> None:
    assert kinds_of(key) == kinds


@pytest.mark.parametrize(
    "words",
    ["()", "mit ()", "mit and", "(mit mit)", "(" * 900, "mit " * 900, "\0", "LicenseRef-f\xf6\xf6", "no"],
)
def test_words_without_sense_are_an_unknown_licence(words: str) -> None:
    found = license_of(words)
    assert found is not None
    assert found.isascii()
    assert not is_known(found)
    with pytest.raises(InputError):
        options(words)


def test_no_unknown_name_is_taken_for_a_known_one() -> None:
    assert license_of("ame-consent") == "LicenseRef-unknown-ame-consent"
    assert not any(key.startswith("LicenseRef-unknown") for key in _REFS)


def test_an_or_is_a_choice_and_an_and_is_a_sum() -> None:
    assert next(terms.kinds for terms in options("CC-BY-NC-4.0 OR LicenseRef-ame-consent")) == set()
    assert [terms.kinds for terms in options("CC-BY-NC-4.0 AND CC-BY-ND-4.0")] == [
        {"attribution", "noncommercial", "no-derivatives"}
    ]
    assert options("GPL-2.0-only WITH Classpath-exception-2.0")[0].kinds == {"attribution", "share-alike"}


def test_which_licence_may_follow_a_share_alike() -> None:
    assert may_follow("CC-BY-SA-4.0", "CC-BY-SA-4.0")
    assert may_follow("CC-BY-SA-3.0", "CC-BY-SA-4.0")
    assert not may_follow("CC-BY-SA-4.0", "CC-BY-SA-3.0")
    assert may_follow("CC-BY-SA-4.0", "GPL-3.0-only")
    assert not may_follow("GPL-3.0-only", "CC-BY-SA-4.0")
    assert not may_follow("GPL-2.0-only", "GPL-3.0-only")
    assert may_follow("GPL-2.0-or-later", "GPL-3.0-only")
    assert not may_follow("CC-BY-SA-4.0", "CC-BY-4.0")


# ScanCode counts these as permissive or leaves them out; their texts ask for the same licence.
SHARE_ALIKE_ALL_THE_SAME = {"SSPL-1.0"}


def index() -> list[tuple[str, str]]:
    """(SPDX identifier, ScanCode's category) of every licence that both know; a bare GPL is no identifier."""
    path = Path(license_expression.__file__).parent / "data" / "scancode-licensedb-index.json"
    return [
        (key, entry["category"])
        for entry in json.loads(path.read_text())
        if not entry.get("is_exception")
        for key in [entry.get("spdx_license_key"), *entry.get("other_spdx_license_keys", [])]
        if key and not key.startswith("LicenseRef-") and " " not in key and key != "GPL"
    ]


def test_licences_ask_what_scancode_says_of_them() -> None:
    """Of several hundred SPDX licences, against a table that was made by others from the texts."""
    wrong = []
    for key, category in index():
        kinds = kinds_of(key)
        restricted = kinds & {"noncommercial", "no-derivatives", "use-restrictions"}
        if category.startswith("Copyleft"):
            good = "share-alike" in kinds
        elif category in ("Source-available", "Free Restricted", "Proprietary Free"):
            good = bool(restricted) or key in SHARE_ALIKE_ALL_THE_SAME
        elif category == "Public Domain":
            good = not kinds
        elif category == "Permissive":
            good = not restricted and "share-alike" not in kinds
        else:
            continue
        if not good:
            wrong.append((key, category, sorted(kinds)))
    assert not wrong
    assert len(index()) > 600


def test_every_name_of_the_frozen_table_is_an_spdx_licence() -> None:
    known = {key.lower() for key, _ in index()}
    for table in ("SHARE_ALIKE", "NONCOMMERCIAL", "USE_RESTRICTIONS", "ASKS_NOTHING"):
        assert {key.lower() for key in getattr(license_kinds, table)} <= known
