"""TIES, also against peft's; numbers of mergekit and the authors: ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.ties import Ties
from tests.methods._arrays import normal

NO_INFO = TensorInfo()


def test_it_trims_all_tensors_as_one():
    large, small = np.array([[5.0, -4.0]]), np.array([[0.1, 0.2]])
    elementwise = Ties(density=0.25).statistics_pass(
        [(NO_INFO, large), (NO_INFO, small)]
    )
    # int(0.25 * 4) + 1 entries stay.
    assert elementwise(large, NO_INFO).tolist() == [5.0, -4.0]
    assert elementwise(small, NO_INFO).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9])
def test_a_tensor_is_merged_as_peft_does(density):
    import torch
    from peft.utils.merge_utils import ties

    deltas = normal(3, 20, 30)
    tensors = list(torch.from_numpy(deltas))
    expected = ties(tensors, torch.ones(3, dtype=torch.float64), density)
    np.testing.assert_allclose(Ties(density=density, trim="tensor")(deltas), expected)


def test_experts_against_the_elected_sign_do_not_count():
    tau = np.array([[3.0, 1.0], [1.0, -2.0], [-1.0, -4.0]])
    assert Ties(density=1)(tau).tolist() == [2.0, -3.0]
    assert Ties(density=1, consensus="sum", scale=0.5)(tau).tolist() == [2.0, -3.0]


def test_weights_enter_election_and_mean():
    tau = np.array([[1.0], [-2.0]])
    assert Ties(density=1, weights=(3.0, 1.0))(tau).tolist() == [1.0]
    assert Ties(density=1, weights=(1.0, 1.0))(tau).tolist() == [-2.0]
    agree = np.array([[1.0], [5.0]])
    assert Ties(density=1, weights=(3.0, 1.0))(agree).tolist() == [2.0]


def test_a_short_vector_keeps_its_largest_entry():
    assert Ties(density=0.2, trim="tensor")(np.array([[1.0, 3.0]])).tolist() == [
        0.0,
        3.0,
    ]


@pytest.mark.parametrize(
    "params",
    [{"density": 0.0}, {"density": 1.01}, {"weights": (1.0, -1.0)}, {"scale": np.inf}],
)
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Ties(**params)
