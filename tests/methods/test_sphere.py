"""What the methods that average directions share."""

import numpy as np
import pytest

from espnet_merge.methods import TensorInfo
from espnet_merge.methods._sphere import dot_products
from espnet_merge.methods.karcher import Karcher
from espnet_merge.methods.multi_slerp import MultiSlerp


def test_gram_matrix_is_exact_over_chunks():
    x = np.ones((2, 105), np.float32)
    x[1, -1] = 3
    stream = [(TensorInfo(), list(x[:, :100])), (TensorInfo(), list(x[:, 100:]))]
    assert dot_products(stream).tolist() == [[105, 107], [107, 113]]


def test_small_angles_survive_float32():
    base = np.ones(1000, np.float32)
    tilted = base.copy()
    tilted[0] += np.float32(1e-3)
    for method in (Karcher(), MultiSlerp()):
        assert method([base, tilted])[0] == pytest.approx(1.0005, abs=1e-6)
