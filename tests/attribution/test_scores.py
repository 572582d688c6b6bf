from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest

from ame.attribution.hierarchical import Limits
from ame.attribution.influence import gradient_influence
from ame.attribution.knn import by_provider, knn_shapley
from ame.attribution.measure import derive_inner, is_two_levels, measure
from ame.attribution.policies import Policies
from ame.attribution.scores import Examples, Gradients, score_stage, split_by_scores
from ame.attribution.shares import shares
from ame.audit.number_checks import _inner as audited
from ame.bundle import encode_measurements
from ame.errors import InputError, SignalError
from tests.attribution.games import SmallPipeline
from tests.attribution.test_shares import sales

OWNERS = np.array([0, 0, 0, 1, 1, 2, 2, 2])
ASSETS = ("a", "b", "c")


def random_examples():
    random = np.random.default_rng(3)
    points = random.normal(size=(8, 2))
    return Examples(
        OWNERS, points, (points[:, 0] > 0).astype(int), points + 0.1, (points[:, 0] > 0).astype(int), 2
    )


def random_gradients():
    random = np.random.default_rng(4)
    steps = [(random.normal(size=(8, 3)) + 0.5, random.normal(size=(4, 3)) + 0.5, 0.1) for _ in range(2)]
    return Gradients(OWNERS, tuple(steps))


@dataclass(frozen=True)
class ScoredPipeline(SmallPipeline):
    """Its training data can be scored."""

    def examples(self, stage):
        assert stage == "training_data"
        return random_examples()

    def gradients(self, stage):
        assert stage == "training_data"
        return random_gradients()


def scored(method="knn-shapley", **options):
    return measure(ScoredPipeline(), scored={"training_data": method}, **options)


@pytest.mark.parametrize("method", ["knn-shapley", "gradient-influence", "traced-influence"])
def test_a_scored_stage_keeps_its_shapley_value_and_splits_it_by_scores(method):
    one, plain = scored(method), measure(SmallPipeline())
    assert sum(one.inner[0]) == sum(plain.inner[0])
    assert one.inner[1] == plain.inner[1]
    assert one.stage_table_ppm == plain.stage_table_ppm
    assert (one.method, one.evaluations) == ("hierarchical-exact+scores", 8)
    ppb = score_stage(ScoredPipeline(), "training_data", ASSETS, method).ppb
    positive = [max(part, 0) for part in ppb]
    assert one.inner[0] == tuple(sum(plain.inner[0]) * part / sum(positive) for part in positive)


def test_scores_are_those_of_the_examples_summed_by_asset():
    given = random_examples()
    values = knn_shapley(given.points, given.labels, given.queries, given.query_labels, 2)
    summed = by_provider(values, OWNERS)
    ppb = score_stage(ScoredPipeline(), "training_data", ASSETS, "knn-shapley").ppb
    assert ppb == tuple(round(part / np.abs(summed).sum() * 10**9) for part in summed)
    training, queries, _ = random_gradients().checkpoints[-1]
    summed = by_provider(gradient_influence(training, queries), OWNERS)
    ppb = score_stage(ScoredPipeline(), "training_data", ASSETS, "gradient-influence").ppb
    assert np.array(ppb) / 10**9 == pytest.approx(summed / np.abs(summed).sum(), abs=1e-9)


@pytest.mark.parametrize("clusters", [(), (("a", "c"),)])
def test_who_has_the_log_can_redo_the_split(clusters):
    one = scored(policies=Policies(clusters=clusters))
    assert derive_inner(one) == one.inner
    assert not is_two_levels(one)
    assert b'"stage_scores"' in encode_measurements({"small": one})
    changed = tuple(
        {**entry, "stages": [{**entry["stages"][0], "scores_ppb": {"a": "1", "b": "1", "c": "1"}}]}
        if entry["policy"] == "stage_scores"
        else entry
        for entry in one.policies
    )
    assert derive_inner(replace(one, policies=changed)) != one.inner


@pytest.mark.parametrize(
    "options", [{"scored": {"training_data": "knn-shapley"}}, {"limits": Limits(2, 8, 8)}]
)
def test_the_audit_redoes_the_values_from_the_log(options):
    one = measure(ScoredPipeline(), **options)
    assert tuple(map(tuple, audited(one))) == one.inner


def test_copies_share_one_score():
    one = scored(policies=Policies(clusters=(("a", "c"),)))
    assert one.inner[0][0] == pytest.approx(one.inner[0][2], abs=1)
    told = next(entry for entry in one.policies if entry["policy"] == "stage_scores")["stages"][0]
    assert told["examples"] == "5"  # of a and c, who have three each, only a's are scored


def test_scores_reach_the_weights():
    one = scored()
    weights = shares({"small": one}, sales(small=10**9)).asset_weights[0]
    inner = one.inner[0]
    assert weights["a"] * inner[1] == pytest.approx(weights["b"] * inner[0], rel=1e-6)


def test_scores_below_zero_count_as_zero_and_a_stage_without_value_is_split_equally():
    assert split_by_scores(Fraction(12), (3, 1, -5)) == [9, 3, 0]
    assert split_by_scores(Fraction(-6), (3, 1, -5)) == [-2, -2, -2]
    with pytest.raises(SignalError, match="expected a positive score"):
        split_by_scores(Fraction(12), (0, -1))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"data": "knn-shapley"}, "scores: expected one of"),
        ({"training_data": "guess"}, "expected a method of"),
    ],
)
def test_what_cannot_be_scored_is_refused(wanted, message):
    with pytest.raises(InputError, match=message):
        measure(ScoredPipeline(), scored=wanted)


def test_a_pipeline_that_offers_no_examples_is_refused():
    with pytest.raises(InputError, match=r"needs a pipeline with examples\(stage\)"):
        measure(SmallPipeline(), scored={"training_data": "knn-shapley"})


def test_a_log_of_scores_that_is_not_complete_is_refused():
    one = scored()
    cut = tuple(
        {"policy": "stage_scores", "stages": [{"stage": "training_data"}]}
        if entry["policy"] == "stage_scores"
        else entry
        for entry in one.policies
    )
    with pytest.raises(InputError, match="stage_scores: expected complete scores"):
        derive_inner(replace(one, policies=cut))


@dataclass(frozen=True)
class DeepPipeline(SmallPipeline):
    """Two of its data sets belong to one owner."""

    @property
    def hierarchy(self):
        return [[[0, 1], 2], [3, 4]]


def test_a_hierarchy_of_its_own_and_other_limits_are_noted_and_can_be_redone():
    one = measure(DeepPipeline(), limits=Limits(exact_children=2, permutations=8), seed=3)
    assert {"hierarchy", "limits"} <= {entry["policy"] for entry in one.policies}
    assert derive_inner(one) == one.inner
    assert not is_two_levels(one)
    with pytest.raises(InputError, match="neither clusters nor scores"):
        measure(DeepPipeline(), policies=Policies(clusters=(("a", "b"),)))


@pytest.mark.parametrize(
    "note",
    [
        {"policy": "limits", "exact_children": "60", "exact_coalitions": "1", "permutations": "2"},
        {"policy": "limits"},
        {"policy": "hierarchy", "tree": "all"},
        {"policy": "hierarchy", "tree": [[0, 1, 2], [3]]},
    ],
)
def test_a_note_that_would_cost_the_auditor_or_say_nothing_is_refused(note):
    one = measure(SmallPipeline())
    with pytest.raises(InputError, match="expected"):
        derive_inner(replace(one, policies=(*one.policies, note)))
