from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ame.errors import InputError
from ame.mapping.allocate import allocate
from ame.mapping.rights import Asset, Contributor, Holding, Parent, Policy, Rights
from ame.records import DEFAULT_STAGES, Shares
from tests.mapping import ALICE_WALLET, HEAD, JUNE, WHOLE, asset, rights_of, shares_of

YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def paid(assets: str, weights: dict[str, int], head: str = HEAD) -> dict[str, int]:
    """Weight by name, over all stages."""
    rights = rights_of(assets, head)
    allocation = allocate(shares_of(weights, rights), rights, JUNE)
    found: dict[str, int] = {}
    for lines in allocation.lines:
        for line in lines:
            name = allocation.names[line.contributor_id]
            found[name] = found.get(name, 0) + line.weight
    return found


def test_a_contributor_is_merged_across_assets_and_lines_are_sorted() -> None:
    rights = rights_of("\n".join([asset("a"), asset("b", holder="hf:bob"), asset("c")]))
    lines = allocate(shares_of({"a": 1, "b": 2, "c": 3}, rights), rights, JUNE).lines[0]
    assert [line.contributor_id for line in lines] == sorted(line.contributor_id for line in lines)
    by_id = {line.contributor_id: line.weight for line in lines}
    assert by_id == {rights.contributors["hf:alice"].id: 4, rights.contributors["hf:bob"].id: 2}


def test_two_names_with_one_wallet_are_one_contributor() -> None:
    head = HEAD.replace('{name: "hf:bob"}', f'{{name: "hf:bob", wallet: "{ALICE_WALLET}"}}')
    assert paid(asset("a") + "\n" + asset("b", holder="hf:bob"), {"a": 1, "b": 2}, head) == {"hf:alice": 3}


def test_a_split_gives_the_odd_unit_to_somebody() -> None:
    thirds = ", ".join(
        f"{{contributor: 'hf:{name}', ppm: {ppm}, from: 2026-01-01T00:00:00Z}}"
        for name, ppm in [("alice", 333333), ("bob", 333333), ("carol", 333334)]
    )
    assert sum(paid(asset("a").replace(WHOLE, f"[{thirds}]"), {"a": 100}).values()) == 100


def test_reasons_say_how_the_weight_came_about() -> None:
    half = "{contributor: 'hf:bob', ppm: 400000, from: 2026-01-01T00:00:00Z}"
    more = "{contributor: 'hf:alice', ppm: 600000, from: 2026-01-01T00:00:00Z}"
    assets = asset("a").replace(WHOLE, f"[{half}, {more}]") + "\n" + asset("b", holder="hf:carol")
    rights = rights_of(assets)
    allocation = allocate(shares_of({"a": 41_200_575, "b": 58_799_425}, rights), rights, JUNE)
    reasons = {allocation.names[line.contributor_id]: line.reasons for line in allocation.lines[0]}
    assert reasons["hf:alice"] == (
        "24.720345 because split 60 % x 41.200575 for a (41.200575 % of training_data)",
    )


def test_an_asset_without_rights_is_refused() -> None:
    rights = rights_of(asset("a"))
    shares = Shares(DEFAULT_STAGES, (0,) * 16, ({"b": 1}, {}, {}, {}))
    with pytest.raises(InputError, match="expected the rights to the asset 'b'"):
        allocate(shares, rights, JUNE)


def test_an_asset_in_another_stage_is_refused_with_its_line() -> None:
    rights = rights_of(asset("a"))
    shares = Shares(DEFAULT_STAGES, (0,) * 16, ({}, {"a": 1}, {}, {}))
    with pytest.raises(
        InputError, match=r"rights\.yaml:11: assets\[0\]: asset a: expected the stage base_model"
    ):
        allocate(shares, rights, JUNE)


def test_nobody_holds_it_yet() -> None:
    rights = rights_of(asset("a"))
    with pytest.raises(InputError, match="nobody holds it at 2025-01-01"):
        allocate(shares_of({"a": 1}, rights), rights, datetime(2025, 1, 1, tzinfo=UTC))


def test_a_time_without_zone_is_refused() -> None:
    rights = rights_of(asset("a"))
    with pytest.raises(InputError, match="expected a time with its zone"):
        allocate(shares_of({"a": 1}, rights), rights, datetime(2026, 1, 1))


def test_a_contested_asset_is_held_in_escrow() -> None:
    assert paid(asset("a", "contested: true"), {"a": 7}, HEAD + "escrow: disputes\n") == {
        "reserve:disputes": 7
    }


def test_a_contested_asset_without_escrow_is_refused() -> None:
    with pytest.raises(InputError, match="expected an escrow reserve"):
        paid(asset("a", "contested: true"), {"a": 7})


