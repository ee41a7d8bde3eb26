"""WUDI."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.wudi import Wudi
from tests.methods._arrays import assert_close, normal


def test_two_tasks_of_one_input_each_are_both_answered():
    # On its own input (1, 0) the first gives 2, on (1, 1) the second does: so does
    # [2, 0], by [3, 1] times the inverse of [[3, 1], [1, 1]] / 2.
    tasks = [np.array([[2.0, 0.0]]), np.array([[1.0, 1.0]])]
    assert_close(Wudi(ridge=0)(tasks), [[2.0, 0.0]])
    # rho is 1 / 2 of the largest eigenvalue, 1 + 1 / sqrt(2); the sum is [3, 1].
    rho = (1 + 0.5**0.5) / 2
    inverse = np.array([[0.5 + rho, -0.5], [-0.5, 1.5 + rho]])
    inverse /= (0.5 + rho) * (1.5 + rho) - 0.25
    assert_close(Wudi(ridge=0.5)(tasks), np.array([[3 + 3 * rho, 1 + rho]]) @ inverse)


def test_it_minimises_its_loss():
    rng = np.random.default_rng(0)
    taus = [rng.normal(size=(6, 9)) for _ in range(3)]
    sizes = [(tau**2).sum() for tau in taus]
    pairs = list(zip(taus, sizes, strict=True))
    hessian = sum(tau.T @ tau / size for tau, size in pairs)
    target = sum(tau @ tau.T @ tau / size for tau, size in pairs)
    merged = Wudi(ridge=0)(taus)
    np.testing.assert_allclose(merged @ hessian, target, atol=1e-10)
    rho = 0.1 * np.linalg.eigvalsh(hessian)[-1]
    merged = Wudi(ridge=0.1, scale=3)(taus) / 3
    gradient = merged @ hessian - target + rho * (merged - sum(taus))
    np.testing.assert_allclose(gradient, 0, atol=1e-10)


def test_tasks_on_separate_inputs_give_their_sum():
    one, two = np.zeros((4, 6)), np.zeros((4, 6))
    one[:, :3], two[:, 3:] = np.arange(12).reshape(4, 3), 1 + np.eye(4, 3)
    for ridge in (0.0, 0.01, 1.0):
        merged = Wudi(ridge=ridge)([one, two])
        np.testing.assert_allclose(merged, one + two, atol=1e-10)


def test_identical_experts_are_one_without_ridge():
    tau = normal(5, 7)
    np.testing.assert_allclose(Wudi(ridge=0)([tau, tau, tau]), tau)


@pytest.mark.parametrize("params", [{"ridge": -1.0}, {"scale": np.inf}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Wudi(**params)
