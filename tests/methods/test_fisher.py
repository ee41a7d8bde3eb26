"""Fisher-weighted averaging."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.fisher import FisherMean
from tests.methods._arrays import normal
from tests.statistics_of import method_with

X = TensorInfo(name="x")


def test_by_hand(tmp_path):
    deltas = np.array([[4.0, 1.0, 0.0], [0.0, 5.0, 2.0]])
    fishers = np.array([[3.0, 0.0, 4.0], [1.0, 0.0, 0.0]])
    plain = method_with(tmp_path, "fisher", fishers, normalize=False, floor=0.03)
    # The floors are 0.03 of 7/3 and of 1/3: entry 1 and 2 are divided 7 : 1, 400 : 1.
    expected = [3.0, (7 * 1 + 1 * 5) / 8, 2 * 0.01 / 4.01]
    np.testing.assert_allclose(plain(deltas, X), expected, rtol=1e-6)
    # Norms are 5 and 1.
    normal = method_with(tmp_path, "fisher", fishers, floor=0.03)
    expected = [4 * 0.6 / 1.6, (1 * 0.014 + 5 * 0.01) / 0.024, 2 * 0.01 / 0.81]
    np.testing.assert_allclose(normal(deltas, X), expected, rtol=1e-6)
    weighted = method_with(tmp_path, "fisher", fishers, floor=0.03, weights=[1, 0])
    np.testing.assert_allclose(weighted(deltas, X), deltas[0], rtol=1e-6)


def test_every_entry_is_an_average_with_its_own_weights(tmp_path):
    deltas, fishers = normal(3, 4, 5), abs(normal(3, 4, 5, seed=1))
    params = {"normalize": False, "floor": 1e-9, "weights": [1, 2, 5]}
    merged = method_with(tmp_path, "fisher", fishers, **params)(deltas, X)
    weights = np.array([1, 2, 5])[:, None, None] * fishers
    expected = np.average(deltas, axis=0, weights=weights)
    # The statistics are stored in float32.
    np.testing.assert_allclose(merged, expected, rtol=1e-5)


def test_a_chunk_is_that_of_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    deltas, fishers = rng.normal(size=(3, 4, 5)), rng.random((3, 4, 5))
    fisher = method_with(tmp_path, "fisher", fishers)
    whole = fisher(deltas, X).ravel()
    flat = deltas.reshape(3, -1)
    for start in (0, 5, 15):
        chunk = fisher(flat[:, start : start + 5], TensorInfo(name="x", start=start))
        np.testing.assert_array_equal(chunk, whole[start : start + 5])


@pytest.mark.parametrize("params", [{"floor": 0.0}, {"weights": (1.0, -1.0)}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        FisherMean(**params)
