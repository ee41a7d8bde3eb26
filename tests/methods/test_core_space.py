"""Core Space."""

import numpy as np
import pytest

from espnet_merge.checkpoint.factored import Factored
from espnet_merge.errors import InputError
from espnet_merge.methods.core_space import CoreSpace
from espnet_merge.methods.ties import Ties
from tests.methods._arrays import adapters, assert_close, normal


def test_by_hand():
    # Columns of B, 2 and 1 times an axis, and rows of A, 1 and 3 times an axis, span
    # the plane: the cores are the products, with 4 of 2 and of 6 of 1.
    b, a = np.diag([2.0, 1.0]), np.diag([1.0, 3.0])
    deltas = [Factored(b, a, 2.0), Factored(b, -a, 1.0)]
    # Half of the entries stay: 4 and 6 win over -2 and -3.
    assert_close(CoreSpace(density=0.5)(deltas).dense(), np.diag([4.0, 6.0]))
    summed = CoreSpace(density=0.5, consensus="sum")([deltas[0], deltas[0]])
    assert_close(summed.dense(), np.diag([8.0, 12.0]))


def test_it_is_ties_on_core_matrices():
    deltas = adapters(12, 20, (2, 3))
    u = np.linalg.svd(np.concatenate([d.b for d in deltas], axis=1))[0][:, :5]
    vt = np.linalg.svd(np.concatenate([d.a for d in deltas], axis=0))[2][:5]
    cores = [u.T @ d.dense() @ vt.T for d in deltas]
    expected = u @ Ties(density=0.3, trim="tensor")(cores) @ vt
    merged = CoreSpace(density=0.3)(deltas)
    np.testing.assert_allclose(merged.dense(), expected, atol=1e-10)


def test_outputs_and_inputs_may_be_turned_before_or_after():
    deltas = adapters(12, 20, (2, 3))
    left, right = (np.linalg.qr(normal(n, n))[0] for n in (12, 20))
    turned = [Factored(left @ d.b, d.a @ right, d.scale) for d in deltas]
    after = left @ CoreSpace(density=0.3)(deltas).dense() @ right
    assert_close(CoreSpace(density=0.3)(turned).dense(), after)


def test_rejects():
    with pytest.raises(InputError, match="density"):
        CoreSpace(density=2.0)
