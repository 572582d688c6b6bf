import multiprocessing
import os
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from ame.attribution import hidden_directions, kernel_choice, odd_kernel, odd_process, sampling
from ame.attribution.designs import PairDesign
from ame.attribution.exact import shapley
from ame.attribution.game import PipelineGame
from ame.attribution.sampling import estimate, seed_from_block
from ame.errors import FileError, InputError
from tests.attribution.games import FunctionGame, SmallPipeline, concave, rows


def voting(players):
    weights = np.random.default_rng(3).lognormal(0.0, 1.0, players)
    return FunctionGame(
        players, lambda present: ((present * weights).sum(axis=1) > weights.sum() / 2).astype(float)
    )


def parity(players):
    return FunctionGame(players, lambda present: np.cos(np.pi * present.sum(axis=1)) * present[:, 0])


def truth(game):
    return shapley(game.function(rows(game.players).astype(float)))


def test_small_games_are_exact():
    result = estimate(concave(8), 300, 0)
    assert result.method == "exact"
    assert result.evaluations == 256
    assert result.values == pytest.approx(truth(concave(8)))


def test_smooth_games_are_nearly_known():
    game = concave(14)
    result = estimate(game, 40 * 14, 0)
    assert result.method == "odd-gaussian-process"
    assert np.abs(result.values - truth(game)).sum() / 2 < 0.01 * np.log(5)


def test_games_without_order_are_estimated_without_a_model():
    result = estimate(parity(15), 40 * 15, 0)
    assert result.method == "weighted-pairs"
    assert "walks along orders vary" in result.reason


def airport_game(players):
    costs = np.random.default_rng(17).lognormal(0.0, 1.0, players)
    return FunctionGame(players, lambda present: (present * costs).max(axis=1))


def test_walks_are_chosen_where_they_vary_less(monkeypatch):
    """Seldom, since the process learns such games too: here it is told to find nothing."""
    monkeypatch.setattr(sampling, "fit_odd", weighted_only)
    result = estimate(concave(16), 40 * 16, 0)
    assert result.method == "antithetic-permutations"
    assert np.abs(result.values - truth(concave(16))).max() < 4 * result.standard_errors.max() < 0.1


def weighted_only(signs, first, second, *, learning):
    """The pairs' estimate without a process."""
    odd = (first - second) / 2
    values, errors = odd_process._corrected(signs, np.zeros(signs.shape[1]), odd, odd)
    return odd_process.OddFit(values, errors, 0.0, "none")


@pytest.mark.parametrize("enough", [0.3, pytest.param(2.0, marks=pytest.mark.deep)])
def test_pairs_and_walks_are_unbiased(monkeypatch, enough):
    """The mean of many small runs lies within four of its standard errors."""
    monkeypatch.setattr(sampling, "EXPLAINED_ENOUGH", enough)
    runs = np.array([estimate(airport_game(8), 100, seed).values for seed in range(40)])
    error = runs.mean(axis=0) - truth(airport_game(8))
    assert (np.abs(error) < 4 * runs.std(axis=0, ddof=1) / 40**0.5).all()


def test_a_process_of_many_pairs_agrees_with_that_of_few(monkeypatch):
    """Beyond DENSE pairs only some sections are kept."""
    dense = estimate(concave(16), 900, 3)
    monkeypatch.setattr(odd_process, "DENSE", 100)
    sparse = estimate(concave(16), 900, 3)
    assert sparse.values.tobytes() != dense.values.tobytes()
    assert np.abs(sparse.values - dense.values).max() < 0.01 * np.abs(dense.values).max()
    monkeypatch.setattr(odd_process, "INDUCING", 60)
    assert np.abs(estimate(concave(16), 900, 3).values - truth(concave(16))).max() < 0.002


def staged(players):
    """Three stages that multiply; members of a stage have diminishing returns."""
    weights = np.random.default_rng(18).lognormal(0.0, 1.0, players)[:, None] * (
        np.arange(players)[:, None] % 3 == np.arange(3)
    )
    return FunctionGame(
        players, lambda present: (0.3 + 0.7 * np.sqrt(present @ weights / weights.sum(axis=0))).prod(axis=1)
    )


