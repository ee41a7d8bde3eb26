"""Breadcrumbs; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.breadcrumbs import Breadcrumbs


def test_the_middle_stays():
    tau = np.arange(1.0, 11.0)[None]
    merged = Breadcrumbs(density=0.5, gamma=0.2, scale=2, weights=(0.5,))(tau)
    assert merged.tolist() == [0, 0, 0, 4, 5, 6, 7, 8, 0, 0]
    # int(0.9 * 10) must stay, so that but one of the two largest goes.
    assert Breadcrumbs(density=0.9, gamma=0.2, scale=1)(tau).tolist() == [
        *range(1, 10),
        0,
    ]


def test_a_sign_is_elected_on_demand():
    tau = np.array([[3.0, 1.0], [-1.0, 1.0]])
    every = {"density": 1.0, "gamma": 0.0, "scale": 1.0}
    assert Breadcrumbs(**every)(tau).tolist() == [2.0, 2.0]
    assert Breadcrumbs(**every, sign_consensus=True)(tau).tolist() == [3.0, 2.0]


@pytest.mark.parametrize("params", [{"density": 0.0}, {"gamma": 1.1}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Breadcrumbs(**params)
