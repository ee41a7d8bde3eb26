"""NuSLERP, also against scipy's; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest
from scipy.spatial import geometric_slerp

from espnet_merge.errors import InputError
from espnet_merge.methods.nuslerp import NuSlerp
from tests.methods._arrays import ANGLE, ARC, normal, on_arc


def test_weights_tell_how_far_it_goes_along_the_arc():
    for weights, t in ((None, 0.5), ((3, 1), 0.25), ((0, 2), 1.0), ((3, -1), -0.5)):
        assert NuSlerp(weights=weights)(ARC).tolist() == on_arc(t * ANGLE)
    # Lengths are left in: sin(pi/4) / sin(pi/2) of each.
    assert NuSlerp()(np.diag([2.0, 4.0])).tolist() == pytest.approx(
        [2**0.5, 2 * 2**0.5]
    )


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_unit_vectors_are_merged_as_scipy_does(t):
    x = normal(2, 20)
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    merged = NuSlerp(weights=(1 - t, t))(units)
    np.testing.assert_allclose(merged, geometric_slerp(*units, t))


def test_it_is_a_line_where_task_vectors_are_collinear():
    for other in ([2.0, 2.0], [-1.0, -1.0], [0.0, 0.0]):
        merged = NuSlerp(weights=(3, 1))([np.ones(2), np.array(other)])
        assert merged.tolist() == [0.75 + 0.25 * x for x in other]


@pytest.mark.parametrize("weights", [(1.0, -1.0), (np.inf, 1.0)])
def test_rejects(weights):
    with pytest.raises(InputError, match="weights"):
        NuSlerp(weights=weights)


def test_it_takes_two():
    with pytest.raises(InputError, match="at most 2, got 3"):
        NuSlerp().check_experts(3)
