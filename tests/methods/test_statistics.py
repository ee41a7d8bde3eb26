"""Fisher and RegMean: worked values, oracles, and statistics that do not fit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.checkpoint.statistics import open_statistics
from espnet_merge.errors import InputError
from espnet_merge.methods import METHODS, TensorInfo, build_method
from tests.methods._laws import delta_of
from tests.statistics_of import gram, write_statistics

X = TensorInfo(name="x")
NORM = TensorInfo(name="x", role="norm")


def method(root, name, tensors, **params):
    """Build a method with ``tensors[i]`` as statistics of ``x`` of expert ``i``."""
    kind = METHODS[name].statistics_kind
    places = [
        write_statistics(root / f"{name}-{i}", kind, {"x": tensor})
        for i, tensor in enumerate(tensors)
    ]
    return build_method(name, {"statistics": places, **params})


def test_fisher_by_hand(tmp_path):
    deltas = np.array([[4.0, 1.0, 0.0], [0.0, 5.0, 2.0]])
    fishers = np.array([[3.0, 0.0, 4.0], [1.0, 0.0, 0.0]])
    plain = method(tmp_path, "fisher", fishers, normalize=False, floor=0.03)
    # The floors are 0.03 of 7/3 and of 1/3: entry 1 and 2 are divided 7 : 1, 400 : 1.
    expected = [3.0, (7 * 1 + 1 * 5) / 8, 2 * 0.01 / 4.01]
    np.testing.assert_allclose(plain(deltas, X), expected, rtol=1e-6)
    # Norms are 5 and 1.
    normal = method(tmp_path, "fisher", fishers, floor=0.03)
    expected = [4 * 0.6 / 1.6, (1 * 0.014 + 5 * 0.01) / 0.024, 2 * 0.01 / 0.81]
    np.testing.assert_allclose(normal(deltas, X), expected, rtol=1e-6)
    weighted = method(tmp_path, "fisher", fishers, floor=0.03, weights=[1, 0])
    np.testing.assert_allclose(weighted(deltas, X), deltas[0], rtol=1e-6)


def test_a_piece_of_fisher_is_that_of_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    deltas, fishers = rng.normal(size=(3, 4, 5)), rng.random((3, 4, 5))
    fisher = method(tmp_path, "fisher", fishers)
    whole = fisher(deltas, X).ravel()
    flat = deltas.reshape(3, -1)
    for start in (0, 5, 15):
        chunk = fisher(flat[:, start : start + 5], TensorInfo(name="x", start=start))
        np.testing.assert_array_equal(chunk, whole[start : start + 5])


def test_regmean_by_hand(tmp_path):
    # Diagonal inputs of energies 3 and 1, 1 and 1: columns are weighted 3 : 1, 1 : 1.
    grams = np.array([np.diag([3.0, 1.0]), np.diag([1.0, 1.0])])
    deltas = np.array([[[4.0, 2.0]], [[0.0, 4.0]]])
    mean = method(tmp_path, "regmean", grams, ridge=1e-9)
    np.testing.assert_allclose(mean(deltas, X), [[3.0, 3.0]], rtol=1e-8)
    # A ridge of the mean diagonal, (4 + 2) / 2 / 2, goes to the mean.
    mean = method(tmp_path, "regmean", grams, ridge=1.0)
    np.testing.assert_allclose(mean(deltas, X), [[2 + 2 / 3.5, 3.0]], rtol=1e-12)
    np.testing.assert_allclose(mean(deltas, NORM), [[2.0, 3.0]], rtol=1e-12)


@pytest.mark.parametrize("weights", [[1, 1, 1], [1, 2, 5]])
def test_regmean_is_the_least_squares_solution(tmp_path, weights):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, 40, 6)) * rng.uniform(0.5, 2, (3, 1, 6))
    deltas = rng.normal(size=(3, 4, 6))
    grams = inputs.transpose(0, 2, 1) @ inputs / 40
    params = {"off_diagonal": 1.0, "ridge": 1e-12, "weights": weights}
    merged = method(tmp_path, "regmean", grams, **params)(deltas, X)
    roots = np.sqrt(weights)[:, None, None]
    targets = inputs @ deltas.transpose(0, 2, 1)
    stacked, wanted = (np.concatenate(roots * part) for part in (inputs, targets))
    solution = np.linalg.lstsq(stacked, wanted)[0].T
    # The statistics are stored in float32.
    np.testing.assert_allclose(merged, solution, atol=1e-5)


def test_regmean_scales_what_is_off_the_diagonal(tmp_path):
    rng = np.random.default_rng(0)
    grams = np.float32([gram(5, rng) for _ in range(2)])
    deltas = rng.normal(size=(2, 3, 5))
    mask = 0.9 + 0.1 * np.eye(5)
    scaled = [mask * one for one in grams]
    solution = np.linalg.inv(sum(scaled)) @ sum(
        one @ delta.T for one, delta in zip(scaled, deltas, strict=True)
    )
    merged = method(tmp_path, "regmean", grams, ridge=1e-12)(deltas, X)
    np.testing.assert_allclose(merged, solution.T, atol=1e-6)
    assert METHODS["regmean"]().off_diagonal == 0.9


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


@pytest.mark.parametrize("name", ["fisher", "regmean"])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), power=st.integers(-6, 6), count=st.integers(1, 4))
def test_scale_does_not_matter_and_equal_statistics_are_the_soup(
    tmp_path_factory, name, seed, power, count
):
    root, rng = tmp_path_factory.mktemp("s"), np.random.default_rng(seed)
    deltas = rng.normal(size=(count, 4, 4))
    tensors = np.array([gram(4, rng) ** 2 for _ in range(count)])
    one = method(root / "one", name, tensors)(deltas, X)
    other = method(root / "other", name, tensors * 10.0**power)(deltas, X)
    np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-4)
    equal = method(root / "equal", name, [tensors[0]] * count)(deltas, X)
    np.testing.assert_allclose(equal, delta_of(METHODS["soup"](), deltas), atol=1e-12)


@pytest.mark.parametrize("name", ["fisher", "regmean"])
def test_inputs_that_were_never_seen_give_the_mean(tmp_path, name):
    deltas = np.random.default_rng(0).normal(size=(2, 3, 3))
    seen = np.diag([1.0, 1.0, 0.0])
    if name == "fisher":
        seen = np.array([[1.0, 1.0, 0.0]] * 3)
    merged = method(tmp_path, name, [seen, 3 * seen])(deltas, X)
    np.testing.assert_allclose(merged[:, 2], deltas.mean(0)[:, 2], rtol=1e-6)
    assert np.isfinite(merged).all()


def test_one_directory_an_expert(tmp_path):
    fisher = method(tmp_path, "fisher", np.ones((2, 3)))
    fisher.check_experts(2)
    with pytest.raises(InputError, match=r"one directory an expert .* got 2 for 3 exp"):
        fisher.check_experts(3)
    with pytest.raises(InputError, match="got 0 for 1 experts; make them with"):
        METHODS["regmean"]().check_experts(1)


def test_files_that_are_no_statistics(tmp_path):
    path = tmp_path / "s"
    with pytest.raises(InputError, match=r"statistics are a directory with stat.*gram"):
        open_statistics(path, "gram")
    write_statistics(path, "fisher", {"x": np.ones(3)})
    with pytest.raises(InputError, match="kind gram are needed, got fisher"):
        open_statistics(path, "gram")
    file = path / "statistics.safetensors"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(InputError, match="truncated"):
        open_statistics(path, "fisher")


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
