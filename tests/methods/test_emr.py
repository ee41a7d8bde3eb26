"""EMR-Merging; the numbers of another implementation are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.emr import Emr
from tests.methods._arrays import assert_close, normal


def test_by_hand():
    tau = np.array([[1.0, -2.0, 3.0, 0.0], [3.0, 1.0, -1.0, 2.0]])
    # The common vector is [3, -2, 3, 2]. The first agrees with its entries 1, 2 and 3,
    # of length 8 for its own 6; the second with 1 and 4, of length 5 for its 7.
    assert_close(Emr(expert=1)(tau), 6 / 8 * np.array([3, -2, 3, 0]))
    assert_close(Emr(expert=2)(tau), 7 / 5 * np.array([3, 0, 0, 2]))


def test_the_length_is_that_of_the_expert():
    tau = normal(4, 20, 30)
    for i in range(4):
        merged = Emr(expert=i + 1)(tau)
        assert abs(merged).sum() == pytest.approx(abs(tau[i]).sum())
        # What is left has the signs of the expert.
        assert (merged * tau[i] >= 0).all()


def test_the_factor_is_of_the_whole_model():
    one, two = normal(2, 2, 50)
    stream = [(TensorInfo(name=n), list(x)) for n, x in (("a", one), ("b", 9 * two))]
    merge = Emr(expert=2).statistics_pass(stream)
    parts = [merge(tensors, info) for info, tensors in stream]
    whole = Emr(expert=2)(np.concatenate([one, 9 * two], axis=1))
    assert_close(np.concatenate(parts), whole)


def test_an_expert_against_all_becomes_the_base():
    tau = np.array([[1.0, 1.0], [5.0, 5.0], [-1.0, -1.0]])
    assert Emr(expert=3)(tau).tolist() == [0.0, 0.0]


def test_rejects():
    with pytest.raises(InputError, match=r"expert must lie in \[1, inf\]"):
        Emr(expert=0)
    with pytest.raises(InputError, match="expert 3 needs as many experts, got 2"):
        Emr(expert=3).check_experts(2)
