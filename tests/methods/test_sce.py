"""SCE; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.sce import Sce


def test_it_weights_by_energy_and_erases_the_minority():
    tau = np.array([[1.0, -1.0], [3.0, 1.0]])
    # Mean squares 1 and 5, weights 1/6 and 5/6; the signs of the sums are +, +.
    assert Sce()(tau).tolist() == pytest.approx([(1 + 15) / 6, 1.0])
    small = Sce()(1e-6 * tau)
    assert small.tolist() == pytest.approx([2e-6, 1e-6])


def test_it_selects_where_experts_differ():
    tau = np.array([[1.0, 0.0, 5.0, 0.0], [1.0, 4.0, 6.0, 0.0]])
    # Two entries differ; int(0.5 * 2) of them is kept.
    assert Sce(density=0.5, scale=2)(tau).tolist() == [0.0, 8.0, 0.0, 0.0]


@pytest.mark.parametrize("params", [{"density": 2.0}, {"scale": np.inf}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Sce(**params)
