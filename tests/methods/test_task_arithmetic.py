"""Task arithmetic; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.task_arithmetic import TaskArithmetic

DELTAS = np.array([[1.0, 2.0], [3.0, -4.0]])


def test_negative_scale_subtracts_the_tasks():
    merged = TaskArithmetic(scale=-1, weights=(1, 0.5))(DELTAS)
    assert merged.tolist() == [-2.5, 0.0]


def test_weights_are_not_divided_by_their_sum():
    assert TaskArithmetic(scale=1, weights=(3, 1))(DELTAS).tolist() == [6.0, 2.0]
    assert TaskArithmetic(scale=1, weights=(1, -1))(DELTAS).tolist() == [-2.0, 6.0]


def test_rejects():
    with pytest.raises(InputError, match="scale must be finite"):
        TaskArithmetic(scale=np.inf)
    with pytest.raises(InputError, match="got 3 for 2 experts"):
        TaskArithmetic(weights=(1, 2, 3))(DELTAS)
