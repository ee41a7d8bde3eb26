"""SA-Merge."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.selective_attention import SelectiveAttention

TAU = np.array([[2.0, 4.0], [0.0, -4.0]])


@pytest.mark.parametrize(
    "name", ["self_attn.q_proj.weight", "cross_attn.key.weight", "attn.linear_v.bias"]
)
def test_it_mixes_query_key_and_value(name):
    # 0.5 ** (2 * 1) = 1/4 of the first expert, 3/4 of the second.
    merged = SelectiveAttention(ratio=0.5, decay=2)(TAU, TensorInfo(name=name, layer=1))
    assert merged.tolist() == [0.5, -2.0]


@pytest.mark.parametrize("name", ["self_attn.out_proj.weight", "fc1.weight", "conv1"])
def test_it_leaves_the_rest_to_the_first(name):
    merged = SelectiveAttention()(TAU, TensorInfo(name=name, layer=3))
    assert merged.tolist() == TAU[0].tolist()


def test_deeper_layers_come_more_and_more_from_the_second():
    experts = np.array([[1.0], [0.0]])
    stack = [TensorInfo(name="attn.key.weight", layer=layer) for layer in range(12)]
    shares = [SelectiveAttention(ratio=0.9)(experts, info).item() for info in stack]
    np.testing.assert_allclose(shares, np.cumprod([1.0] + [0.9] * 11))


def test_rejects():
    for params in ({"ratio": 0.0}, {"decay": -1.0}):
        with pytest.raises(InputError, match=next(iter(params))):
            SelectiveAttention(**params)
    with pytest.raises(InputError, match="at most 2, got 3"):
        SelectiveAttention().check_experts(3)
