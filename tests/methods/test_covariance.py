"""The data-free covariance merge."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.covariance import Covariance
from espnet_merge.methods.wudi import Wudi
from tests.methods._arrays import assert_close, normal
from tests.statistics_of import method_with


def covariances(deltas):
    return [delta.T @ delta / np.trace(delta.T @ delta) for delta in deltas]


@pytest.mark.parametrize("shape", [(9, 5), (5, 9), (7, 7)])
@pytest.mark.parametrize("ridge", [1e-3, 0.1, 1.0])
def test_it_is_the_closed_form(shape, ridge):
    deltas = normal(3, *shape)
    grams = covariances(deltas)
    largest = np.linalg.eigvalsh(sum(grams))[-1]
    left = sum(delta @ gram for delta, gram in zip(deltas, grams, strict=True))
    right = np.linalg.inv(sum(grams) + ridge * largest * np.eye(shape[1]))
    assert_close(Covariance(ridge=ridge, scale=0.5)(deltas), 0.5 * left @ right)


def test_it_is_regmean_on_these_covariances(tmp_path):
    deltas = normal(3, 8, 5)
    grams = np.float32(covariances(deltas))
    params = {"off_diagonal": 1.0, "ridge": 1e-9}
    regmean = method_with(tmp_path, "regmean", grams, **params)
    merged = regmean(deltas, TensorInfo(name="x"))
    # The statistics are stored in float32.
    np.testing.assert_allclose(Covariance(ridge=0.0)(deltas), merged, atol=1e-5)


def test_without_ridge_it_is_the_minimum_of_wudi():
    deltas = normal(3, 20, 6)
    assert_close(Covariance(ridge=0.0)(deltas), Wudi(ridge=0.0)(deltas))


def test_disjoint_experts_keep_all_of_themselves():
    """Each knows the inputs of its own, where the others have nothing to say."""
    tau = np.zeros((2, 6, 8))
    tau[0, :, :4], tau[1, :, 4:] = normal(6, 4), normal(6, 4, seed=1)
    assert_close(Covariance(ridge=0.0)(tau), tau.sum(0))


def test_identical_experts_are_one_without_ridge():
    tau = normal(7, 5)
    assert_close(Covariance(ridge=0.0)([tau] * 3), tau)


def test_the_ridge_leads_to_the_base():
    tau = [np.diag([4.0, 0.04])]
    # C is diag(1, 1e-4) / 1.0001; 1e-4 of it is as large as the ridge.
    merged = Covariance(ridge=1e-4)(tau)
    np.testing.assert_allclose(merged, np.diag([4 / 1.0001, 0.02]), atol=1e-9)


def test_rejects():
    with pytest.raises(InputError, match="ridge must lie in"):
        Covariance(ridge=2.0)
