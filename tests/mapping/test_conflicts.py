import pytest

from ame.mapping.conflicts import Conflict, find_conflicts
from tests.mapping import asset, rights_of


def found(*assets: str) -> set[tuple[str, tuple[str, ...]]]:
    return {(conflict.kind, conflict.path) for conflict in find_conflicts(rights_of("\n".join(assets)))}


def test_no_commercial_use_reaches_everything_that_was_made_from_it() -> None:
    kinds = found(
        asset("a", "license: CC-BY-NC-4.0"),
        asset("b", "license: MIT, parents: [a]"),
        asset("c", "license: MIT, parents: [b], credits: [a, b]"),
    )
    assert kinds == {("noncommercial", path) for path in [("a",), ("a", "b"), ("a", "b", "c")]} | set()


def test_no_derivatives_is_broken_by_the_first_child() -> None:
    assert ("no-derivatives", ("a", "b")) in found(
        asset("a", "license: CC-BY-ND-4.0"), asset("b", "parents: [a]")
    )


def test_share_alike_is_kept_by_the_same_licence_and_broken_by_another() -> None:
    assert found(
        asset("a", "license: CC-BY-SA-4.0"),
        asset("b", "license: CC-BY-SA-4.0, parents: [a]"),
        asset("c", "license: MIT, parents: [a]"),
    ) == {("share-alike", ("a", "c"))}


def test_two_share_alikes_that_exclude_each_other() -> None:
    kinds = found(
        asset("a", "license: CC-BY-SA-3.0"),
        asset("b", "license: ODbL-1.0"),
        asset("c", "license: ODbL-1.0, parents: [a, b]"),
    )
    assert kinds == {("share-alike", ("a", "c"))}


def test_use_restrictions_are_passed_on() -> None:
    assert found(
        asset("a", "license: LicenseRef-bigscience-openrail-m"),
        asset("b", "license: LicenseRef-openrail, parents: [a]"),
        asset("c", "license: MIT, parents: [a]"),
    ) == {("use-restrictions", ("a", "c"))}


def test_attribution_is_owed_beyond_the_direct_parents() -> None:
    assert found(
        asset("a", "license: CC-BY-4.0"),
        asset("b", "parents: [a]"),
        asset("c", "parents: [b]"),
        asset("d", "parents: [b], credits: [a]"),
    ) == {("attribution", ("a", "b", "c"))}


def test_an_unknown_licence_concerns_only_its_asset() -> None:
    assert found(asset("a", "license: LicenseRef-mine"), asset("b", "parents: [a]")) == {
        ("unknown-license", ("a",))
    }


def test_an_or_is_accepted_on_the_side_that_breaks_least() -> None:
    assert not found(
        asset("a", "license: GPL-3.0-only OR LicenseRef-ame-consent"),
        asset("b", "license: MIT, parents: [a]"),
    )
    assert not found(
        asset("a", "license: GPL-3.0-only"), asset("b", "license: MIT OR GPL-3.0-only, parents: [a]")
    )


def test_the_path_is_the_shortest() -> None:
    kinds = found(
        asset("a", "license: CC-BY-NC-4.0"),
        asset("b", "parents: [a]"),
        asset("c", "parents: [b, a], credits: [a]"),
    )
    assert ("noncommercial", ("a", "c")) in kinds


@pytest.mark.parametrize("length", [3, 100])
def test_a_long_path_is_told_in_short(length: int) -> None:
    chain = [asset("a0", "license: CC-BY-NC-4.0")]
    chain += [asset(f"a{n}", f"parents: [a{n - 1}]") for n in range(1, length)]
    last: Conflict = [
        conflict
        for conflict in find_conflicts(rights_of("\n".join(chain)))
        if conflict.kind == "noncommercial"
    ][-1]
    assert len(last.path) == length
    assert str(last).endswith(f"-> a{length - 1}")
    assert len(str(last)) < 200


def test_conflicts_of_some_assets_are_those_among_all() -> None:
    assets = [
        asset("a", "license: CC-BY-NC-4.0"),
        asset("b", "license: MIT, parents: [a]"),
        asset("c", "license: CC-BY-NC-SA-4.0"),
        asset("d", "license: MIT, parents: [c, b]"),
    ]
    rights = rights_of("\n".join(assets))
    alone = find_conflicts(rights, ["b"])
    assert {conflict.asset for conflict in alone} == {"a", "b"}
    assert len(find_conflicts(rights)) > len(alone)
    assert find_conflicts(rights, ["b"]) == alone
