"""Methods on the factors of adapters: what they give on the products, cheaper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.checkpoint.factored import Factored
from espnet_merge.errors import InputError
from espnet_merge.linalg.decompose import norm, svd
from espnet_merge.methods import TensorInfo, build_method
from espnet_merge.methods.core_space import CoreSpace
from espnet_merge.methods.knots import Knots
from espnet_merge.methods.ties import Ties
from espnet_merge.methods.wudi import Wudi

METHODS = [
    *(
        build_method(name, {"orthogonalise": how})
        for name in ("tsv_m", "boosted_tsv_m", "iso_c", "iso_cts")
        for how in ("svd", "newton_schulz")
    ),
    build_method("wudi", {}),
    build_method("knots", {}),
    build_method("lors", {"rank": 2}),
    build_method("lors", {"rank": 6}),
    build_method("lors", {"rank": 2, "compress": "svp"}),
    build_method("lors", {"compress": "mp"}),
]


ON_DEVICES = [method for method in METHODS if method.arrays == "torch"]


def adapters(rows, columns, ranks, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [
        Factored(
            rng.normal(size=(rows, rank)).astype(dtype),
            rng.normal(size=(rank, columns)).astype(dtype),
            0.5 + i,
        )
        for i, rank in enumerate(ranks)
    ]


def dense(x):
    return x.dense() if isinstance(x, Factored) else x


@pytest.mark.parametrize("method", METHODS, ids=repr)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(8, 40), st.integers(8, 40)),
    ranks=st.lists(st.integers(1, 6), min_size=1, max_size=4),
)
def test_factors_give_what_products_give(method, shape, ranks):
    deltas = adapters(*shape, ranks)
    merged = dense(method(deltas))
    expected = method([delta.dense() for delta in deltas])
    assert np.linalg.norm(merged - expected) <= 1e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["tsv_m", "boosted_tsv_m"])
@pytest.mark.parametrize("collinear", [1.0, 1e-1, 1e-3, 1e-6, 0.0])
@pytest.mark.parametrize("apart", [0.0, 1e-15, 1e-12, 1e-9, 1e-7])
def test_factors_are_exact_where_columns_or_tasks_nearly_coincide(
    name, collinear, apart
):
    first, second = adapters(64, 48, (4, 5))
    first.b[:, 1] = first.b[:, 0] + collinear * first.b[:, 1]
    noise = np.random.default_rng(2).normal(size=first.b.shape)
    twin = Factored(first.b + apart * noise, first.a, first.scale)
    deltas = [first, second, twin]
    method = build_method(name, {"orthogonalise": "svd"})
    expected = method([delta.dense() for delta in deltas])
    error = np.linalg.norm(method(deltas).dense() - expected)
    # Where the twin is about as far as a direction may be to count, so is its rounding.
    assert error <= (1e-6 if apart < 1e-7 else 1e-2) * np.linalg.norm(expected)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_an_adapter_that_lacks_a_tensor_and_a_whole_model_may_be_among_them(method):
    first, second = adapters(20, 30, (3, 4))
    zero, full = np.zeros((20, 30)), np.random.default_rng(1).normal(size=(20, 30))
    for deltas in ([first, zero, second], [zero, first], [full, first], [first, full]):
        merged = dense(method(deltas))
        expected = method([dense(delta) for delta in deltas])
        assert np.linalg.norm(merged - expected) <= 1e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["tsv_m", "iso_c", "iso_cts", "wudi", "knots"])
def test_the_result_keeps_factors_and_type(name):
    merged = build_method(name, {})(adapters(40, 30, (2, 3), dtype=np.float32))
    assert merged.b.shape[1] <= 5
    assert merged.b.dtype == merged.a.dtype == merged.dense().dtype == np.float32


@pytest.mark.parametrize(
    "method", [m for m in METHODS if m.arrays == "torch"], ids=repr
)
def test_torch_gives_what_numpy_gives(method):
    import torch

    def on_device(delta):
        b, a = torch.from_numpy(delta.b), torch.from_numpy(delta.a)
        return Factored(b, a, delta.scale)

    deltas = adapters(12, 20, (2, 3))
    for kind in (lambda delta: delta, dense):
        expected = dense(method([kind(delta) for delta in deltas]))
        merged = dense(method([kind(on_device(delta)) for delta in deltas]))
        np.testing.assert_allclose(merged.numpy(), expected, atol=1e-8)


@pytest.mark.parametrize("name", ["tsv_m", "boosted_tsv_m", "iso_c", "iso_cts"])
def test_a_site_decomposes_once_for_all_scales(name, monkeypatch):
    deltas, info = adapters(12, 20, (2, 3)), TensorInfo(shape=(12, 20))
    first = build_method(name, {})(deltas, info).dense()
    for module in ("_align", "iso_c", "iso_cts"):
        monkeypatch.setattr(f"espnet_merge.methods.{module}.svd", None)
    other = build_method(name, {"scale": 0.5})(deltas, info)
    np.testing.assert_allclose(other.dense(), first / 2, atol=1e-12)


def test_singular_values_and_norm_of_factors():
    (delta,) = adapters(30, 20, (4,))
    part, expected = svd(delta), np.linalg.svd(delta.dense(), compute_uv=False)
    np.testing.assert_allclose(part.s, expected[:4])
    np.testing.assert_allclose(part.dense(), delta.dense(), atol=1e-12)
    assert norm(delta) == pytest.approx(np.linalg.norm(delta.dense()))
    zero = Factored(np.zeros((30, 4)), delta.a, 1.0)
    assert (svd(zero).rank, norm(zero)) == (0, 0)


def test_knots_is_ties_in_the_joint_basis():
    deltas = [delta.dense() for delta in adapters(12, 20, (2, 3))]
    u, s, vt = np.linalg.svd(np.concatenate(deltas, axis=1), full_matrices=False)
    tasks = np.split(s[:5, None] * vt[:5], 2, axis=1)
    expected = u[:, :5] @ Ties(density=0.3)(tasks)
    merged = Knots(density=0.3, scale=2)(deltas)
    np.testing.assert_allclose(merged, 2 * expected, atol=1e-10)


def test_core_space_is_ties_on_core_matrices():
    deltas = adapters(12, 20, (2, 3))
    u = np.linalg.svd(np.concatenate([d.b for d in deltas], axis=1))[0][:, :5]
    vt = np.linalg.svd(np.concatenate([d.a for d in deltas], axis=0))[2][:5]
    cores = [u.T @ d.dense() @ vt.T for d in deltas]
    expected = u @ Ties(density=0.3)(cores) @ vt
    merged = CoreSpace(density=0.3)(deltas)
    np.testing.assert_allclose(merged.dense(), expected, atol=1e-10)


@pytest.mark.parametrize("kind", [Knots, CoreSpace])
def test_summing_every_entry_is_task_arithmetic(kind):
    # One sign everywhere: TIES has nothing to elect, and sums.
    one, two = adapters(12, 20, (3, 3))
    same = Factored(one.b, one.a, 2 * one.scale)
    method = kind(density=1.0, consensus="sum")
    np.testing.assert_allclose(method([one, same]).dense(), 3 * one.dense())
    # No loss: a task alone comes back.
    np.testing.assert_allclose(method([two]).dense(), two.dense(), atol=1e-12)


def test_wudi_minimises_its_loss():
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


def test_wudi_of_tasks_on_separate_inputs_is_their_sum():
    one, two = np.zeros((4, 6)), np.zeros((4, 6))
    one[:, :3], two[:, 3:] = np.arange(12).reshape(4, 3), 1 + np.eye(4, 3)
    for ridge in (0.0, 0.01, 1.0):
        merged = Wudi(ridge=ridge)([one, two])
        np.testing.assert_allclose(merged, one + two, atol=1e-10)


def test_identical_experts_are_one_without_ridge():
    tau = np.random.default_rng(0).normal(size=(5, 7))
    np.testing.assert_allclose(Wudi(ridge=0)([tau, tau, tau]), tau)


@pytest.mark.parametrize("kind", [Wudi, Knots, CoreSpace])
def test_other_tensors_take_the_mean(kind):
    deltas = [np.ones(4), np.arange(4.0)]
    np.testing.assert_allclose(kind(scale=2)(deltas), deltas[0] + deltas[1])
    table = TensorInfo(name="model.decoder.embed_tokens.weight", role="embedding")
    matrices = [x.reshape(2, 2) for x in deltas]
    np.testing.assert_allclose(kind(scale=2)(matrices, table), sum(matrices))


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (Wudi, {"ridge": -1.0}),
        (Wudi, {"scale": np.inf}),
        (Knots, {"density": 0.0}),
        (CoreSpace, {"density": 2.0}),
    ],
)
def test_rejects(kind, params):
    with pytest.raises(InputError, match=next(iter(params))):
        kind(**params)