def staged_pairs(players, pairs):
    """Signs, even values and relevance."""
    game, signs = staged(players), PairDesign(players, 4).signs(pairs)
    first, second = game.values(signs > 0), game.values(signs < 0)
    kernel, _ = kernel_choice.chosen(signs, (first - second) / 2, (first + second) / 2, learning=False)
    return signs, (first + second) / 2, kernel.relevance


def test_the_slope_of_the_likelihood_is_that_of_differences():
    pairs = staged_pairs(12, 400)
    directions = hidden_directions.read_off(*pairs)
    loss = hidden_directions.unlikeliness_of(*pairs, len(directions))
    _, slope = loss(directions)
    along, step = np.random.default_rng(0).standard_normal(directions.shape), 1e-5
    (after, _), (before, _) = (loss(directions + sign * step * along) for sign in (1, -1))
    assert (slope * along).sum() == pytest.approx((after - before) / (2 * step), rel=1e-4)


def test_the_likelihood_of_directions_is_that_of_all_covariances():
    signs, even, relevance = staged_pairs(12, 60)
    loss = hidden_directions.unlikeliness_of(signs, even, relevance, 3)
    turns, growths, scale = odd_kernel.mixtures(3, hidden_directions.LEARNING_WAVES)
    part = even - even.mean()

    def of_covariances(directions):
        waves = scale * np.cos(signs @ directions.T @ turns.T) * np.cosh(signs @ directions.T @ growths.T)
        waves -= waves.mean(axis=0)
        covariances = waves @ waves.T + hidden_directions.NUGGET * np.eye(60)
        spread = part @ np.linalg.solve(covariances, part) / 60
        prior = ((directions / relevance) ** 2).sum() / 2
        return 30 * np.log(spread) + 0.5 * np.linalg.slogdet(covariances)[1] + prior

    one, other = 0.3 * np.random.default_rng(2).standard_normal((2, 3, 12))
    assert loss(one)[0] - loss(other)[0] == pytest.approx(
        of_covariances(one) - of_covariances(other), rel=1e-9
    )


def test_learning_never_makes_directions_less_likely(monkeypatch):
    pairs = staged_pairs(15, 200)
    directions = hidden_directions.read_off(*pairs)
    loss = hidden_directions.unlikeliness_of(*pairs, len(directions))
    losses = []
    for steps in (0, 1, 3, 10, 30):
        monkeypatch.setattr(hidden_directions, "STEPS", steps)
        losses.append(loss(hidden_directions.learned(*pairs, directions))[0])
    assert losses[0] == pytest.approx(loss(directions)[0])
    assert (np.diff(losses) < 0).all()


def test_directions_are_kept_so_short_that_covariances_can_be_inverted():
    signs, even, relevance = staged_pairs(15, 200)
    directions = hidden_directions.read_off(signs, even, relevance)
    loss = hidden_directions.unlikeliness_of(signs, even, relevance, len(directions))
    assert np.isfinite(loss(directions)[0])
    assert loss(1e3 * directions)[0] == np.inf
    learned = hidden_directions.learned(signs, even, relevance, 20 * directions)
    assert ((signs @ learned.T) ** 2).sum(axis=1).max() == pytest.approx(hidden_directions.LONGEST)


def test_a_constant_even_part_has_no_directions():
    signs, even, relevance = staged_pairs(12, 50)
    assert hidden_directions.read_off(signs, np.full_like(even, 0.5), relevance).shape == (0, 12)


