"""Methods on the factors of adapters: what they give on the products, cheaper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.checkpoint.factored import Factored
from espnet_merge.methods import TensorInfo, build_method
from tests.methods._arrays import adapters, dense

METHODS = [
    *(
        build_method(name, {"orthogonalise": how})
        for name in ("tsv_m", "boosted_tsv_m", "iso_c", "iso_cts")
        for how in ("svd", "newton_schulz")
    ),
    build_method("wudi", {}),
    build_method("covariance", {}),
    build_method("tsv_m", {"calibrate": "svc"}),
    build_method("knots", {}),
    build_method("lors", {"rank": 2}),
    build_method("lors", {"rank": 6}),
    build_method("lors", {"rank": 2, "compress": "svp"}),
    build_method("lors", {"compress": "mp"}),
]
ON_DEVICES = [method for method in METHODS if method.arrays == "torch"]


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


@pytest.mark.parametrize("method", ON_DEVICES, ids=repr)
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
def test_a_tensor_is_decomposed_once_for_all_scales(name, monkeypatch):
    deltas, info = adapters(12, 20, (2, 3)), TensorInfo(shape=(12, 20))
    first = build_method(name, {})(deltas, info).dense()
    for module in ("_align", "iso_c", "iso_cts"):
        monkeypatch.setattr(f"espnet_merge.methods.{module}.svd", None)
    other = build_method(name, {"scale": 0.5})(deltas, info)
    np.testing.assert_allclose(other.dense(), first / 2, atol=1e-12)
