"""RegMean."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo, build_method
from espnet_merge.methods.regmean import RegMean
from tests.statistics_of import gram, method_with, write_statistics

X = TensorInfo(name="x")
NORM = TensorInfo(name="x", role="norm")


def test_by_hand(tmp_path):
    # Diagonal inputs of energies 3 and 1, 1 and 1: columns are weighted 3 : 1, 1 : 1.
    grams = np.array([np.diag([3.0, 1.0]), np.diag([1.0, 1.0])])
    deltas = np.array([[[4.0, 2.0]], [[0.0, 4.0]]])
    mean = method_with(tmp_path, "regmean", grams, ridge=1e-9)
    np.testing.assert_allclose(mean(deltas, X), [[3.0, 3.0]], rtol=1e-8)
    # A ridge of the mean diagonal, (4 + 2) / 2 / 2, goes to the mean.
    mean = method_with(tmp_path, "regmean", grams, ridge=1.0)
    np.testing.assert_allclose(mean(deltas, X), [[2 + 2 / 3.5, 3.0]], rtol=1e-12)
    np.testing.assert_allclose(mean(deltas, NORM), [[2.0, 3.0]], rtol=1e-12)


@pytest.mark.parametrize("weights", [[1, 1, 1], [1, 2, 5]])
def test_it_is_the_least_squares_solution(tmp_path, weights):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, 40, 6)) * rng.uniform(0.5, 2, (3, 1, 6))
    deltas = rng.normal(size=(3, 4, 6))
    grams = inputs.transpose(0, 2, 1) @ inputs / 40
    params = {"off_diagonal": 1.0, "ridge": 1e-12, "weights": weights}
    merged = method_with(tmp_path, "regmean", grams, **params)(deltas, X)
    roots = np.sqrt(weights)[:, None, None]
    targets = inputs @ deltas.transpose(0, 2, 1)
    stacked, wanted = (np.concatenate(roots * part) for part in (inputs, targets))
    solution = np.linalg.lstsq(stacked, wanted)[0].T
    # The statistics are stored in float32.
    np.testing.assert_allclose(merged, solution, atol=1e-5)


def test_it_scales_what_is_off_the_diagonal(tmp_path):
    rng = np.random.default_rng(0)
    grams = np.float32([gram(5, rng) for _ in range(2)])
    deltas = rng.normal(size=(2, 3, 5))
    mask = 0.1 + 0.9 * np.eye(5)
    scaled = [mask * one for one in grams]
    solution = np.linalg.inv(sum(scaled)) @ sum(
        one @ delta.T for one, delta in zip(scaled, deltas, strict=True)
    )
    merged = method_with(tmp_path, "regmean", grams, ridge=1e-12)(deltas, X)
    np.testing.assert_allclose(merged, solution.T, atol=1e-6)


def test_layers_that_share_an_input_share_the_matrix(tmp_path):
    rng = np.random.default_rng(0)
    inputs = {"q": "q", "v": "q"}
    places = [
        write_statistics(tmp_path / f"{i}", "gram", {"q": gram(3, rng)}, inputs=inputs)
        for i in range(2)
    ]
    merged = build_method("regmean", {"statistics": places})
    deltas = rng.normal(size=(2, 2, 3))
    q, v = (merged(deltas, TensorInfo(name=name)) for name in "qv")
    np.testing.assert_array_equal(q, v)
    with pytest.raises(InputError, match="0: tensor k is missing; collect the"):
        merged(deltas, TensorInfo(name="k"))


@pytest.mark.parametrize(
    "params", [{"off_diagonal": 1.5}, {"ridge": 0.0}, {"weights": (0.0, 0.0)}]
)
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        RegMean(**params)
