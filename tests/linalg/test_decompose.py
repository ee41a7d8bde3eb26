"""Decompositions of matrices and of factors."""

import numpy as np
import pytest

from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.decompose import norm, polar, svd
from tests.methods._arrays import adapters, assert_close, low, normal


def test_polar_factor_of_generic_columns_is_orthonormal():
    x = normal(20, 6)
    for how in ("svd", "eigh"):
        q = polar([x], how)
        assert_close(q.T @ q, np.eye(6))
        assert_close(q.T @ x, (q.T @ x).T)
    near = polar([x], "newton_schulz")
    assert np.linalg.norm(near - q) < 0.05 * np.linalg.norm(q)


def test_svd_rebuilds_and_drops_what_is_zero():
    for x in (normal(9, 4), normal(4, 9), low(9, 7, 2)):
        parts = svd(x)
        assert_close(parts.dense(), x)
        assert len(parts.s) == np.linalg.matrix_rank(x)
        assert (np.diff(parts.s) <= 0).all()


def test_singular_values_and_norm_of_factors():
    (delta,) = adapters(30, 20, (4,))
    part, expected = svd(delta), np.linalg.svd(delta.dense(), compute_uv=False)
    np.testing.assert_allclose(part.s, expected[:4])
    np.testing.assert_allclose(part.dense(), delta.dense(), atol=1e-12)
    assert norm(delta) == pytest.approx(np.linalg.norm(delta.dense()))
    zero = Factored(np.zeros((30, 4)), delta.a, 1.0)
    assert (svd(zero).rank, norm(zero)) == (0, 0)
