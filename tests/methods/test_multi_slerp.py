"""Multi-SLERP; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.multi_slerp import MultiSlerp


def test_it_is_the_mean_of_directions_times_that_of_lengths():
    x = np.array([[2.0, 0.0], [0.0, 6.0]])
    # Direction (3, 1) / sqrt(10), length 0.75 * 2 + 0.25 * 6 = 3.
    expected = pytest.approx([9 / 10**0.5, 3 / 10**0.5])
    assert MultiSlerp(weights=(3, 1))(x).tolist() == expected
    base = np.array([5.0, -5.0])
    moved = MultiSlerp(weights=(3, 1), on="deltas")(x + base, TensorInfo(base=base))
    assert (moved - base).tolist() == expected


def test_the_tangent_step_moves_nothing():
    x = np.random.default_rng(1).normal(size=(4, 9))
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    mean = weights @ units / np.linalg.norm(weights @ units)
    tangents = units - (units @ mean)[:, None] * mean
    np.testing.assert_allclose(weights @ tangents, 0, atol=1e-15)
    merged = MultiSlerp(weights=tuple(weights))(x)
    np.testing.assert_allclose(merged, mean * (weights @ np.linalg.norm(x, axis=1)))


def test_directions_that_cancel_give_zero():
    assert MultiSlerp()(np.array([[1.0, 0.0], [-1.0, 0.0]])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("weights", [(1.0, -1.0), (np.inf,)])
def test_rejects(weights):
    with pytest.raises(InputError, match="weights"):
        MultiSlerp(weights=weights)
