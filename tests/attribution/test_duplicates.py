from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from ame.attribution.duplicates import DuplicateSearch, Pair, find_duplicates, merge
from ame.attribution.measure import derive_inner, is_two_levels, measure
from ame.attribution.policies import Policies, from_log
from ame.errors import InputError
from tests.attribution.games import SmallPipeline

SEARCH = DuplicateSearch()


def items(asset):
    """b holds what a holds, in another order and a little louder; c is half of a; x and y have no embedding."""
    thing = np.random.default_rng(0).normal(size=(20, 8))
    return {"a": thing, "b": 1.1 * thing[::-1], "c": np.vstack([thing[:10], -thing[:10]])}.get(asset)


@dataclass(frozen=True)
class KnownPipeline(SmallPipeline):
    """Knows what its assets hold; x and y are the same file."""

    def asset_items(self, asset):
        return items(asset)

    def asset_sha256(self, asset):
        return "same" if asset in ("x", "y") else asset


def test_copies_are_found_by_embedding_and_by_hash():
    pipeline = KnownPipeline()
    assert find_duplicates(pipeline, pipeline.assets, SEARCH) == (
        Pair("a", "b", "100.0 % of each found in the other"),
        Pair("x", "y", "same content hash"),
    )


def test_half_a_copy_counts_where_half_is_enough():
    pipeline = KnownPipeline()
    found = find_duplicates(pipeline, pipeline.assets, DuplicateSearch(overlap=Fraction(1, 2)))
    assert [pair[:2] for pair in found] == [("a", "b"), ("a", "c"), ("b", "c"), ("x", "y")]


def test_what_is_found_counts_as_one_and_is_told():
    one = measure(KnownPipeline(), duplicates=SEARCH)
    assert from_log(one.policies).clusters == (("a", "b"), ("x", "y"))
    assert one.inner[0][0] == one.inner[0][1]
    told = next(entry for entry in one.policies if entry["policy"] == "duplicate_search")
    assert told["similarity"] == "99/100"
    assert [pair["assets"] for pair in told["pairs"]] == [["a", "b"], ["x", "y"]]
    assert derive_inner(one) == one.inner


def test_a_copy_no_longer_pays():
    """a and c are each worth the same; with its copy b counted as another player, a's owner would get two thirds."""

    class Copied(KnownPipeline):
        def utility(self, coalition):
            return 0.3 * (coalition & 0b111 != 0) + 0.1 * (coalition >> 3 != 0)

    plain, quotient = measure(Copied()).inner[0], measure(Copied(), duplicates=SEARCH).inner[0]
    assert plain[0] + plain[1] == 2 * plain[2]
    assert quotient[0] + quotient[1] == quotient[2]


def test_named_and_found_are_joined():
    pairs = (Pair("a", "b", ""), Pair("b", "c", ""))
    assert merge([("c", "d")], pairs, "abcde") == (("a", "b", "c", "d"),)
    assert merge([("d", "e"), ("elsewhere", "a")], pairs[:1], "abcde") == (("a", "b"), ("d", "e"))


def test_clusters_of_other_pipelines_stay_in_the_log():
    one = measure(KnownPipeline(), duplicates=SEARCH, policies=Policies(clusters=(("p", "q"),)))
    assert from_log(one.policies).clusters == (("a", "b"), ("x", "y"), ("p", "q"))


def test_a_search_that_finds_nothing_is_told_too():
    class Different(KnownPipeline):
        def asset_items(self, asset):
            return None

        def asset_sha256(self, asset):
            return asset

    one = measure(Different(), duplicates=SEARCH)
    assert one.policies[-1] == {
        "policy": "duplicate_search",
        "similarity": "99/100",
        "overlap": "9/10",
        "pairs": [],
    }
    assert is_two_levels(one)
    assert one.inner == measure(SmallPipeline()).inner


def test_a_pipeline_that_knows_nothing_of_its_assets_is_refused():
    with pytest.raises(InputError, match="expected a pipeline with asset_sha256"):
        measure(SmallPipeline(), duplicates=SEARCH)


@pytest.mark.parametrize("wrong", [{"similarity": Fraction(0)}, {"overlap": Fraction(11, 10)}])
def test_thresholds_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="expected above 0"):
        DuplicateSearch(**wrong)


def test_items_that_are_not_finite_are_refused():
    class Broken(KnownPipeline):
        def asset_items(self, asset):
            return np.full((2, 2), np.nan)

    with pytest.raises(InputError, match="asset a: items: expected finite"):
        measure(Broken(), duplicates=SEARCH)
