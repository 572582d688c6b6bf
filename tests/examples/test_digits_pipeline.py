import os
import pickle
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ame.attribution import DuplicateSearch, find_duplicates
from ame.attribution.scores import score_stage
from examples.digits import data
from examples.digits.pipeline import PIPELINES, asset_sha256, remembered_decoder
from tests.examples.games import everybody, measure, stage_masks

NAMES = sorted(PIPELINES)
SOME_COALITIONS = (0, 1, 0b111111, 0b11_010100, 0b1011_10_110101, 0b10_101_11_001011, (1 << 14) - 1)


@cache
def measured(name):
    return measure(PIPELINES[name])


def to_ppm(values):
    return [round(value * 1e6) for value in values]


def test_all_coalitions_take_less_than_20_seconds_on_two_cores():
    results = [measured(name) for name in NAMES]
    assert sum(len(result.utility.values) for result in results) == 2000
    assert sum(result.seconds for result in results) < 40  # of one core


@pytest.mark.parametrize("name", NAMES)
def test_owen_values_add_up_to_what_the_whole_adds(name):
    values, utility, _ = measured(name)
    assert sum(values.values()) == pytest.approx(utility(everybody(PIPELINES[name])) - utility(0))


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_earns_its_part(name):
    values = measured(name).values
    stages = [sum(values[asset] for asset in assets) for assets in PIPELINES[name].assets]
    assert min(stages) > 0.05


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_product_beats_every_stage_alone(name):
    utility = measured(name).utility
    alone = [utility(mask) for mask in stage_masks(PIPELINES[name])]
    assert utility(everybody(PIPELINES[name])) > max(alone) + 0.2


@pytest.mark.parametrize("name", NAMES)
def test_more_good_data_is_worth_more_than_less(name):
    values = measured(name).values
    assert values["digits/general-large"] > values["digits/general-small"] > 0.01


@pytest.mark.parametrize("name", NAMES)
def test_noisy_mislabelled_data_is_worth_nothing_or_less(name):
    values = measured(name).values
    assert values["digits/scraped-noisy"] < 0


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_worth_exactly_what_its_original_is(name):
    values = measured(name).values
    copy, original = values["digits/small-mirror"], values["digits/general-small"]
    assert copy == pytest.approx(original, abs=1e-12)


def test_an_original_is_worth_more_without_its_copy():
    pipeline, utility = PIPELINES["house-numbers"], measured("house-numbers").utility
    others = everybody(pipeline) & ~stage_masks(pipeline)[0]
    original, copy = 1 << 3, 1 << 5
    first = utility(others | original) - utility(others)
    second = utility(others | original | copy) - utility(others | copy)
    assert second < first


@pytest.mark.parametrize("name", NAMES)
def test_remembered_decoders_give_the_same_bits(name):
    remembering, retraining = PIPELINES[name], replace(PIPELINES[name], remember=False)
    remembered_decoder.cache_clear()
    with threadpool_limits(limits=1):  # the number of threads decides the last bits
        for coalition in 2 * SOME_COALITIONS:
            assert remembering.utility(coalition) == retraining.utility(coalition)


def test_another_process_with_other_threads_measures_the_same():
    program = (
        "from examples.digits.pipeline import PIPELINES\n"
        f"print([p.utility(c) for p in PIPELINES.values() for c in {SOME_COALITIONS}])\n"
        "print([p.inputs_sha256 for p in PIPELINES.values()])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    values, hashes = run.stdout.splitlines()
    here = [pipeline.utility(c) for pipeline in PIPELINES.values() for c in SOME_COALITIONS]
    assert np.allclose(eval(values), here, rtol=0, atol=1e-10)
    assert to_ppm(eval(values)) == to_ppm(here)
    assert eval(hashes) == [pipeline.inputs_sha256 for pipeline in PIPELINES.values()]


def test_a_last_bit_in_the_pixels_stays_a_last_bit_in_the_value(monkeypatch):
    pipeline = replace(PIPELINES["house-numbers"], remember=False)
    before = pipeline.utility(everybody(pipeline))
    corpus = data.base_corpus().pixels * (1 + 1e-13)
    monkeypatch.setattr(
        data, "base_corpus", lambda: data.Labelled(corpus, np.zeros(len(corpus), dtype=np.uint8))
    )
    assert 0 < abs(pipeline.utility(everybody(pipeline)) - before) < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_pipelines_survive_pickling(name):
    again = pickle.loads(pickle.dumps(PIPELINES[name]))
    assert again == PIPELINES[name]
    assert again.utility(12345) == PIPELINES[name].utility(12345)


@pytest.mark.parametrize("name", NAMES)
def test_protocol(name):
    pipeline = PIPELINES[name]
    assert pipeline.name == name
    assert pipeline.stages == ("training_data", "base_model", "fine_tuning", "prompt")
    assert sum(len(assets) for assets in pipeline.assets) >= 14
    assert len(pipeline.inputs_sha256) == 64
    assert 0 <= pipeline.utility(0) <= 1


def test_the_products_share_at_least_fifteen_assets():
    assets = {asset for pipeline in PIPELINES.values() for stage in pipeline.assets for asset in stage}
    assert len(assets) == 21
    assert len({asset_sha256(asset) for asset in assets}) == 21


def test_nobody_else_holds_what_the_judge_was_fitted_on():
    held_out = {row.tobytes() for row in data.held_out().pixels}
    parts = [data.training_data(asset) for asset in PIPELINES["house-numbers"].assets[0]]
    tuners = {asset for pipeline in PIPELINES.values() for asset in pipeline.assets[2]}
    parts += [data.base_corpus(), *(data.tuning_data(asset) for asset in sorted(tuners))]
    assert not held_out & {row.tobytes() for part in parts for row in part.pixels}


@pytest.mark.parametrize("name", NAMES)
def test_images_show_each_digit_asked_and_change_with_the_stages(name):
    pipeline = PIPELINES[name]
    complete = pipeline.images(everybody(pipeline))
    assert complete.dtype == np.uint8
    assert complete.shape[1:] == (8, 8)
    for mask in stage_masks(pipeline):
        assert (pipeline.images(everybody(pipeline) & ~mask) != complete).any()


def test_the_copied_data_set_is_found_and_no_other():
    pipeline = PIPELINES["house-numbers"]
    pairs = find_duplicates(pipeline, pipeline.assets, DuplicateSearch())
    assert [pair[:2] for pair in pairs] == [("digits/general-small", "digits/small-mirror")]


@pytest.mark.parametrize("method", ["knn-shapley", "gradient-influence", "traced-influence"])
def test_training_data_can_be_scored_by_its_images(method):
    pipeline = PIPELINES["house-numbers"]
    scores = score_stage(pipeline, "training_data", pipeline.assets[0], method)
    by_asset = dict(zip(pipeline.assets[0], scores.ppb, strict=True))
    assert max(by_asset, key=by_asset.get) == "digits/general-large"
    assert by_asset["digits/scraped-noisy"] < by_asset["digits/zeros-and-ones"]
    with pytest.raises(ValueError, match="expected training_data"):
        score_stage(pipeline, "prompt", pipeline.assets[3], method)
