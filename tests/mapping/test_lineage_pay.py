"""Upstream shares on graphs whose answers can be worked out by hand; the numbers of docs/rights.md."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ame.errors import InputError
from ame.mapping.lineage_pay import flow
from tests.mapping import asset, rights_of

M = 10**6


def edge(parent: str, ppm: int, scope: str) -> str:
    return f"parents: [{{asset: {parent}, upstream_ppm: {ppm}, scope: {scope}}}]"


def kept(assets: list[str], weights: dict[str, int]) -> dict[str, int]:
    return {name: receipts.kept for name, receipts in flow(weights, rights_of("\n".join(assets))).items()}


def test_relative_shares_fade_along_a_chain() -> None:
    chain = [
        asset("a"),
        asset("b", edge("a", 100_000, "relative")),
        asset("c", edge("b", 100_000, "relative")),
    ]
    assert kept(chain, {"c": 1000}) == {"a": 10, "b": 90, "c": 900}


def test_absolute_shares_stay_the_same_down_the_whole_chain() -> None:
    chain = [
        asset("a"),
        asset("b", edge("a", 100_000, "absolute")),
        asset("c", edge("b", 100_000, "absolute")),
    ]
    assert kept(chain, {"c": 1000}) == {"a": 100, "b": 100, "c": 800}


def test_absolute_shares_come_off_first() -> None:
    chain = [
        asset("a"),
        asset("b", edge("a", 100_000, "absolute")),
        asset("c", edge("b", 500_000, "relative")),
    ]
    # a: 10 % of 1000; b: half of the 900 that are left. What b receives from c pays a nothing more.
    assert kept(chain, {"c": 1000}) == {"a": 100, "b": 450, "c": 450}


def test_an_absolute_edge_counts_once_in_a_diamond() -> None:
    diamond = [
        asset("a"),
        asset("b", edge("a", 100_000, "absolute")),
        asset("left", "parents: [b]"),
        asset("right", "parents: [b]"),
        asset("merge", "parents: [left, right]"),
    ]
    assert kept(diamond, {"merge": 1000}) == {"a": 100, "merge": 900}


def test_relative_shares_of_a_diamond_come_together_once() -> None:
    diamond = [
        asset("a"),
        asset("left", edge("a", 100_000, "relative")),
        asset("right", edge("a", 100_000, "relative")),
        asset(
            "merge",
            "parents: [{asset: left, upstream_ppm: 200000}, {asset: right, upstream_ppm: 300000}]",
        ),
    ]
    assert kept(diamond, {"merge": 1000}) == {"a": 50, "left": 180, "right": 270, "merge": 500}


def test_a_measured_parent_gets_both() -> None:
    chain = [asset("a"), asset("b", edge("a", 100_000, "relative"))]
    assert kept(chain, {"a": 400, "b": 600}) == {"a": 460, "b": 540}


def test_a_parent_that_was_not_measured_is_paid_in_the_childs_stage() -> None:
    chain = [asset("a", stage="base_model"), asset("b", edge("a", 50_000, "relative"), stage="fine_tuning")]
    assert kept(chain, {"b": M}) == {"a": 50_000, "b": 950_000}


def test_absolute_shares_above_the_whole_are_refused() -> None:
    chain = [
        asset("a"),
        asset("b", edge("a", 600_000, "absolute")),
        asset("c", edge("b", 600_000, "absolute")),
    ]
    with pytest.raises(
        InputError, match=r"asset c: expected absolute upstream shares .* got 1200000 ppm from 2"
    ):
        kept(chain, {"c": 1})


def test_a_chain_of_ten_thousand_ends() -> None:
    chain = [asset("a0")]
    chain += [asset(f"a{n}", edge(f"a{n - 1}", 999_999, "relative")) for n in range(1, 10_000)]
    found = kept(chain, {"a9999": 10**18})
    assert sum(found.values()) == 10**18
    assert found["a0"] == pytest.approx(10**18 * 0.999999**9999, rel=1e-9)


EDGES = st.dictionaries(
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.integers(0, 40_000), st.sampled_from(["relative", "absolute"])),
    max_size=25,  # of 4 % each: never more than the whole
)


@settings(max_examples=200, deadline=None)
@given(EDGES, st.dictionaries(st.integers(0, 9), st.integers(0, 10**24), min_size=1))
def test_any_graph_pays_out_everything_or_is_refused_for_its_cycle(
    edges: dict[tuple[int, int], tuple[int, str]], weights: dict[int, int]
) -> None:
    parents: dict[int, list[str]] = {}
    for (child, parent), (ppm, scope) in edges.items():
        one = f"{{asset: a{parent}, upstream_ppm: {ppm}, scope: {scope}}}"
        parents.setdefault(child, []).append(one)
    lines = [asset(f"a{n}", f"parents: [{', '.join(parents.get(n, []))}]") for n in range(10)]
    ancestors: dict[int, set[int]] = {n: {parent for child, parent in edges if child == n} for n in range(10)}
    for _ in range(10):  # as often as a path can be long
        for child in range(10):
            ancestors[child] |= {far for near in ancestors[child] for far in ancestors[near]}
    if any(n in ancestors[n] for n in range(10)):
        with pytest.raises(InputError, match="its lineage is a cycle: "):
            kept(lines, {})
        return
    found = kept(lines, {f"a{n}": weight for n, weight in weights.items()})
    assert sum(found.values()) == sum(weights.values())
    assert all(amount >= 0 for amount in found.values())
    for name in found:
        number = int(name[1:])
        assert number in weights or any(number in ancestors[n] for n in weights)
