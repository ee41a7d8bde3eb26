"""KnOTS."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.knots import Knots
from espnet_merge.methods.ties import Ties
from tests.methods._arrays import adapters, assert_close, normal


def test_by_hand():
    # Rows (4, 0, 2, 0) and (0, 2, 0, -1) are at right angles: the axes are the basis.
    # Half of the entries stay. Of 4 and 2 the mean is 3, of 2 and -1 the first stays.
    deltas = [np.diag([4.0, 2.0]), np.diag([2.0, -1.0])]
    assert_close(Knots(density=0.5)(deltas), np.diag([3.0, 2.0]))


def test_it_is_ties_in_the_joint_basis():
    deltas = [delta.dense() for delta in adapters(12, 20, (2, 3))]
    u, s, vt = np.linalg.svd(np.concatenate(deltas, axis=1), full_matrices=False)
    tasks = np.split(s[:5, None] * vt[:5], 2, axis=1)
    expected = u[:, :5] @ Ties(density=0.3, trim="tensor")(tasks)
    merged = Knots(density=0.3, scale=2)(deltas)
    np.testing.assert_allclose(merged, 2 * expected, atol=1e-10)


def test_outputs_may_be_turned_before_or_after():
    deltas = [delta.dense() for delta in adapters(12, 20, (2, 3))]
    turn = np.linalg.qr(normal(12, 12))[0]
    before = Knots(density=0.3)([turn @ delta for delta in deltas])
    assert_close(before, turn @ Knots(density=0.3)(deltas))


def test_rejects():
    with pytest.raises(InputError, match="density"):
        Knots(density=0.0)
