"""LiNeS."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.lines import Lines

TAU = np.array([[2.0, 4.0], [0.0, -4.0]])


def test_scales_grow_with_the_layer():
    method = Lines(scale=0.25, beta=0.5, weights=(1, 0.5))
    for layer, depth, scale in [(0, 3, 0.25), (2, 3, 0.75), (0, 1, 0.25)]:
        merged = method(TAU, TensorInfo(layer=layer, depth=depth))
        assert merged.tolist() == [2 * scale, 2 * scale]


def test_tensors_outside_the_layers_take_the_first_scale():
    merged = Lines(scale=0.25, beta=0.5, weights=(1, 0.5))(TAU, TensorInfo())
    assert merged.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_first_scale_is_one_nth_unless_it_is_given(count):
    ones, first = np.ones((count, 1)), TensorInfo(layer=0, depth=12)
    last = TensorInfo(layer=11, depth=12)
    merged = [Lines(beta=0.5)(ones, info).item() for info in (first, last)]
    np.testing.assert_allclose(merged, [1, 1 + 0.5 * count])


@pytest.mark.parametrize("beta", [0.4, -0.2])
def test_the_scales_of_a_stack_are_equally_spaced(beta):
    ones = np.ones((1, 1))
    stack = [TensorInfo(layer=layer, depth=12) for layer in range(12)]
    scales = [Lines(scale=0.3, beta=beta)(ones, info).item() for info in stack]
    np.testing.assert_allclose(scales, np.linspace(0.3, 0.3 + beta, 12))


@pytest.mark.parametrize("params", [{"scale": np.nan}, {"beta": np.inf}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        Lines(**params)
