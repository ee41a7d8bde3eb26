"""DARE, also against peft's; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.dare import Dare
from tests.methods._arrays import normal

TAU = normal(2, 50, 40)


def test_it_keeps_a_share_and_rescales_it():
    merged = Dare(density=0.25, scale=0.5, weights=(3, 1))([TAU[0], 0 * TAU[0]])
    kept = merged != 0
    assert 0.21 < kept.mean() < 0.29
    # 3 * 0.5 / 0.25 = 6.
    np.testing.assert_allclose(merged[kept], 6 * TAU[0][kept])


def test_what_it_keeps_is_what_peft_keeps():
    """Both draw other masks: compared where both keep an entry."""
    import torch
    from peft.utils.merge_utils import dare_linear

    torch.manual_seed(0)
    (tau,) = torch.from_numpy(TAU[:1])
    peft = dare_linear([tau], torch.tensor([3.0]), 0.5).numpy()
    merged = Dare(density=0.5, scale=1, weights=(3,))(TAU[:1])
    both = (merged != 0) & (peft != 0)
    assert 0.2 < both.mean() < 0.3
    np.testing.assert_allclose(merged[both], peft[both])


def test_a_sign_is_elected_of_what_is_kept():
    tau = np.array([[3.0, 1.0], [1.0, -2.0], [-1.0, -4.0]])
    every = {"density": 1.0, "weights": (2, 1, 1)}
    # 6 + 1 of 6 + 1 - 1, weights 2 + 1; -2 - 4 of 2 - 2 - 4.
    assert Dare(**every, scale=1, consensus="mean")(tau).tolist() == [7 / 3, -3.0]
    assert Dare(**every, scale=0.5, consensus="sum")(tau).tolist() == [3.5, -3.0]


@pytest.mark.parametrize("density", [1.0, 0.4])
def test_with_a_mean_it_is_the_dare_ties_of_peft(density):
    """PEFT is given what is kept here, for it draws other masks."""
    import torch
    from peft.utils.merge_utils import dare_ties

    tau = normal(3, 40, 30)
    alone = [tau * (np.arange(3) == i)[:, None, None] for i in range(3)]
    kept = [torch.from_numpy(Dare(density=density, scale=1)(one)) for one in alone]
    with pytest.warns(UserWarning, match="no pruning"):
        expected = dare_ties(kept, torch.ones(3), density=1.0).numpy()
    merged = Dare(density=density, scale=1, consensus="mean")(tau)
    assert (merged == 0).mean() == pytest.approx((1 - density) ** 3, abs=0.03)
    np.testing.assert_allclose(merged, expected, rtol=1e-6)


def test_chunks_join_into_the_whole():
    whole = Dare(density=0.3)(TAU, TensorInfo(name="a"))
    flat = TAU.reshape(2, -1)
    chunks = [
        Dare(density=0.3)(flat[:, i : i + 512], TensorInfo(name="a", start=i))
        for i in range(0, flat.shape[1], 512)
    ]
    np.testing.assert_array_equal(np.concatenate(chunks), whole.ravel())


def test_mean_over_seeds_is_task_arithmetic():
    runs = [Dare(density=0.5, scale=1, seed=seed)(TAU) for seed in range(400)]
    # The deviation of one entry is |tau| at density 1/2, of a mean of 400 a twentieth.
    z = (np.mean(runs, axis=0) - TAU.sum(axis=0)) / (np.linalg.norm(TAU, axis=0) / 20)
    assert np.sqrt((z**2).mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    "params",
    [
        {"density": 0.0},
        {"scale": np.nan},
        {"weights": (np.inf,)},
        {"weights": (-1.0,), "consensus": "sum"},
    ],
)
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Dare(**params)
