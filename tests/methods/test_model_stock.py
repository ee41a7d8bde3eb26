"""Model Stock; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.model_stock import ModelStock
from tests.methods._arrays import ARC


def test_it_moves_as_far_as_the_angle_tells():
    # cos 60° = 1/2, t = 2 * 0.5 / 1.5 = 2/3, of the mean (0.75, sqrt(3)/4).
    expected = pytest.approx([0.5, 3**0.5 / 6])
    assert ModelStock()(ARC).tolist() == expected
    twice = np.stack([ARC, 2 * ARC], axis=1)
    merged = ModelStock(filter_wise=True)(twice)
    assert merged[0].tolist() == expected
    assert merged[1].tolist() == pytest.approx([1.0, 3**0.5 / 3])


def test_it_clamps_and_says_so(caplog):
    apart = np.array([[1.0, 0.0], [-0.5, 3**0.5 / 2]])
    assert not ModelStock()(apart, TensorInfo(name="fc1")).any()
    assert "fc1: t clamped to 0 in 1 of 1 rows" in caplog.text
    # t = 2 * -0.5 / 0.5 = -2, of the mean (0.25, sqrt(3)/4).
    merged = ModelStock(clamp=False)(apart)
    assert merged.tolist() == pytest.approx([-0.5, -(3**0.5) / 2])


def test_the_floor_pulls_short_task_vectors_to_the_base():
    short = np.full((2, 1), 1e-4)
    # cos = 1e-8 / 1e-6, t = 0.02 / 1.01.
    assert ModelStock()(short)[0] == pytest.approx(1e-4 * 0.02 / 1.01)
    assert ModelStock(floor=0)(short)[0] == pytest.approx(1e-4)


def test_rejects():
    with pytest.raises(InputError, match="floor"):
        ModelStock(floor=-1.0)
    with pytest.raises(InputError, match="at least 2, got 1"):
        ModelStock().check_experts(1)
