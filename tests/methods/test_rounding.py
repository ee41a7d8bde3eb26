"""Spectral methods make of experts in 16 bits what they make of them in float32."""

from dataclasses import replace

import numpy as np
import pytest

from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.decompose import svd
from espnet_merge.methods import TensorInfo, build_method
from tests.linalg.test_rounding import rounded

SIDE, RANK, EXPERTS = 96, 4, 3
# Length of the rounding errors over that of the task vectors, roughly.
RATIOS = {"F16": 0.02, "BF16": 0.19}
METHODS = [
    ("tsv_m", {}),
    ("boosted_tsv_m", {}),
    ("iso_c", {}),
    ("iso_cts", {}),
    ("wudi", {}),
    ("lors", {"rank": RANK}),
]
IN_A_BASIS = [("knots", {}), ("core_space", {})]


@pytest.fixture(scope="module")
def folded():
    """Return a base and experts of low rank, folded into it."""
    rng = np.random.default_rng(0)
    base = rng.normal(0, 0.02, (SIDE, SIDE)).astype("f4").astype("f8")
    factors = rng.normal(size=(EXPERTS, 2, SIDE, RANK))
    return base, [base + 1e-4 * b @ a.T for b, a in factors]


def task_vectors(folded, dtype):
    """Return the task vectors of stored experts, and what is known of them."""
    base, experts = folded
    deltas = [(rounded(x, dtype) - base).astype("f4") for x in experts]
    base = base.astype("f4")
    stored = (dtype,) * EXPERTS
    return deltas, TensorInfo(base=base, shape=base.shape, stored=stored, cache=None)


@pytest.mark.parametrize("dtype", RATIOS)
def test_rounding_is_as_large_as_stated(folded, dtype):
    base, experts = folded
    for expert in experts:
        ratio = np.linalg.norm(rounded(expert, dtype) - expert)
        ratio /= np.linalg.norm(expert - base)
        assert ratio == pytest.approx(RATIOS[dtype], rel=0.3)


@pytest.mark.parametrize("dtype", RATIOS)
@pytest.mark.parametrize(("name", "params"), METHODS)
def test_the_merged_delta_is_that_of_float32(folded, name, params, dtype):
    method = build_method(name, params)
    expected = method(*task_vectors(folded, "F32"))
    deltas, info = task_vectors(folded, dtype)

    def change(info):
        difference = np.linalg.norm(method(deltas, info) - expected)
        return difference / np.linalg.norm(expected)

    # Rounding is spread over all directions, the task vectors have few of them.
    assert change(info) < 0.75 * RATIOS[dtype]
    assert change(replace(info, stored=())) > 0.8 * RATIOS[dtype]


@pytest.mark.parametrize("dtype", RATIOS)
@pytest.mark.parametrize(("name", "params"), METHODS + IN_A_BASIS)
def test_no_direction_of_rounding_is_in_the_result(folded, name, params, dtype):
    method, (deltas, info) = build_method(name, params), task_vectors(folded, dtype)
    assert len(svd(method(deltas, info)).s) <= EXPERTS * RANK
    assert len(svd(method(deltas, replace(info, stored=()))).s) > EXPERTS * RANK


def test_an_embedding_in_chunks_of_rows_is_merged_as_the_whole(folded, monkeypatch):
    method = build_method("tsv_m", {"spectral": "all_2d"})
    deltas, info = task_vectors(folded, "F16")
    tall, base = [x[:, :24] for x in deltas], info.base[:, :24]
    info = replace(info, base=base, shape=base.shape)
    whole = method(tall, info)
    assert len(svd(whole).s) == EXPERTS * RANK
    monkeypatch.setattr("espnet_merge.methods._align.LARGE", 1000)
    chunks = [
        (
            replace(info, start=24 * start, base=base[start : start + 30].ravel()),
            [x[start : start + 30].ravel() for x in tall],
        )
        for start in range(0, SIDE, 30)
    ]
    elementwise = method.statistics_pass(chunks)
    merged = np.concatenate([elementwise(tensors, at) for at, tensors in chunks])
    difference = np.linalg.norm(merged.reshape(whole.shape) - whole)
    assert difference < 1e-5 * np.linalg.norm(whole)


@pytest.mark.parametrize(("name", "params"), METHODS)
def test_factors_are_not_rounded(folded, name, params):
    base, experts = folded
    parts = [svd(expert - base) for expert in experts]
    factors = [Factored(part.u * part.s, part.v.T, 1.0) for part in parts]
    info = TensorInfo(base=base, shape=base.shape, stored=(None,) * EXPERTS)
    method = build_method(name, params)
    merged = method(factors, info)
    merged = merged.dense() if isinstance(merged, Factored) else merged
    expected = method([expert - base for expert in experts], info)
    assert np.linalg.norm(merged - expected) < 1e-6 * np.linalg.norm(expected)
