"""SVC after other methods; the numbers of its authors' code are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo, build_method
from espnet_merge.methods.svc import Svc
from espnet_merge.methods.task_arithmetic import TaskArithmetic
from tests.methods._arrays import adapters, assert_close, dense, normal
from tests.methods._calibrated import calibrated

SUM = {"scale": 1.0, "calibrate": "svc"}


def diagonal(*values):
    return np.diag(np.array(values, float))


def test_by_hand():
    # The sum has 4 + 2 = 6 in the first direction, of which the experts see 6 / 4 and
    # 6 / 2, mean 2.25; the others have one expert each: n / (1 + alpha).
    tau = [diagonal(4, 1, 0), diagonal(2, 0, 3)]
    merged = build_method("task_arithmetic", SUM)(tau)
    assert_close(merged, diagonal(6 / 2.25, 2 / 1.1, 3 * 2 / 1.1))
    merged = build_method("task_arithmetic", SUM | {"svc_alpha": 1.0})(tau)
    assert_close(merged, diagonal(6 / 2.25, 1, 3))


@pytest.mark.parametrize("scale", [0.3, 1.0, 7.0])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_identical_experts_are_one_at_any_scale(scale, count):
    tau = normal(9, 6)
    merged = build_method("task_arithmetic", SUM | {"scale": scale})([tau] * count)
    np.testing.assert_allclose(merged, tau, atol=1e-12)


def test_disjoint_experts_all_grow_by_the_same_factor():
    tau = np.zeros((2, 8, 6))
    tau[0, :4, :3], tau[1, 4:, 3:] = normal(4, 3), normal(4, 3, seed=1)
    merged = build_method("task_arithmetic", SUM)(tau)
    assert_close(merged, 2 / 1.1 * tau.sum(0))


@pytest.mark.parametrize("shape", [(12, 7), (7, 12), (9, 9)])
@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("task_arithmetic", {"scale": 0.7, "weights": (1.0, 0.5, 2.0)}),
        ("ties", {"density": 0.4}),
        ("tsv_m", {}),
        ("dare", {"density": 0.5}),
        ("karcher", {}),
    ],
)
def test_it_is_the_formula_after_any_method(name, params, shape, alpha):
    tau = normal(3, *shape)
    params |= {"calibrate": "svc", "svc_alpha": alpha}
    method = build_method(name, params)
    base = normal(*shape, seed=9) * (method.space == "weights")
    info = TensorInfo(base=base, shape=shape)
    plain = method.plain(tau + base, info) - base * (method.space == "weights")
    merged = method(tau + base, info) - base * (method.space == "weights")
    assert_close(merged, calibrated(plain, tau, alpha))


def test_the_formula_on_factors():
    deltas = adapters(20, 15, (2, 3, 1))
    method = build_method("tsv_m", {"calibrate": "svc"})
    expected = calibrated(method.plain(deltas).dense(), [dense(x) for x in deltas], 0.1)
    merged = method(deltas)
    assert merged.b.shape[1] <= 6
    assert_close(merged.dense(), expected)


def test_rounding_is_no_response():
    """Experts that share no direction stay so when they are stored in float32."""
    base = normal(40, 30).astype(np.float32)
    deltas = [dense(x) for x in adapters(40, 30, (2, 2))]
    u, _, v = np.linalg.svd(deltas[0])
    deltas[1] = deltas[1] - u[:, :2] @ u[:, :2].T @ deltas[1]
    deltas[1] = deltas[1] - deltas[1] @ v[:2].T @ v[:2]
    stored = [((base + x).astype(np.float32) - base).astype(float) for x in deltas]
    info = TensorInfo(base=base, shape=base.shape, stored=("F32", "F32"))
    merged = build_method("task_arithmetic", SUM)(stored, info)
    np.testing.assert_allclose(merged, 2 / 1.1 * sum(deltas), atol=1e-3)


def test_other_tensors_stay_as_they_were_merged():
    tau, method = normal(2, 4, 3), build_method("task_arithmetic", SUM)
    for role in ("embedding", "conv", "norm"):
        merged = method(tau, TensorInfo(role=role, shape=(4, 3)))
        np.testing.assert_array_equal(merged, tau.sum(0))


def test_patterns_choose_where_it_is_done():
    params = {"calibrate": {"encoder": "svc", "default": "none"}, "scale": 1.0}
    method = build_method("task_arithmetic", params)
    assert method.kind is TaskArithmetic
    assert method.at("encoder.fc1") == Svc(method=TaskArithmetic(scale=1.0))
    assert method.at("decoder.fc1") == TaskArithmetic(scale=1.0)
    only = {"calibrate": {"encoder": "svc"}, "svc_alpha": 0.3}
    method = build_method("task_arithmetic", only)
    assert method.at("encoder.fc1").alpha == 0.3
    assert method.at("decoder.fc1") == TaskArithmetic()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"calibrate": "svd"}, "calibrate must be one of none, svc, got 'svd'"),
        ({"calibrate": "svc", "svc_alpha": 0}, r"svc_alpha must lie in \(0, 1\]"),
        ({"svc_alpha": 0.3}, "svc_alpha is of calibrate=svc"),
    ],
)
def test_rejects(params, message):
    with pytest.raises(InputError, match=message):
        build_method("task_arithmetic", params)
