"""Random numbers that depend on neither chunks nor workers."""

import numpy as np

from espnet_merge.methods import TensorInfo
from espnet_merge.methods._random import random_bits


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
