import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from ame.attribution.coalitions import to_matrix
from ame.attribution.game import PipelineGame, Stage, StagedPipeline, _chunks, content_hash, to_ppm
from ame.attribution.measure import measure
from ame.attribution.policies import Policies
from ame.attribution.workers import process_pool
from ame.errors import FileError, InputError
from tests.attribution.games import SmallPipeline, ThreadsPipeline


def test_each_coalition_is_measured_once():
    game = PipelineGame(SmallPipeline())
    assert game.values_ppm([3, 5, 3]) == [game.known[3], game.known[5], game.known[3]]
    assert game.evaluations == 2
    game.values(to_matrix([3, 5, 7], 5))
    assert game.evaluations == 3


def test_one_and_two_workers_give_the_same_bits():
    alone = measure(SmallPipeline())
    for workers in (1, 2):
        with process_pool(workers) as executor:
            assert measure(SmallPipeline(), executor) == alone


def test_workers_use_one_blas_thread():
    with process_pool(2) as executor:
        assert set(PipelineGame(ThreadsPipeline(), executor).values_ppm(range(32))) == {10**6}


def test_dask_gives_the_same_bits():
    distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert measure(SmallPipeline(), client.get_executor()) == measure(SmallPipeline())


@pytest.mark.parametrize("count", [1, 31, 32, 33, 63, 688, 4095, 5000, 100_001])
def test_executors_get_chunks_of_32_to_256(count):
    chunks = _chunks(list(range(count)))
    assert [mask for chunk in chunks for mask in chunk] == list(range(count))
    sizes = [len(chunk) for chunk in chunks]
    assert max(sizes) <= 256
    assert min(sizes) >= min(32, count)


class DeadlyPipeline(SmallPipeline):
    """One of its coalitions ends the process that runs it."""

    def utility(self, coalition):
        if coalition == 9:
            os._exit(1)
        return super().utility(coalition)


def test_a_worker_that_ends_names_the_coalitions_it_ran(tmp_path):
    with (
        process_pool(1) as executor,
        pytest.raises(InputError, match=r"a worker ended while it ran one of the coalitions 0x0\.\.0x1f"),
    ):
        PipelineGame(DeadlyPipeline(), executor, tmp_path).values_ppm(range(32))


class IdlePipeline(SmallPipeline):
    def utility(self, coalition):
        return 0.5


def test_asking_costs_less_than_5_microseconds_for_each_coalition():
    """Processor time of batches of 1,000, the least of a hundred: what runs beside it is no part of it."""
    game = PipelineGame(IdlePipeline(assets=(tuple("abcdefghijklmnopqrst"), tuple("ABCDEFGHIJKLMNOPQRST"))))
    random, least = np.random.default_rng(0), math.inf
    for _ in range(100):
        rows = random.random((1000, 40)) < 0.5
        start = time.process_time()
        game.values(rows)
        least = min(least, time.process_time() - start)
    assert least / 1000 < 5e-6


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None, "0.5", True])
def test_a_utility_that_is_no_finite_number_names_its_coalition(bad):
    pipeline = SmallPipeline(bad=9, returned=bad)
    with pytest.raises(InputError, match=r"pipeline small: coalition 0x9 \(a, x\): InputError: expected a"):
        PipelineGame(pipeline).values_ppm(range(32))


def test_a_failure_keeps_what_is_done(tmp_path):
    pipeline = SmallPipeline(bad=20)
    with ThreadPoolExecutor(2) as executor, pytest.raises(InputError, match="coalition 0x14"):
        PipelineGame(pipeline, executor, tmp_path).values_ppm(range(32))
    again = PipelineGame(replace(pipeline, bad=-1), None, tmp_path)
    assert sorted(again.known) == list(range(20))
    again.values_ppm(range(32))
    assert again.evaluations == 12


def test_the_cache_belongs_to_its_inputs(tmp_path):
    PipelineGame(SmallPipeline(), cache=tmp_path).values_ppm(range(4))
    other = SmallPipeline(inputs_sha256="cd" * 32)
    assert content_hash(other) != content_hash(SmallPipeline())
    assert not PipelineGame(other, cache=tmp_path).known


def test_a_cut_line_is_measured_again_and_a_changed_one_refused(tmp_path):
    PipelineGame(SmallPipeline(), cache=tmp_path).values_ppm(range(4))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    game = PipelineGame(SmallPipeline(), cache=tmp_path)
    assert sorted(game.known) == [0, 1, 2]
    game.values_ppm(range(4))
    assert path.read_bytes() == whole
    path.write_bytes(whole.replace(b"0x1 ", b"0x5 "))
    with pytest.raises(FileError, match="values:2: the digest does not fit"):
        PipelineGame(SmallPipeline(), cache=tmp_path)


def test_progress_is_told():
    told = []
    PipelineGame(SmallPipeline(), on_progress=lambda done, total: told.append((done, total))).values_ppm(
        range(32)
    )
    assert told == [(32, 32)]


def test_a_staged_pipeline_puts_defaults_in_place_of_absent_stages():
    parts = (Stage("data", {"a": 1, "b": 2}, (0,)), Stage("prompt", {"p": 10}, (5,)))
    pipeline = StagedPipeline("sum", parts, lambda chosen: sum(sum(one) for one in chosen), float, "00" * 32)
    assert [pipeline.utility(coalition) for coalition in (0, 1, 3, 4, 7)] == [5, 6, 8, 10, 13]
    assert pipeline.stages == ("data", "prompt")
    assert pipeline.assets == (("a", "b"), ("p",))


def test_quantisation_rounds_to_the_nearest_millionth():
    assert [to_ppm(value) for value in (0.1234564, 0.1234566, -1.5, np.float32(0.5), 2)] == [
        123456,
        123457,
        -1500000,
        500000,
        2000000,
    ]


def test_measurement_is_exact_and_logged():
    one = measure(SmallPipeline(), policies=Policies(minimum_signal=2))
    assert one.evaluations == len(one.values_ppm) == 2 * 8 + 2 * 4 - 4
    assert sum(map(sum, one.inner)) == one.values_ppm[31] - one.values_ppm[0]
    assert one.method == "hierarchical-exact"
    assert {"policy": "minimum_signal", "standard_errors": "2"} in one.policies


def test_an_asset_that_stands_twice_is_refused():
    with pytest.raises(InputError, match="expected each asset once"):
        measure(SmallPipeline(assets=(("a", "b", "c"), ("a", "y"))))


def test_a_cluster_counts_as_one():
    one = measure(SmallPipeline(), policies=Policies(clusters=(("b", "c"),)))
    assert one.inner[0][1] == one.inner[0][2]
    with pytest.raises(InputError, match="within one stage"):
        measure(SmallPipeline(), policies=Policies(clusters=(("b", "x"),)))
