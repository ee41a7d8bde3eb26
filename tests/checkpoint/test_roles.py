"""What the name of a tensor tells of its place in the network."""

import pytest

from espnet_merge.checkpoint.roles import layer_of


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
