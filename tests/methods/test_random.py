"""The methods that drop entries at random: dare and della."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods._random import random_bits
from espnet_merge.methods.dare import Dare
from espnet_merge.methods.della import Della

TAU = np.random.default_rng(0).normal(size=(2, 50, 40))


def test_random_numbers_depend_on_seed_expert_tensor_and_entry_only():
    info = TensorInfo(name="a")
    whole = random_bits(1, info, 0, 1003)
    for start in (0, 1, 7, 8, 500):
        rest = random_bits(1, TensorInfo(name="a", start=start), 0, 1003 - start)
        np.testing.assert_array_equal(rest, whole[start:])
    others = [(2, info, 0), (1, TensorInfo(name="b"), 0), (1, info, 1)]
    for other in others:
        assert (random_bits(*other, 1003) != whole).mean() > 0.99
    assert abs(whole.mean() / 2**32 - 0.5) < 0.03
    assert whole.dtype == np.uint32


def test_pieces_join_into_the_whole():
    whole = Dare(density=0.3)(TAU, TensorInfo(name="a"))
    flat = TAU.reshape(2, -1)
    chunks = [
        Dare(density=0.3)(flat[:, i : i + 512], TensorInfo(name="a", start=i))
        for i in range(0, flat.shape[1], 512)
    ]
    np.testing.assert_array_equal(np.concatenate(chunks), whole.ravel())


def test_dare_keeps_a_share_and_rescales_it():
    merged = Dare(density=0.25, scale=0.5, weights=(3, 1))([TAU[0], 0 * TAU[0]])
    kept = merged != 0
    assert 0.21 < kept.mean() < 0.29
    np.testing.assert_allclose(merged[kept], 6 * TAU[0][kept])


def test_mean_over_seeds_is_task_arithmetic():
    runs = [Dare(density=0.5, seed=seed)(TAU) for seed in range(400)]
    # The deviation of one entry is |tau| at density 1/2, of a mean of 400 a twentieth.
    z = (np.mean(runs, axis=0) - TAU.sum(axis=0)) / (np.linalg.norm(TAU, axis=0) / 20)
    assert np.sqrt((z**2).mean()) == pytest.approx(1, abs=0.05)


def test_della_keeps_large_entries_more_often_and_is_unbiased():
    tau = np.arange(1.0, 11.0)[None].repeat(2000, axis=0)
    dropped = Della(density=0.5, epsilon=0.8)([tau])
    share = (dropped != 0).mean(axis=0)
    # Ranks 0 ... 9 of 10 are kept with 0.14, 0.22 ... 0.86.
    np.testing.assert_allclose(share, np.linspace(0.14, 0.86, 10), atol=0.04)
    np.testing.assert_allclose(dropped.mean(axis=0), tau[0], rtol=0.15)
    kept = dropped[:, 9] != 0
    np.testing.assert_allclose(dropped[kept, 9], 10 / 0.86)


def test_della_elects_a_sign():
    tau = np.array([[3.0, 1.0], [1.0, -2.0], [-1.0, -4.0]])
    everything = {"density": 1.0, "epsilon": 0.0}
    assert Della(**everything)(tau).tolist() == [2.0, -3.0]
    summed = Della(**everything, consensus="sum", scale=0.5)(tau)
    assert summed.tolist() == [2.0, -3.0]


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (Dare, {"density": 0.0}),
        (Dare, {"scale": np.nan}),
        (Dare, {"weights": (np.inf,)}),
        (Della, {"density": 1.5}),
        (Della, {"epsilon": 0.3, "density": 0.9}),
        (Della, {"epsilon": -0.1}),
        (Della, {"weights": (-1.0,)}),
    ],
)
def test_rejects(kind, params):
    with pytest.raises(InputError, match=next(iter(params))):
        kind(**params)
