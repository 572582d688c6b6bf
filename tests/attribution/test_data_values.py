import numpy as np
import pytest

from ame.attribution.exact import shapley
from ame.attribution.influence import gradient_influence, traced_influence
from ame.attribution.knn import _nearest_first, by_provider, knn_shapley
from ame.errors import InputError
from tests.attribution.games import rows


def brute(points, labels, query, label, neighbours):
    order = np.argsort(((points - query) ** 2).sum(axis=1), kind="stable")
    table = []
    for present in rows(len(points)):
        nearest = [index for index in order if present[index]][:neighbours]
        table.append(sum(labels[index] == label for index in nearest) / neighbours)
    return shapley(np.array(table))


@pytest.mark.parametrize("neighbours", [1, 3, 12])
def test_closed_form_equals_enumeration(neighbours):
    random = np.random.default_rng(0)
    points, labels = random.normal(size=(8, 2)), random.integers(0, 2, 8)
    queries, wanted = random.normal(size=(3, 2)), random.integers(0, 2, 3)
    expected = np.mean(
        [
            brute(points, labels, query, label, neighbours)
            for query, label in zip(queries, wanted, strict=True)
        ],
        axis=0,
    )
    assert knn_shapley(points, labels, queries, wanted, neighbours) == pytest.approx(expected)


def test_chunks_do_not_change_a_bit(monkeypatch):
    random = np.random.default_rng(1)
    points, labels = random.integers(0, 5, (50, 3)).astype(float), random.integers(0, 3, 50)
    whole = knn_shapley(points, labels, points[:20], labels[:20])
    monkeypatch.setattr("ame.attribution.knn.CHUNK_ENTRIES", 150)
    assert knn_shapley(points, labels, points[:20], labels[:20]).tobytes() == whole.tobytes()


def test_distances_are_exact_so_that_copies_tie_wherever_they_stand():
    """Copies of a point follow each other in the order of their index: their values are those of the recursion."""
    random = np.random.default_rng(5)
    one = random.normal(size=(1, 30)) * 1e-3 + 1e6
    points = np.vstack([np.repeat(one, 60, axis=0), random.normal(size=(7, 30)) + 1e6])
    labels = np.r_[np.arange(60) % 2, np.ones(7, dtype=int)]
    values = knn_shapley(points, labels, one, np.array([1]), 3)
    right = np.r_[labels == 1].astype(float)
    rank = np.arange(1, 67)
    far = right[-1] / 67 + np.cumsum(((right[:-1] - right[1:]) / 3 * np.minimum(3, rank) / rank)[::-1])
    assert values[:60] == pytest.approx(far[::-1][:60])


@pytest.mark.parametrize("scale", [0, 3, 9, 15])
def test_the_radix_order_is_the_stable_order(scale):
    random = np.random.default_rng(scale)
    for size in (1, 2, 50, 3000):
        distances = np.rint(random.normal(size=size) * 10.0**scale)
        distances[0] = 2.0**52  # one far away leaves the others few bits
        assert _nearest_first(distances).tolist() == np.argsort(distances, kind="stable").tolist()


def test_labels_may_be_words():
    random = np.random.default_rng(0)
    points, labels = random.normal(size=(20, 2)), random.integers(0, 3, 20)
    words = np.array(["cat", "dog", "owl"])
    assert knn_shapley(points, words[labels], points, words[labels]).tolist() == (
        knn_shapley(points, labels, points, labels).tolist()
    )


def test_providers_get_the_sum_of_their_points():
    values = by_provider(np.array([1.0, 2.0, 4.0]), np.array([1, 0, 1]))
    assert values.tolist() == [2.0, 5.0]
    with pytest.raises(InputError, match="provider number"):
        by_provider(np.ones(2), np.array([0]))


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="finite"):
        knn_shapley(np.array([[np.nan]]), np.zeros(1), np.zeros((1, 1)), np.zeros(1))


def test_influence_tells_what_leaving_out_would_change():
    """Ridge regression: scores correlate with the truly re-fitted change of the query loss."""
    random = np.random.default_rng(0)
    x, weights = random.normal(size=(60, 4)), np.array([1.0, -2.0, 0.5, 0.0])
    y = x @ weights + 0.3 * random.normal(size=60)
    query, target = random.normal(size=(20, 4)), None
    target = query @ weights

    def fit(keep):
        return np.linalg.solve(x[keep].T @ x[keep] + 1e-3 * np.eye(4), x[keep].T @ y[keep])

    def loss(solution):
        return 0.5 * np.mean((query @ solution - target) ** 2)

    everything = np.ones(60, dtype=bool)
    model = fit(everything)
    change = [loss(fit(np.arange(60) != left)) - loss(model) for left in range(60)]
    gradients = (x @ model - y)[:, None] * x
    aims = (query @ model - target)[:, None] * query
    assert np.corrcoef(gradient_influence(gradients, aims), change)[0, 1] > 0.7
    assert traced_influence([(gradients, aims, 0.5), (gradients, aims, 0.5)]) == pytest.approx(
        gradients @ aims.mean(axis=0)
    )


@pytest.mark.parametrize("wrong", [np.ones((2, 3)), np.ones((0, 2)), np.full((2, 2), np.inf)])
def test_gradients_that_do_not_fit_are_refused(wrong):
    with pytest.raises(InputError, match="expected"):
        gradient_influence(wrong, np.ones((1, 2)))
