"""The sums that know layers or votes: lines, selective_attention, consensus."""

import numpy as np
import pytest

from espnet_merge.checkpoint.roles import layer_of
from espnet_merge.errors import InputError
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.consensus import Consensus
from espnet_merge.methods.lines import Lines
from espnet_merge.methods.selective_attention import SelectiveAttention

TAU = np.array([[2.0, 4.0], [0.0, -4.0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.decoder.layers.11.fc2.bias", ("model.decoder.layers", 11)),
        ("encoder.blocks.0.attn.key.weight", ("encoder.blocks", 0)),
        ("decoder.decoders.3.norm1.weight", ("decoder.decoders", 3)),
        ("encoder.encoders.2.feed_forward.w_1.weight", ("encoder.encoders", 2)),
        ("model.encoder.layer_norm.weight", ("", None)),
        ("model.encoder.conv1.weight", ("", None)),
    ],
)
def test_layer_of(name, expected):
    assert layer_of(name) == expected


def test_lines_grow_with_the_layer():
    method = Lines(scale=0.25, beta=0.5, weights=(1, 0.5))
    for layer, depth, scale in [(0, 3, 0.25), (2, 3, 0.75), (0, 1, 0.25)]:
        merged = method(TAU, TensorInfo(layer=layer, depth=depth))
        assert merged.tolist() == [2 * scale, 2 * scale]
    assert method(TAU, TensorInfo()).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "name", ["self_attn.q_proj.weight", "cross_attn.key.weight", "attn.linear_v.bias"]
)
def test_selective_attention_mixes_query_key_and_value(name):
    # 0.5 ** (2 * 1) = 1/4 of the first expert, 3/4 of the second.
    merged = SelectiveAttention(ratio=0.5, decay=2)(TAU, TensorInfo(name=name, layer=1))
    assert merged.tolist() == [0.5, -2.0]


@pytest.mark.parametrize("name", ["self_attn.out_proj.weight", "fc1.weight", "conv1"])
def test_selective_attention_leaves_the_rest_to_the_first(name):
    merged = SelectiveAttention()(TAU, TensorInfo(name=name, layer=3))
    assert merged.tolist() == TAU[0].tolist()


def test_consensus_drops_what_is_selfish_or_catastrophic():
    tau = np.array([[1.0, 5.0, 1.0], [1.0, 0.5, 1.0], [1.0, 0.1, -2.0]])
    # Entry 0: 1 > 0.4 * 2 for all. Entry 1: only the first finds itself in 5.6.
    # Entry 2 sums to 0: 1 > 0.4, 1 > 0.4, 2 > 0.8.
    assert Consensus(scale=0.5)(tau).tolist() == [1.5, 0.0, 0.0]
    assert Consensus(agreement=1)(tau).tolist() == pytest.approx([3.0, 5.6, 0.0])
    assert Consensus(ratio=0.6)(tau).tolist() == [0.0, 0.0, 0.0]


def test_consensus_needs_experts():
    with pytest.raises(InputError, match="agreement of 3 needs as many experts, got 2"):
        Consensus(agreement=3).check_experts(2)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (Lines, {"scale": np.nan}),
        (Lines, {"beta": np.inf}),
        (SelectiveAttention, {"ratio": 0.0}),
        (SelectiveAttention, {"decay": -1.0}),
        (Consensus, {"ratio": -0.1}),
        (Consensus, {"agreement": 0}),
    ],
)
def test_rejects(kind, params):
    with pytest.raises(InputError, match=next(iter(params))):
        kind(**params)
