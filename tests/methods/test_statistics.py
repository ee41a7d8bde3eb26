"""What Fisher and RegMean share: statistics of data, and such that do not fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.errors import InputError
from espnet_merge.methods import METHODS, TensorInfo, build_method
from tests.methods._laws import delta_of
from tests.statistics_of import gram, method_with, write_statistics

X = TensorInfo(name="x")


@pytest.mark.parametrize("name", ["fisher", "regmean"])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), power=st.integers(-6, 6), count=st.integers(1, 4))
def test_scale_does_not_matter_and_equal_statistics_are_the_soup(
    tmp_path_factory, name, seed, power, count
):
    root, rng = tmp_path_factory.mktemp("s"), np.random.default_rng(seed)
    deltas = rng.normal(size=(count, 4, 4))
    tensors = np.array([gram(4, rng) ** 2 for _ in range(count)])
    one = method_with(root / "one", name, tensors)(deltas, X)
    other = method_with(root / "other", name, tensors * 10.0**power)(deltas, X)
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4)
    equal = method_with(root / "equal", name, [tensors[0]] * count)(deltas, X)
    np.testing.assert_allclose(equal, delta_of(METHODS["soup"](), deltas), atol=1e-12)


@pytest.mark.parametrize("name", ["fisher", "regmean"])
def test_inputs_that_were_never_seen_give_the_mean(tmp_path, name):
    deltas = np.random.default_rng(0).normal(size=(2, 3, 3))
    seen = np.diag([1.0, 1.0, 0.0])
    if name == "fisher":
        seen = np.array([[1.0, 1.0, 0.0]] * 3)
    merged = method_with(tmp_path, name, [seen, 3 * seen])(deltas, X)
    np.testing.assert_allclose(merged[:, 2], deltas.mean(0)[:, 2], rtol=1e-6)
    assert np.isfinite(merged).all()


def test_one_directory_an_expert(tmp_path):
    fisher = method_with(tmp_path, "fisher", np.ones((2, 3)))
    fisher.check_experts(2)
    with pytest.raises(InputError, match=r"one directory an expert .* got 2 for 3 exp"):
        fisher.check_experts(3)
    with pytest.raises(InputError, match="got 0 for 1 experts; make them with"):
        METHODS["regmean"]().check_experts(1)


def test_statistics_of_other_models(tmp_path):
    places = [
        write_statistics(tmp_path / x, "fisher", {"x": np.ones(3)}, expert=x)
        for x in "ab"
    ]
    fisher = build_method("fisher", {"statistics": places})
    fisher.check_digests(["a", "b"])
    with pytest.raises(InputError, match=r"/a: statistics of another model \(digest a"):
        fisher.check_digests(["b", "a"])
    fisher.check_names(["x", "y"])
    with pytest.raises(InputError, match="/a: statistics of tensor x, which the model"):
        fisher.check_names(["y"])
