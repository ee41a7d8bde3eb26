"""Soup and task arithmetic."""

import subprocess
import sys

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.soup import Soup
from espnet_merge.methods.task_arithmetic import TaskArithmetic

ARRAYS = np.array([[1.0, 2.0], [3.0, -4.0]])


def test_weighted_soup():
    assert Soup(weights=(3, 1))(ARRAYS).tolist() == [1.5, 0.5]
    assert Soup(weights=(3, 1), normalize=False)(ARRAYS).tolist() == [6.0, 2.0]


def test_soup_of_equal_experts_is_the_expert_to_the_last_bits():
    expert = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    for count in (2, 3, 5, 7):
        np.testing.assert_array_max_ulp(Soup()([expert] * count), expert, maxulp=2)


def test_negative_scale_subtracts_the_tasks():
    assert TaskArithmetic(scale=-1, weights=(1, 0.5))(ARRAYS).tolist() == [-2.5, 0.0]


def test_rejects():
    with pytest.raises(InputError, match="must not sum to 0"):
        Soup(weights=(1.0, -1.0))
    with pytest.raises(InputError, match="weights must be finite"):
        Soup(weights=(np.nan,))
    with pytest.raises(InputError, match="scale must be finite"):
        TaskArithmetic(scale=np.inf)
    with pytest.raises(InputError, match="got 3 for 2 experts"):
        TaskArithmetic(weights=(1, 2, 3))(ARRAYS)


def test_methods_import_neither_numpy_nor_torch():
    code = (
        "import sys; import espnet_merge.methods;"
        "print(sorted({'numpy', 'torch'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