def test_hidden_features_stand_for_their_kernel():
    """Their products tend to HIDDEN_WEIGHT sinh((D x) (D y)), as the number of waves grows."""
    signs = PairDesign(9, 4).signs(40)
    sums = signs @ (0.1 * np.random.default_rng(1).standard_normal((2, 9))).T
    turns, growths, scale = odd_kernel.mixtures(2, 100_000)
    features = scale * np.sin(sums @ turns.T) * np.cosh(sums @ growths.T)
    expected = odd_kernel.HIDDEN_WEIGHT * np.sinh(sums @ sums.T)
    assert np.abs(features @ features.T - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize("size", [0.1, 1.0, 5.0])
def test_shapley_values_of_waves_are_those_of_their_tables(size):
    exponents = size * (np.random.default_rng(6).standard_normal((3, 10, 2)) @ np.array([1.0, 1j]))
    signs = 2.0 * rows(10) - 1.0
    waves = np.sinh(signs @ exponents.T)
    expected = np.array([shapley(wave.real) + 1j * shapley(wave.imag) for wave in waves.T])
    found = odd_kernel.sinh_values(exponents)
    assert np.abs(found - expected).max() < 1e-9 * np.abs(waves).max()


def test_learned_directions_foresee_stages_better(monkeypatch):
    result = estimate(staged(24), 40 * 24, 5)
    assert ", learned, " in result.reason
    again = estimate(staged(24), 40 * 24, 5, batch=37)
    assert result.values.tobytes() == again.values.tobytes()
    monkeypatch.setattr(sampling, "PILOT", 1.0)  # a trial that is all learns as the last fit does
    at_once = estimate(staged(24), 40 * 24, 5)
    assert result.values.tobytes() == at_once.values.tobytes()
    monkeypatch.setattr(hidden_directions, "STEPS", 0)
    plain = estimate(staged(24), 40 * 24, 5)
    assert (result.standard_errors**2).mean() < 0.7 * (plain.standard_errors**2).mean()


def test_no_pair_is_drawn_twice_and_small_layers_are_soon_whole():
    rows = PairDesign(14, 1).first(279)
    pairs = {bytes(row if row[0] else ~row) for row in rows}
    smaller = np.minimum(rows.sum(axis=1), 14 - rows.sum(axis=1))
    assert len(pairs) == 279
    assert (smaller == 1).sum() == 14
    assert 40 < (smaller == 2).sum() < 91


@pytest.mark.parametrize("make", [concave, parity])
def test_values_are_exact_once_every_pair_is_known(make):
    """Whatever the process says: nothing is left of it."""
    game, signs = make(9), PairDesign(9, 2).signs(255)
    fit = odd_process.fit_odd(signs, game.values(signs > 0), game.values(signs < 0))
    ends = game.function(np.array([[0.0] * 9, [1.0] * 9]))
    assert fit.values - fit.values.mean() + (ends[1] - ends[0]) / 9 == pytest.approx(truth(game), abs=1e-9)
    assert fit.standard_errors.max() < 1e-9


@pytest.mark.parametrize("make", [concave, voting, parity])
def test_estimates_are_efficient_and_within_budget(make):
    game = make(16)
    result = estimate(game, 500, 1)
    ends = game.function(np.array([[0.0] * 16, [1.0] * 16]))
    assert result.values.sum() == pytest.approx(ends[1] - ends[0])
    assert sum(len(asked) for asked in game.asked) == result.evaluations <= 500


@pytest.mark.parametrize("make", [concave, voting])
def test_two_runs_are_equal_to_the_bit(make):
    first, second = estimate(make(18), 400, 5), estimate(make(18), 400, 5, batch=37)
    assert first.values.tobytes() == second.values.tobytes()
    assert first.standard_errors.tobytes() == second.standard_errors.tobytes()


def test_the_number_of_threads_changes_no_bit():
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            assert {pool["num_threads"] for pool in threadpool_info()} == {threads}
            results.append(estimate(staged(24), 1100, 5))
    assert results[0].values.tobytes() == results[1].values.tobytes()
    assert results[0].standard_errors.tobytes() == results[1].standard_errors.tobytes()


def test_one_and_two_workers_are_equal_to_the_bit():
    results = []
    for workers in (None, 1, 2):
        with ProcessPoolExecutor(workers or 1) as executor:
            game = PipelineGame(SmallPipeline(), executor if workers else None)
            results.append(estimate(game, 24, 4))
    assert results[0].method != "exact"
    assert len({(each.values.tobytes(), each.standard_errors.tobytes()) for each in results}) == 1


def pairs_of_pairs(players):
    """A sum of unanimity games of two to four players."""
    random = np.random.default_rng(7)
    terms = [random.choice(players, size, replace=False) for size in (2, 2, 3, 3, 4) * 4]
    return FunctionGame(players, lambda present: sum(present[:, term].prod(axis=1) for term in terms))


def council(players):
    """A majority vote whose members weigh 1 to 2."""
    weights = 1.0 + np.arange(players) / players
    return FunctionGame(
        players, lambda present: ((present * weights).sum(axis=1) > weights.sum() / 2).astype(float)
    )


def coverage(make, players, budget, seeds):
    known = make(players)[1] if isinstance(make(players), tuple) else truth(make(players))
    inside = []
    for seed in seeds:
        game = make(players)
        result = estimate(game[0] if isinstance(game, tuple) else game, budget, seed)
        inside.append(np.abs(result.values - known) <= 1.96 * result.standard_errors)
    share = float(np.mean(inside))
    sys.stdout.write(f"{make.__name__}: {share:.3f}\n")  # docs/attribution.md quotes it
    return share


@pytest.mark.deep
@pytest.mark.parametrize("make", [concave, pairs_of_pairs, council, parity])
def test_95_percent_intervals_cover_the_kinds_they_were_made_on(make):
    assert 0.90 <= coverage(make, 14, 30 * 14, range(2000, 2060)) <= 0.98


def gloves(players):
    """Pairs of a left and a right one."""
    left = np.arange(players) < players // 2
    return FunctionGame(
        players, lambda present: np.minimum(present[:, left].sum(axis=1), present[:, ~left].sum(axis=1))
    )


def union_of_sets(players):
    """How many of 40 items at least one of those present has."""
    has = (np.random.default_rng(11).random((players, 40)) < 0.15).astype(float)
    return FunctionGame(players, lambda present: (present @ has > 0).sum(axis=1).astype(float))


def two_thirds(players):
    """A vote that needs two thirds of uneven weights."""
    weights = np.random.default_rng(12).uniform(1.0, 6.0, players)
    return FunctionGame(players, lambda present: (present @ weights > weights.sum() * 2 / 3).astype(float))


def increasing_returns(players):
    weights = np.random.default_rng(13).exponential(1.0, players)
    return FunctionGame(players, lambda present: (present @ weights / weights.sum()) ** 3)


def bankruptcy(players):
    """What the others' claims leave of an estate (O'Neill 1982)."""
    claims = np.random.default_rng(14).lognormal(0.0, 0.7, players)
    return FunctionGame(players, lambda present: np.maximum(0.0, 0.6 * claims.sum() - (1 - present) @ claims))


def noise(players):
    """A value drawn for each coalition."""
    table = np.random.default_rng(15).normal(size=1 << players)
    return FunctionGame(
        players, lambda present: table[(present @ (1 << np.arange(players))).astype(np.int64)]
    )


def any_of(players):
    """A sum of groups of which one member is enough; equal shares within each (dual unanimity)."""
    random = np.random.default_rng(16)
    member, worth = np.zeros((players, 2 * players)), random.random(2 * players)
    for group in range(2 * players):
        member[random.choice(players, random.integers(1, 6), replace=False), group] = 1.0
    game = FunctionGame(players, lambda present: (present @ member > 0.5) @ worth)
    return game, member @ (worth / member.sum(axis=0))


@pytest.mark.deep
@pytest.mark.parametrize(
    ("make", "players", "runs"),
    [
        (gloves, 14, 60),
        (union_of_sets, 16, 60),
        (two_thirds, 15, 60),
        (increasing_returns, 16, 60),
        (bankruptcy, 16, 60),
        (noise, 14, 60),
        (any_of, 60, 12),
    ],
)
def test_95_percent_intervals_cover_fresh_kinds(make, players, runs):
    """Kinds, seeds and band were written down before the sampler had met any of these games."""
    assert 0.90 <= coverage(make, players, 40 * players, range(9000, 9000 + runs)) <= 0.98


def test_a_dictator_is_found_out():
    """One voter of `voting(14)` outweighs all others: the game is additive, and nothing is left to estimate."""
    result = estimate(voting(14), 30 * 14, 0)
    assert result.values == pytest.approx(truth(voting(14)), abs=1e-6)
    assert result.standard_errors.max() < 1e-6


def test_stops_at_the_target_error():
    result = estimate(concave(20), 4000, 0, target_error=0.01)
    assert result.standard_errors.max() <= 0.01
    assert result.evaluations < 4000
    assert "target error" in result.reason


def slow_run(path):
    game = concave(16)

    def slowly(present):
        time.sleep(0.02)
        return concave(16).function(present)

    game.function = slowly
    estimate(game, 640, 2, state=path, batch=10)


def test_a_killed_run_goes_on_and_loses_one_batch_at_most(tmp_path):
    path = tmp_path / "estimate.state"
    process = multiprocessing.get_context("spawn").Process(target=slow_run, args=(path,))
    process.start()
    while not path.exists() or path.stat().st_size < 3000:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    lines = path.read_text().split("\n")[1:-1]
    kept = sum(len(line.split()[2]) // 16 for line in lines)
    assert len(lines) > 10
    game = concave(16)
    result = estimate(game, 640, 2, state=path, batch=10)
    assert sum(len(asked) for asked in game.asked) == result.evaluations - kept
    assert result.values.tobytes() == estimate(concave(16), 640, 2).values.tobytes()


@pytest.mark.parametrize("make", [concave, parity])
def test_a_run_goes_on_with_a_larger_budget(tmp_path, make):
    path = tmp_path / "estimate.state"
    first = estimate(make(16), 400, 2, state=path)
    game = make(16)
    result = estimate(game, 800, 2, state=path)
    asked = sum(len(rows) for rows in game.asked)
    assert asked < result.evaluations
    assert asked <= result.evaluations - first.evaluations + 400 // 4
    assert result.values.tobytes() == estimate(make(16), 800, 2).values.tobytes()
    assert result.standard_errors.max() < first.standard_errors.max()


def test_a_half_written_batch_is_measured_again(tmp_path):
    path = tmp_path / "estimate.state"
    known = estimate(concave(16), 200, 2, state=path, batch=20)
    raw = path.read_bytes()
    for cut in (1, 33):
        path.write_bytes(raw[:-cut])
        game = concave(16)
        assert estimate(game, 200, 2, state=path, batch=20).values.tobytes() == known.values.tobytes()
        assert 0 < sum(len(asked) for asked in game.asked) <= 20
        assert path.read_bytes().count(b"\n") == raw.count(b"\n")


def test_a_changed_state_is_refused(tmp_path):
    path = tmp_path / "estimate.state"
    estimate(concave(16), 200, 2, state=path, batch=50)
    with pytest.raises(FileError, match="state:1: expected"):
        estimate(concave(16), 200, 3, state=path)
    lines = path.read_text().splitlines()
    lines[2] = lines[2][:-1] + ("0" if lines[2][-1] != "0" else "1")
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(FileError, match="state:3: the digest does not fit"):
        estimate(concave(16), 200, 2, state=path)


def test_values_that_are_not_finite_are_refused():
    game = FunctionGame(16, lambda present: np.where(present.all(axis=1), np.inf, 0.0))
    with pytest.raises(InputError, match="expected one finite value"):
        estimate(game, 100, 0)


def test_too_small_a_budget_is_refused():
    with pytest.raises(InputError, match="at least 2n"):
        estimate(concave(16), 33, 0)


def test_a_seed_from_a_block():
    block = "0x" + "ab" * 32
    assert seed_from_block(block, "epoch 1") == seed_from_block(block[2:].upper(), "epoch 1")
    assert seed_from_block(block, "epoch 1") != seed_from_block(block, "epoch 2")
    with pytest.raises(InputError, match="block hash"):
        seed_from_block("0x12", "epoch 1")
