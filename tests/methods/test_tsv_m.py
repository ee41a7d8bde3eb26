"""TSV-M, also by plain decompositions; the authors' numbers: ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.linalg.decompose import svd
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.tsv_m import TsvM
from tests.methods._arrays import assert_close, low, normal


def test_directions_that_are_half_a_right_angle_apart_give_way_alike():
    # Left vectors at 0° and 45° go to -22.5° and 67.5°, the nearest at right angles;
    # the right vectors are so already.
    one = np.array([[2.0, 0.0], [0.0, 0.0]])
    two = np.array([[0.0, 1.0], [0.0, 1.0]]) / 2**0.5
    cos, sin = np.cos(np.pi / 8), np.sin(np.pi / 8)
    expected = [[2 * cos, sin], [-2 * sin, cos]]
    for how in ("svd", "eigh"):
        assert_close(TsvM(orthogonalise=how)([one, two]), expected)


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
