from itertools import pairwise
from random import Random

import pytest

from ame.mapping.checking import check_rights
from ame.mapping.conflicts import LONGEST_PATH, SOURCES_SHOWN, Conflict, find_conflicts
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
    assert len(last.path) == min(length, LONGEST_PATH + 2)
    assert last.path[0] == "a0"
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


def test_every_source_of_a_conflict_is_shown_with_its_path() -> None:
    rights = rights_of(
        "\n".join(
            [
                asset("near", "license: CC-BY-NC-4.0"),
                asset("far", "license: CC-BY-NC-4.0"),
                asset("step", "parents: [far]"),
                asset("end", "license: MIT, parents: [step, near], credits: [far, near]"),
            ]
        )
    )
    [conflict] = [one for one in find_conflicts(rights) if (one.kind, one.asset) == ("noncommercial", "end")]
    assert conflict.paths == (("near", "end"), ("far", "step", "end"))
    assert str(conflict) == (
        "noncommercial: CC-BY-NC-4.0 of near forbids commercial use: near -> end; of far: far -> step -> end"
    )


def test_many_sources_are_cut_and_said_to_be() -> None:
    sources = [f"s{n}" for n in range(SOURCES_SHOWN + 3)]
    assets = [asset(name, "license: CC-BY-NC-4.0") for name in sources]
    rights = rights_of("\n".join([*assets, asset("end", f"parents: [{', '.join(sources)}]")]))
    conflict = next(one for one in find_conflicts(rights) if one.asset == "end")
    assert (conflict.origins, conflict.more) == (tuple(sources[:SOURCES_SHOWN]), True)
    assert str(conflict).endswith("; and of others further up")


def test_a_credited_parent_does_not_hide_an_uncredited_ancestor() -> None:
    assert found(
        asset("a", "license: CC-BY-4.0"),
        asset("b", "license: CC-BY-4.0, parents: [a]"),
        asset("c", "parents: [b]"),
    ) == {("attribution", ("a", "b", "c"))}


def test_many_credited_ancestors_do_not_hide_an_uncredited_one() -> None:
    names = [f"s{n}" for n in range(2 * SOURCES_SHOWN)]
    chain = [asset("s0", "license: CC-BY-4.0")]
    chain += [asset(name, f"license: CC-BY-4.0, parents: [{above}]") for above, name in pairwise(names)]
    chain.append(asset("end", f"parents: [{names[-1]}], credits: [{', '.join(names[1:])}]"))
    conflicts = [one for one in find_conflicts(rights_of("\n".join(chain))) if one.asset == "end"]
    assert [one.path for one in conflicts] == [(*names, "end")]


def test_conflicts_of_a_long_chain_take_little_room() -> None:
    """Ten thousand in a row: paths are not written out for each, which would be fifty million steps."""
    chain = [asset("a0", "license: CC-BY-NC-4.0")]
    chain += [asset(f"a{n}", f"parents: [a{n - 1}]") for n in range(1, 10_000)]
    findings = check_rights(rights_of("\n".join(chain)))
    assert sum(len(path) for finding in findings for path in finding.paths) < 10_000 * 140


@pytest.mark.parametrize("seed", range(20))
def test_every_source_that_is_named_is_reached_by_a_path(seed: int) -> None:
    """Of any graph: long chains under one licence keep fewer sources than they have."""
    random = Random(seed)
    licenses = ["CC-BY-4.0", "Apache-2.0", "CC-BY-SA-4.0", "MIT"][: 1 + seed % 4]
    lines = []
    for number in range(40):
        parents = {f"a{one}" for one in range(max(0, number - 3), number) if random.random() < 0.5}
        made_from = f", parents: [{', '.join(sorted(parents))}]" if parents else ""
        lines.append(asset(f"a{number}", f"license: {random.choice(licenses)}{made_from}"))
    rights = rights_of("\n".join(lines))
    conflicts = find_conflicts(rights)
    assert conflicts
    for one in conflicts:
        assert str(one).startswith(one.kind)
        for origin, path in zip(one.origins, one.paths, strict=True):
            assert (path[0], path[-1]) == (origin, one.asset)
            assert all(above in rights.lineage[below] for above, below in pairwise(path))
