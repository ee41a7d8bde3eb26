"""Soup; mergekit's numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods.soup import Soup

ARRAYS = np.array([[1.0, 2.0], [3.0, -4.0]])


def test_weighted_soup():
    assert Soup(weights=(3, 1))(ARRAYS).tolist() == [1.5, 0.5]
    assert Soup(weights=(3, 1), normalize=False)(ARRAYS).tolist() == [6.0, 2.0]


def test_soup_of_equal_experts_is_the_expert_to_the_last_bits():
    expert = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    for count in (2, 3, 5, 7):
        np.testing.assert_array_max_ulp(Soup()([expert] * count), expert, maxulp=2)


def test_rejects():
    with pytest.raises(InputError, match="must not sum to 0"):
        Soup(weights=(1.0, -1.0))
    with pytest.raises(InputError, match="weights must be finite"):
        Soup(weights=(np.nan,))
