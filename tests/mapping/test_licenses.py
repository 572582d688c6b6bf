import pytest

from ame.errors import InputError
from ame.mapping.cards import license_of
from ame.mapping.licenses import HUGGING_FACE_TAGS, kinds_of, may_follow, options, to_spdx


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
        ("LicenseRef-gemma", {"use-restrictions"}),
        ("LicenseRef-ame-consent", set()),
        ("LicenseRef-my-own", {"unknown-license"}),
        ("PolyForm-Noncommercial-1.0.0", {"attribution", "noncommercial"}),
    ],
)
def test_what_licences_ask(key: str, kinds: set[str]) -> None:
    assert kinds_of(key) == kinds


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
