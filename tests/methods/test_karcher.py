"""The Karcher mean; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.karcher import Karcher
from tests.methods._arrays import ANGLE, ARC, on_arc


def test_it_halves_an_arc():
    assert Karcher()(ARC).tolist() == on_arc(ANGLE / 2)
    assert Karcher()(3 * ARC[::-1]).tolist() == on_arc(ANGLE / 2, 3)


def test_at_the_mean_all_logarithms_cancel():
    x = np.random.default_rng(0).normal(size=(5, 20)) + 1
    mean = Karcher(max_iter=100, tol=1e-12)(x)
    mean /= np.linalg.norm(mean)
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = units @ mean
    logarithms = (np.arccos(cosines) / np.sqrt(1 - cosines**2))[:, None] * (
        units - cosines[:, None] * mean
    )
    np.testing.assert_allclose(logarithms.sum(axis=0), 0, atol=1e-10)


def test_directions_that_cancel_or_are_missing():
    assert Karcher()(np.array([[0.0, 2.0], [0.0, -4.0]])).tolist() == [0.0, 3.0]
    assert Karcher()(np.array([[0.0, 2.0], [0.0, 0.0]])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("params", [{"max_iter": -1}, {"tol": 0.0}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Karcher(**params)
