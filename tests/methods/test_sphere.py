"""The methods that average directions: slerp, karcher, multi_slerp, model_stock."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods._sphere import gram
from espnet_merge.methods.karcher import Karcher
from espnet_merge.methods.model_stock import ModelStock
from espnet_merge.methods.multi_slerp import MultiSlerp
from espnet_merge.methods.slerp import Slerp

ANGLE = np.pi / 3
ARC = np.array([[1.0, 0.0], [np.cos(ANGLE), np.sin(ANGLE)]])


def on_arc(angle, length=1.0):
    return pytest.approx([length * np.cos(angle), length * np.sin(angle)])


def test_gram_matrix_is_exact_over_pieces():
    x = np.ones((2, 105), np.float32)
    x[1, -1] = 3
    stream = [(TensorInfo(), list(x[:, :100])), (TensorInfo(), list(x[:, 100:]))]
    assert gram(stream).tolist() == [[105, 107], [107, 113]]


def test_slerp_goes_along_the_arc():
    for t in (0.0, 0.25, 1.0):
        assert Slerp(t=t)(ARC).tolist() == on_arc(t * ANGLE)
    # Lengths are left in: sin(pi/4) / sin(pi/2) of each.
    merged = Slerp(t=0.5)(np.diag([2.0, 4.0]))
    assert merged.tolist() == pytest.approx([2**0.5, 2 * 2**0.5])


def test_slerp_is_a_line_where_experts_are_collinear():
    for other in ([2.0, 2.0], [-1.0, -1.0], [0.0, 0.0]):
        merged = Slerp(t=0.25)([np.ones(2), np.array(other)])
        assert merged.tolist() == [0.75 + 0.25 * x for x in other]


def test_karcher_mean_halves_an_arc_and_makes_all_logarithms_cancel():
    assert Karcher()(ARC).tolist() == on_arc(ANGLE / 2)
    assert Karcher()(3 * ARC[::-1]).tolist() == on_arc(ANGLE / 2, 3)
    x = np.random.default_rng(0).normal(size=(5, 20)) + 1
    mean = Karcher(max_iter=100, tol=1e-12)(x)
    mean /= np.linalg.norm(mean)
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = units @ mean
    logarithms = (np.arccos(cosines) / np.sqrt(1 - cosines**2))[:, None] * (
        units - cosines[:, None] * mean
    )
    np.testing.assert_allclose(logarithms.sum(axis=0), 0, atol=1e-10)


def test_karcher_mean_where_directions_cancel_or_are_missing():
    assert Karcher()(np.array([[0.0, 2.0], [0.0, -4.0]])).tolist() == [0.0, 3.0]
    assert Karcher()(np.array([[0.0, 2.0], [0.0, 0.0]])).tolist() == [0.0, 1.0]


def test_small_angles_survive_float32():
    base = np.ones(1000, np.float32)
    tilted = base.copy()
    tilted[0] += np.float32(1e-3)
    for method in (Karcher(), MultiSlerp()):
        assert method([base, tilted])[0] == pytest.approx(1.0005, abs=1e-6)


def test_multi_slerp_is_the_mean_of_directions_times_that_of_lengths():
    x = np.array([[2.0, 0.0], [0.0, 6.0]])
    # Direction (3, 1) / sqrt(10), length 0.75 * 2 + 0.25 * 6 = 3.
    expected = pytest.approx([9 / 10**0.5, 3 / 10**0.5])
    assert MultiSlerp(weights=(3, 1))(x).tolist() == expected
    base = np.array([5.0, -5.0])
    moved = MultiSlerp(weights=(3, 1), on="deltas")(x + base, TensorInfo(base=base))
    assert (moved - base).tolist() == expected


def test_the_tangent_step_of_multi_slerp_moves_nothing():
    x = np.random.default_rng(1).normal(size=(4, 9))
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    units = x / np.linalg.norm(x, axis=1, keepdims=True)
    mean = weights @ units / np.linalg.norm(weights @ units)
    tangents = units - (units @ mean)[:, None] * mean
    np.testing.assert_allclose(weights @ tangents, 0, atol=1e-15)
    merged = MultiSlerp(weights=tuple(weights))(x)
    np.testing.assert_allclose(merged, mean * (weights @ np.linalg.norm(x, axis=1)))


def test_directions_that_cancel_give_zero():
    assert MultiSlerp()(np.array([[1.0, 0.0], [-1.0, 0.0]])).tolist() == [0.0, 0.0]


def test_model_stock_moves_as_far_as_the_angle_tells():
    # cos 60° = 1/2, t = 2 * 0.5 / 1.5 = 2/3, of the mean (0.75, sqrt(3)/4).
    expected = pytest.approx([0.5, 3**0.5 / 6])
    assert ModelStock()(ARC).tolist() == expected
    twice = np.stack([ARC, 2 * ARC], axis=1)
    merged = ModelStock(filter_wise=True)(twice)
    assert merged[0].tolist() == expected
    assert merged[1].tolist() == pytest.approx([1.0, 3**0.5 / 3])


def test_model_stock_clamps_and_says_so(caplog):
    apart = np.array([[1.0, 0.0], [-0.5, 3**0.5 / 2]])
    assert not ModelStock()(apart, TensorInfo(name="fc1")).any()
    assert "fc1: t clamped to 0 in 1 of 1 rows" in caplog.text
    # t = 2 * -0.5 / 0.5 = -2, of the mean (0.25, sqrt(3)/4).
    merged = ModelStock(clamp=False)(apart)
    assert merged.tolist() == pytest.approx([-0.5, -(3**0.5) / 2])


def test_the_floor_pulls_short_task_vectors_to_the_base():
    short = np.full((2, 1), 1e-4)
    # cos = 1e-8 / 1e-6, t = 0.02 / 1.01.
    assert ModelStock()(short)[0] == pytest.approx(1e-4 * 0.02 / 1.01)
    assert ModelStock(floor=0)(short)[0] == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (Slerp, {"t": 1.5}),
        (Karcher, {"max_iter": -1}),
        (Karcher, {"tol": 0.0}),
        (MultiSlerp, {"weights": (1.0, -1.0)}),
        (MultiSlerp, {"weights": (np.inf,)}),
        (ModelStock, {"floor": -1.0}),
    ],
)
def test_rejects(kind, params):
    with pytest.raises(InputError, match=next(iter(params))):
        kind(**params)


def test_counts_of_experts():
    with pytest.raises(InputError, match="at most 2, got 3"):
        Slerp().check_experts(3)
    for method in (Slerp(), ModelStock()):
        with pytest.raises(InputError, match="at least 2, got 1"):
            method.check_experts(1)
