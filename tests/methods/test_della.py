"""DELLA."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.dare import Dare
from espnet_merge.methods.della import Della
from tests.methods._arrays import normal


def test_it_keeps_large_entries_more_often_and_is_unbiased():
    tau = np.arange(1.0, 11.0)[None].repeat(2000, axis=0)
    dropped = Della(density=0.5, epsilon=0.8)([tau])
    share = (dropped != 0).mean(axis=0)
    # Ranks 0 ... 9 of 10 are kept with 0.14, 0.22 ... 0.86.
    np.testing.assert_allclose(share, np.linspace(0.14, 0.86, 10), atol=0.04)
    np.testing.assert_allclose(dropped.mean(axis=0), tau[0], rtol=0.15)
    kept = dropped[:, 9] != 0
    np.testing.assert_allclose(dropped[kept, 9], 10 / 0.86)


def test_it_elects_a_sign():
    tau = np.array([[3.0, 1.0], [1.0, -2.0], [-1.0, -4.0]])
    everything = {"density": 1.0, "epsilon": 0.0}
    assert Della(**everything)(tau).tolist() == [2.0, -3.0]
    summed = Della(**everything, consensus="sum", scale=0.5)(tau)
    assert summed.tolist() == [2.0, -3.0]


def test_with_equal_probabilities_one_expert_is_dropped_as_by_dare():
    tau = normal(1, 50, 40)
    dropped = Della(density=0.3, epsilon=0.0, seed=7)(tau)
    np.testing.assert_allclose(dropped, Dare(density=0.3, scale=1, seed=7)(tau))


@pytest.mark.parametrize(
    "params",
    [
        {"density": 1.5},
        {"epsilon": 0.3, "density": 0.9},
        {"epsilon": -0.1},
        {"weights": (-1.0,)},
    ],
)
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Della(**params)
