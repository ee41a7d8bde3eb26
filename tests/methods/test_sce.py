"""SCE; numbers of the authors and of mergekit are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.sce import Sce
from tests.methods._arrays import normal


def test_it_weights_by_energy_and_erases_the_minority():
    tau = np.array([[1.0, -1.0], [3.0, 1.0]])
    # Mean squares 1 and 5, weights 1/6 and 5/6; the signs of the sums are +, +.
    assert Sce()(tau).tolist() == pytest.approx([(1 + 15) / 6, 1.0])


@pytest.mark.parametrize("density", [0.3, 1.0])
def test_the_weights_do_not_depend_on_the_size_of_the_task_vectors(density):
    tau = normal(3, 40) * np.array([[1.0], [2.0], [3.0]])
    tau *= 1e-4 / np.linalg.norm(tau)  # the sum of squares is 1e-8
    small, large = (Sce(density=density)(x) for x in (tau, 1e4 * tau))
    np.testing.assert_allclose(1e4 * small, large, rtol=1e-12)


def test_task_vectors_of_zeros_stay_zero():
    assert Sce()(np.zeros((2, 3))).tolist() == [0.0, 0.0, 0.0]


def test_it_selects_where_experts_differ():
    tau = np.array([[1.0, 0.0, 5.0, 0.0], [1.0, 4.0, 6.0, 0.0]])
    # Two entries differ; int(0.5 * 2) of them is kept.
    assert Sce(density=0.5, scale=2)(tau).tolist() == [0.0, 8.0, 0.0, 0.0]


@pytest.mark.parametrize("params", [{"density": 2.0}, {"scale": np.inf}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Sce(**params)
