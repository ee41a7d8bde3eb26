"""SLERP, also against scipy's; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest
from scipy.spatial import geometric_slerp

from espnet_merge.errors import InputError
from espnet_merge.methods.slerp import Slerp
from tests.methods._arrays import ANGLE, ARC, on_arc


def test_it_goes_along_the_arc():
    for t in (0.0, 0.25, 1.0):
        assert Slerp(t=t)(ARC).tolist() == on_arc(t * ANGLE)
    # Lengths are left in: sin(pi/4) / sin(pi/2) of each.
    merged = Slerp(t=0.5)(np.diag([2.0, 4.0]))
    assert merged.tolist() == pytest.approx([2**0.5, 2 * 2**0.5])


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_unit_vectors_are_merged_as_scipy_does(t):
    x = np.random.default_rng(0).normal(size=(2, 20))
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(Slerp(t=t)(units), geometric_slerp(*units, t))


def test_it_is_a_line_where_experts_are_collinear():
    for other in ([2.0, 2.0], [-1.0, -1.0], [0.0, 0.0]):
        merged = Slerp(t=0.25)([np.ones(2), np.array(other)])
        assert merged.tolist() == [0.75 + 0.25 * x for x in other]


def test_rejects():
    with pytest.raises(InputError, match="t must lie in"):
        Slerp(t=1.5)
    with pytest.raises(InputError, match="at most 2, got 3"):
        Slerp().check_experts(3)
    with pytest.raises(InputError, match="at least 2, got 1"):
        Slerp().check_experts(1)
