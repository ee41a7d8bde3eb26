import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import subspace_angles

from espnet_merge.checkpoint.factored import Factored
from espnet_merge.inspection.spectrum import compare, subspaces_of

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))


@given(shapes, st.integers(1, 14), st.integers(0, 2**32 - 1))
def test_leading_directions_are_those_of_the_svd(shape, rank, seed):
    matrix = np.random.default_rng(seed).normal(size=shape)
    found = subspaces_of(matrix, rank)
    u, s, vh = torch.linalg.svd(torch.from_numpy(matrix), full_matrices=False)
    keep = min(rank, int((s > 1e-5 * s[0]).sum()))
    assert found.stable_rank == pytest.approx(float((s**2).sum() / s[0] ** 2))
    for ours, theirs in ((found.left, u), (found.right, vh.T)):
        theirs = theirs[:, :keep].numpy()
        np.testing.assert_allclose(abs(np.sum(ours * theirs, axis=0)), 1, atol=1e-4)


@given(shapes, st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_factors_say_the_same_as_their_product(shape, inner, seed):
    rng = np.random.default_rng(seed)
    b, a = rng.normal(size=(shape[0], inner)), rng.normal(size=(inner, shape[1]))
    dense, factored = subspaces_of(b @ a, 3), subspaces_of(Factored(b, a, 1.0), 3)
    assert factored.stable_rank == pytest.approx(dense.stable_rank)
    left = compare([dense, factored]).left[0, 1]
    assert left == pytest.approx(1, abs=1e-6)


def test_overlap_is_the_mean_squared_cosine_of_principal_angles():
    rng = np.random.default_rng(3)
    found = [subspaces_of(rng.normal(size=(20, 15)), 4) for _ in range(2)]
    spectrum = compare(found)
    for side, overlap in (("left", spectrum.left), ("right", spectrum.right)):
        angles = subspace_angles(*(getattr(each, side) for each in found))
        assert overlap[0, 1] == pytest.approx(np.mean(np.cos(angles) ** 2))
    assert np.diagonal(spectrum.left) == pytest.approx([1, 1])


def test_random_subspaces_overlap_as_stated():
    rng = np.random.default_rng(0)
    pairs = [
        compare([subspaces_of(rng.normal(size=(30, 24)), k) for k in (6, 3)])
        for _ in range(300)
    ]
    for side, stated in (("left", 6 / 30), ("right", 6 / 24)):
        mean = np.mean([getattr(pair, side)[0, 1] for pair in pairs])
        assert getattr(pairs[0], f"{side}_random")[0, 1] == pytest.approx(stated)
        assert mean == pytest.approx(stated, abs=0.01)


def test_a_zero_matrix_has_no_directions():
    zero, other = subspaces_of(np.zeros((3, 5)), 2), subspaces_of(np.ones((3, 5)), 2)
    assert zero.left.shape == (3, 0)
    assert np.isnan(zero.stable_rank)
    assert np.isnan(compare([zero, other]).left[0, 1])
    assert other.stable_rank == pytest.approx(1)
