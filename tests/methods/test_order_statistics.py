"""Entries of a stream by their places in ascending order."""

import numpy as np
import pytest

from espnet_merge.methods import TensorInfo
from espnet_merge.methods._order_statistics import Mapped, order_statistics


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("signed", [False, True])
def test_order_statistics_of_a_stream_are_those_of_the_whole(dtype, signed):
    rng = np.random.default_rng(0)
    chunks = [
        rng.normal(0, 10.0**-i, size=(2, *shape)).astype(dtype)
        for i, shape in enumerate([(7, 5), (3,), (40, 9), ()])
    ]
    chunks.append(np.zeros((2, 30), dtype))
    if not signed:
        chunks = [abs(chunk) for chunk in chunks]
    stream = Mapped([(TensorInfo(), chunk) for chunk in chunks], list)
    whole = np.concatenate([chunk.reshape(2, -1) for chunk in chunks], axis=1)
    places = [0, 0, 20, 200, whole.shape[1] - 1]
    found = order_statistics(stream, lambda size: places)
    np.testing.assert_array_equal(found, np.sort(whole, axis=1)[:, places])
    assert found[0][2].dtype == dtype
