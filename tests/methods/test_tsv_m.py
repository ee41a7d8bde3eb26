from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.linalg.decompose import polar, svd
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.boosted_tsv_m import BoostedTsvM
from espnet_merge.methods.tsv_m import TsvM

assert_close = partial(np.testing.assert_allclose, rtol=1e-7, atol=1e-7)
HOW = ["svd", "eigh", "newton_schulz"]


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def low(rows, columns, rank, seed=0):
    return normal(rows, rank, seed=seed) @ normal(rank, columns, seed=seed + 50)


def kinds(rows, columns):
    """Return the stacks on which the published rule is not a function."""
    full, other = normal(rows, columns), normal(rows, columns, seed=1)
    shared = normal(3, columns, seed=3)
    return {
        "generic": [full, other, normal(rows, columns, seed=2)],
        "duplicates": [full, full],
        "two of three equal": [full, full, other],
        "rescaled": [full, 2 * full],
        "opposite": [full, -full, other],
        "one zero": [full, np.zeros_like(full), other],
        "adapters": [low(rows, columns, r, seed=r) for r in (2, 3, 3)],
        "equal adapters": [low(rows, columns, 3)] * 2,
        "one row space": [normal(rows, 3) @ shared, normal(rows, 3, seed=4) @ shared],
        "adapter and full": [low(rows, columns, 3), full],
        "adapter and zero": [low(rows, columns, 3), np.zeros_like(full)],
    }


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("shape", [(24, 24), (64, 16), (16, 64)], ids=str)
@pytest.mark.parametrize("kind", kinds(2, 2))
def test_a_small_change_of_the_input_moves_the_result_little(kind, shape, how):
    deltas = kinds(*shape)[kind]
    method = TsvM(orthogonalise=how)
    merged = method(deltas)
    largest = max(np.linalg.norm(delta) for delta in deltas)
    for seed in range(3):
        noise = [normal(*shape, seed=100 + 10 * seed + i) for i in range(len(deltas))]
        moved = method(
            [
                delta + 1e-9 * largest * x / np.linalg.norm(x)
                for delta, x in zip(deltas, noise, strict=True)
            ]
        )
        assert np.linalg.norm(moved - merged) < 1e-5 * np.linalg.norm(merged)


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


def test_duplicates_give_the_truncated_task_vector():
    tau = normal(12, 12)
    expected = svd(tau).cut(6).dense()
    for how in ("svd", "eigh"):
        assert_close(TsvM(orthogonalise=how)([tau, tau]), expected)


def spread(rows, columns, jump, seed):
    """Return a task vector whose singular values repeat, but for a jump in the middle.

    Args:
        rows: At least as many as columns.
        columns: Of which a third lies before the jump.
        jump: Ratio of the values beside it.
        seed: Of the directions.
    """
    u = np.linalg.qr(normal(rows, columns, seed=seed))[0]
    v = np.linalg.qr(normal(columns, columns, seed=seed + 50))[0]
    level = np.where(np.arange(columns) < columns // 3, 1, 1 / jump)
    return (u * np.round(level * (1 + seed % 3), 3)) @ v.T


@pytest.mark.parametrize("shape", [(72, 72), (150, 90)], ids=str)
@pytest.mark.parametrize("jump", [1.1, 10, None], ids=str)
def test_float32_gives_what_the_formula_gives_in_float64(shape, jump):
    """The formula by LAPACK's plain decompositions, also where values repeat."""
    each = shape[1] // 3
    if jump:
        tasks = [spread(*shape, jump, seed) for seed in range(3)]
    else:
        tasks = [normal(*shape, seed=seed) for seed in range(3)]
    tasks = [np.float32(task) for task in tasks]
    parts = [np.linalg.svd(np.float64(task), full_matrices=False) for task in tasks]
    left, right = [
        np.linalg.svd(np.hstack(side), full_matrices=False)
        for side in (
            [u[:, :each] for u, _, _ in parts],
            [v[:each].T for _, _, v in parts],
        )
    ]
    s = np.concatenate([s[:each] for _, s, _ in parts])
    expected = (left[0] @ left[2] * s) @ (right[0] @ right[2]).T
    error = np.linalg.norm(TsvM()(tasks) - expected)
    assert error < 1e-6 * np.linalg.norm(expected)


def test_rank_freed_by_an_adapter_goes_to_the_others():
    adapter, full = low(12, 12, 1), normal(12, 12)
    shared = TsvM()([adapter, full, np.zeros((12, 12))])
    assert len(svd(shared).s) == 12  # 1 + 11, where 12 // 3 would keep 1 + 4


def test_only_linear_weights_are_decomposed_unless_asked():
    deltas = [normal(6, 6), normal(6, 6, seed=1)]
    mean = np.mean(deltas, axis=0)
    table = TensorInfo(name="model.decoder.embed_tokens.weight", role="embedding")
    projection = TensorInfo(name="text_projection.weight", role="other")
    assert_close(TsvM()(deltas, table), mean)
    everywhere = TsvM(spectral="all_2d")
    assert_close(everywhere(deltas, table), TsvM()(deltas))
    assert_close(everywhere(deltas, projection), mean)
    vectors = [normal(6), normal(6, seed=1)]
    assert_close(TsvM(scale=2)(vectors), vectors[0] + vectors[1])


@pytest.mark.parametrize("kind", kinds(2, 2))
@pytest.mark.parametrize("method", [TsvM, BoostedTsvM])
def test_rows_in_pieces_give_what_the_whole_gives(kind, method, monkeypatch):
    monkeypatch.setattr("espnet_merge.methods._align.LARGE", 999)
    deltas = kinds(100, 12)[kind]
    method = method(spectral="all_2d", scale=0.7)
    info = TensorInfo(name="embed_tokens.weight", role="embedding", shape=(100, 12))
    assert method.scope == "tensor"
    assert not method.is_matrix(info)
    chunks = [
        (
            replace(info, start=12 * start),
            [delta[start : start + 30].ravel() for delta in deltas],
        )
        for start in range(0, 100, 30)
    ]
    elementwise = method.statistics_pass(chunks)
    merged = np.concatenate([elementwise(tensors, at) for at, tensors in chunks])
    assert_close(merged.reshape(100, 12), method(deltas, info))


def test_small_tensors_are_averaged_as_they_come():
    bias = TensorInfo(name="k_proj.bias", role="bias", shape=(6,))
    taus = [normal(6), normal(6, seed=1)]
    elementwise = TsvM(spectral="all_2d").statistics_pass([(bias, taus)])
    assert_close(elementwise(taus, bias), np.mean(taus, axis=0))


def test_rank_fraction_overrides_the_share():
    deltas = [normal(10, 10), normal(10, 10, seed=1)]
    assert len(svd(TsvM(rank_fraction=0.2)(deltas)).s) == 4
    assert len(svd(TsvM()(deltas)).s) == 10


@pytest.mark.parametrize(
    "params", [{"scale": np.nan}, {"rank_fraction": 0.0}, {"rank_fraction": 1.5}]
)
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        TsvM(**params)
