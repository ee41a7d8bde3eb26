"""What rounding to the type of a file can do, against rounding itself."""

import numpy as np
import pytest
import torch

from espnet_merge.checkpoint.dtypes import to_float, to_stored
from espnet_merge.linalg.rounding import UNIT_ROUNDOFF, deviation, rounding_floor

TYPES = list(UNIT_ROUNDOFF)


def rounded(weights, dtype):
    """Return float64 weights as a file of the type holds them."""
    if dtype == "F32":
        return weights.astype("f4").astype("f8")
    bits = to_stored(weights.astype("f4").ravel(), dtype)
    return to_float(bits, dtype, "float64").reshape(weights.shape)


def kinds(rows, columns):
    rng = np.random.default_rng(rows)
    plain = rng.normal(0, 0.02, (rows, columns))
    return {
        "normal": plain,
        "unequal rows": plain * np.exp(rng.normal(0, 1, (rows, 1))),
        "unequal columns": plain * np.exp(rng.normal(0, 1, columns)),
        "heavy tails": 0.02 * rng.standard_t(3, (rows, columns)),
    }


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", kinds(1, 1))
@pytest.mark.parametrize("shape", [(64, 64), (300, 50), (50, 300)], ids=str)
def test_no_error_exceeds_the_floor_nor_falls_far_below(shape, kind, dtype):
    weights = kinds(*shape)[kind]
    errors = rounded(weights, dtype) - weights
    largest = np.linalg.norm(errors, 2)
    assert largest < rounding_floor(weights, dtype) < 2.5 * largest
    expected = deviation(dtype) * np.linalg.norm(weights)
    assert np.linalg.norm(errors) == pytest.approx(expected, rel=0.2)


def test_what_is_not_rounded_has_no_floor():
    assert rounding_floor(np.ones((3, 3)), None) == 0
    assert rounding_floor(np.ones((3, 3)), "F64") == 0


def test_torch_has_the_same_floor():
    weights = kinds(40, 30)["normal"]
    expected = rounding_floor(weights, "BF16")
    assert rounding_floor(torch.tensor(weights), "BF16") == pytest.approx(expected)
