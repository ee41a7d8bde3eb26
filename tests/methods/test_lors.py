"""LoRS-Merging; the authors' numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.linalg.decompose import svd
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.lors import Lors
from tests.methods._arrays import assert_close, normal

TAU = normal(20, 10)


def test_by_hand():
    # Rank 1 keeps 9 and 8; of the rests int(0.12 * 9) = 1 entry each, 2 and -3.
    deltas = [np.diag([9.0, 2.0, 1.0]), np.diag([1.0, -3.0, 8.0])]
    merged = Lors(rank=1, density=0.12, scale=0.5)(deltas)
    assert_close(merged, np.diag([4.5, -0.5, 4.0]))


@pytest.mark.parametrize("compress", ["lors", "none"])
def test_the_scale_is_one_nth_unless_it_is_given(compress):
    three = [TAU, 2 * TAU, 3 * TAU]
    plain = Lors(compress=compress)(three)
    assert_close(plain, Lors(compress=compress, scale=1 / 3)(three))
    assert_close(3 * plain, Lors(compress=compress, scale=1)(three))


def test_low_rank_first_then_the_residual():
    low = svd(TAU).cut(2).dense()
    rest = Lors(rank=2, density=0.2)([TAU]) - low
    assert int((abs(rest) > 1e-12).sum()) == 40
    assert_close(Lors(rank=2, compress="svp")([TAU]), low)


def test_rank_ratio_is_a_share_of_the_smaller_side():
    assert len(svd(Lors(rank_ratio=0.35, compress="svp")([TAU])).s) == 3
    assert not Lors(rank_ratio=0.05, compress="svp")([TAU]).any()


def test_edges_of_the_density():
    assert_close(Lors(density=1)([TAU]), TAU)
    low = Lors(density=0, rank=3)([TAU])
    assert_close(low, Lors(compress="svp", rank=3)([TAU]))
    assert_close(Lors(density=0, rank=10)([TAU]), TAU)


def test_prunes_the_task_vector_itself():
    pruned = Lors(compress="mp", density=0.1)([TAU])
    kept = pruned != 0
    assert int(kept.sum()) == 20
    assert abs(TAU[kept]).min() > abs(TAU[~kept]).max()


@pytest.mark.parametrize("role", ["embedding", "conv", "norm", "bias", "other"])
def test_other_tensors_add_their_plain_task_vectors(role):
    merged = Lors(scale=0.5)([TAU, TAU], TensorInfo(role=role))
    assert_close(merged, TAU)


@pytest.mark.parametrize(
    "params",
    [{"density": 1.1}, {"rank": -1}, {"rank_ratio": -0.1}, {"scale": float("inf")}],
)
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Lors(**params)
