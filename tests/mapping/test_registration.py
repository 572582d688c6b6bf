"""Whose registration counts for a rights file: that of the holders whom it names, or one that was accepted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ame.encoding import account_id
from ame.errors import InputError
from ame.mapping.registration import Part, Standing, document_as_of, is_filed, split_at
from ame.mapping.rights import AsOf, Rights, parse_rights
from ame.mapping.strict_yaml import parse
from tests.mapping import ALICE_WALLET, JUNE, REGISTRAR, asset, text_of

TEXT = text_of(asset("poems"))
STRANGER = REGISTRAR
ALICES = (Part(account_id(ALICE_WALLET), 10**6),)
STRANGERS = (Part(account_id(STRANGER), 10**6),)


@pytest.fixture
def rights() -> Rights:
    return parse_rights(TEXT)


def test_the_registered_split_is_the_files(rights: Rights) -> None:
    assert split_at(rights.assets["poems"], rights, JUNE) == ALICES
    assert is_filed(rights.assets["poems"], rights, JUNE, [ALICES])


def test_what_the_files_holders_passed_on_is_their_will(rights: Rights) -> None:
    assert is_filed(rights.assets["poems"], rights, JUNE, [ALICES, STRANGERS])


def test_a_stranger_who_registers_first_is_not_the_file(rights: Rights) -> None:
    assert not is_filed(rights.assets["poems"], rights, JUNE, [STRANGERS])


def test_other_parts_of_the_same_holders_are_not_the_files(rights: Rights) -> None:
    parts = (Part(account_id(STRANGER), 1), Part(account_id(ALICE_WALLET), 10**6 - 1))
    assert not is_filed(rights.assets["poems"], rights, JUNE, [parts])


def test_who_has_sold_an_asset_cannot_register_it_as_still_his() -> None:
    sold = TEXT.replace(
        "from: 2026-01-01T00:00:00Z}",
        "from: 2026-01-01T00:00:00Z, until: 2026-05-01T00:00:00Z}, "
        "{contributor: 'hf:bob', ppm: 1000000, from: 2026-05-01T00:00:00Z}",
    )
    rights = parse_rights(sold)
    assert not is_filed(rights.assets["poems"], rights, JUNE, [ALICES])
    assert is_filed(rights.assets["poems"], rights, datetime(2026, 2, 1, tzinfo=UTC), [ALICES])


@pytest.mark.parametrize("accepted", [(), ("poems",)])
def test_a_strangers_split_is_taken_only_where_it_is_accepted(
    rights: Rights, accepted: tuple[str, ...]
) -> None:
    document, as_of = parse(TEXT, "rights.yaml"), AsOf(1, REGISTRAR, 7)
    standing = Standing(STRANGERS, bytes(32), JUNE, STRANGER)
    if accepted:
        found = document_as_of(document, rights, {"poems": standing}, as_of, accepted)
        assert found["assets"][0]["holders"][0]["contributor"].endswith(STRANGER)
    else:
        with pytest.raises(InputError, match=f"poems: is registered by {STRANGER}.*--accept poems"):
            document_as_of(document, rights, {"poems": standing}, as_of)
