"""The shapes in the signatures are enforced while the tests run."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from beartype.roar import BeartypeCallHintViolation

from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import double, like
from espnet_merge.linalg.decompose import Svd, right
from espnet_merge.methods import TensorInfo
from espnet_merge.methods._base import weighted_sum
from espnet_merge.methods._select import Cut
from espnet_merge.methods._sphere import norms_and_cosines
from espnet_merge.methods.iso_cts import without
from espnet_merge.methods.soup import Soup
from espnet_merge.methods.ties import Ties

MATRIX = np.ones((4, 3))
FACTORED = Factored(np.ones((4, 2)), np.ones((2, 3)), 1.0)
WRONG = {
    "not an array": lambda: Soup()([1.0, 2.0]),
    "integers": lambda: Ties()([np.ones((4, 3), int)] * 2),
    "no float64": lambda: right(np.ones((3, 3), np.float32)),
    "not square": lambda: right(MATRIX),
    "other rows": lambda: without(MATRIX, np.ones((3, 1))),
    "two shapes": lambda: Svd(np.ones((4, 2)), np.ones(3), np.ones((3, 1))),
    "two numbers of experts": lambda: norms_and_cosines(np.ones((3, 2))),
    "not flat": lambda: Cut(1.0).keeps(MATRIX, 0),
    "a base of texts": lambda: TensorInfo(base=np.array(["a"])),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_a_wrong_array_is_named(call):
    with pytest.raises(BeartypeCallHintViolation):
        call()


def test_a_result_of_another_shape_is_named():
    class Broken(np.ndarray):
        def __rmul__(self, other):
            return np.ones(7)

    with pytest.raises(BeartypeCallHintViolation, match="weighted_sum"):
        weighted_sum((1.0,), [MATRIX.view(Broken)])


@pytest.mark.parametrize("array", [MATRIX, torch.ones(4, 3), FACTORED], ids=type)
def test_numpy_torch_and_factors_are_arrays(array):
    one = MATRIX if isinstance(array, Factored) else array
    assert like(double(one), array).dtype == array.dtype
    assert Soup()([one, one]).shape == (4, 3)


LIGHT = """
import sys
import espnet_merge.linalg.decompose, espnet_merge.methods
from espnet_merge.arrays import Array, Float
assert not {"numpy", "torch", "jaxtyping", "beartype"} & sys.modules.keys()
"""


def test_outside_of_tests_annotations_import_nothing():
    subprocess.run([sys.executable, "-c", LIGHT], check=True)