def test_a_copy_by_somebody_else_is_refused() -> None:
    same = f"sha256: {'ab' * 32}"
    with pytest.raises(InputError, match="asset b: has the same content as a of other holders"):
        paid(asset("a", same) + "\n" + asset("b", same, holder="hf:bob"), {"a": 1, "b": 1})


def test_copies_are_held_or_paid_where_the_policy_says_so() -> None:
    same = f"sha256: {'ab' * 32}"
    assets = asset("a", same) + "\n" + asset("b", same, holder="hf:bob")
    assert paid(assets, {"a": 1, "b": 2}, HEAD + "policies: {copy: {reserve: disputes}}\n") == {
        "reserve:disputes": 3
    }
    assert paid(assets, {"a": 1, "b": 2}, HEAD + "policies: {copy: warn}\n") == {"hf:alice": 1, "hf:bob": 2}


def test_the_same_holder_may_offer_the_same_content_twice() -> None:
    same = f"sha256: {'ab' * 32}"
    assert paid(asset("a", same) + "\n" + asset("b", same), {"a": 1, "b": 1}) == {"hf:alice": 2}


def test_a_conflict_holds_the_money_where_the_policy_says_so() -> None:
    head = HEAD + "policies: {noncommercial: {reserve: disputes}}\n"
    assets = asset("a", "license: CC-BY-NC-4.0") + "\n" + asset("b", holder="hf:bob")
    assert paid(assets, {"a": 5, "b": 6}, head) == {"reserve:disputes": 5, "hf:bob": 6}


def test_a_conflict_refuses_by_default() -> None:
    with pytest.raises(InputError, match=r"noncommercial: CC-BY-NC-4\.0 of a forbids commercial use: a -> b"):
        paid(
            asset("a", "license: CC-BY-NC-4.0") + "\n" + asset("b", "license: MIT, parents: [a]"),
            {"b": 5},
            HEAD + "policies: {noncommercial: refuse}\n",
        )


def test_a_conflict_of_what_is_not_used_does_not_matter() -> None:
    assert paid(asset("a", "license: CC-BY-NC-4.0") + "\n" + asset("b"), {"b": 5}) == {"hf:alice": 5}


@st.composite
def random_rights(draw: st.DrawFn) -> Rights:
    """Any lineage without cycles, any splits, upstream shares of both kinds, contested and held assets."""
    people = [Contributor(f"hf:{n}", None, bytes([n + 1]) * 32) for n in range(draw(st.integers(1, 5)))]
    assets = {}
    count = draw(st.integers(1, 12))
    for number in range(count):
        parents, left = [], 10**6
        for parent in draw(st.sets(st.integers(0, number - 1), max_size=4)) if number else ():
            scope = draw(st.sampled_from(["relative", "absolute"]))
            ppm = draw(st.integers(0, 20_000 if scope == "absolute" else left))
            left -= ppm if scope == "relative" else 0
            parents.append(Parent(f"a{parent}", "derived", ppm, scope))
        holders = draw(st.lists(st.sampled_from(people), min_size=1, unique=True))
        cuts = sorted(draw(st.lists(st.integers(1, 10**6 - 1), max_size=len(holders) - 1, unique=True)))
        ends = [0, *cuts, 10**6]
        holdings = tuple(
            Holding(person.name, end - start, YEAR, None)
            for person, start, end in zip(holders, ends, ends[1:], strict=False)
        )
        stage = draw(st.sampled_from(DEFAULT_STAGES))
        license_ = draw(st.sampled_from(["MIT", "CC-BY-NC-4.0", "GPL-3.0-only", None]))
        assets[f"a{number}"] = Asset(
            f"a{number}", stage, None, license_, tuple(parents), holdings, contested=draw(st.booleans())
        )
    kinds = ["noncommercial", "share-alike", "unknown-license"]
    policies = {
        kind: Policy("warn") for kind in ["no-derivatives", "attribution", "use-restrictions", "copy"]
    } | {kind: draw(st.sampled_from([Policy("warn"), Policy("reserve", "r")])) for kind in kinds}
    names = {person.name: person for person in people}
    return Rights(DEFAULT_STAGES, {}, names, assets, {"r": people[0].name}, policies, "r")


@settings(max_examples=200, deadline=None)
@given(random_rights(), st.data())
def test_every_unit_is_allocated_for_any_graph_and_splits(rights: Rights, data: st.DataObject) -> None:
    weights = {name: data.draw(st.integers(0, 2**100)) for name in rights.assets}
    shares = shares_of(weights, rights)
    allocation = allocate(shares, rights, JUNE)
    for lines, given_weights in zip(allocation.lines, shares.asset_weights, strict=True):
        assert sum(line.weight for line in lines) == sum(given_weights.values())
        assert all(line.reasons for line in lines)
    assert allocation == allocate(shares, rights, JUNE)
