"""The role of a tensor in the network, by its name and shape."""

import re
from typing import Literal

type Role = Literal["linear", "embedding", "conv", "norm", "bias", "other"]

# Hugging Face, OpenAI and ESPnet names of embeddings and output projections, of norms,
# and of attention and feed-forward weights.
EMBEDDING = re.compile(r"embed|positional|proj_out|lm_head|output_layer|ctc_lo")
NORM = re.compile(r"norm|(^|\.|_)ln(_post)?\.")
# The stacks of Hugging Face, OpenAI and ESPnet.
LAYER = re.compile(r"(.*?(?:layers|blocks|encoders|decoders))\.(\d+)\.")
LINEAR = re.compile(r"attn\.|attention\.|mlp\.|\.fc\d+\.|feed_forward")


def role_of(name: str, shape: tuple[int, ...]) -> Role:
    """Return the role of the tensor ``name``.

    Example:
        >>> role_of("model.encoder.layers.0.self_attn.q_proj.weight", (512, 512))
        'linear'
        >>> role_of("decoder.token_embedding.weight", (51865, 512))
        'embedding'
    """
    if NORM.search(name):
        return "norm"
    if name.endswith("bias"):
        return "bias"
    if EMBEDDING.search(name):
        return "embedding"
    if len(shape) > 2:
        return "conv"
    if len(shape) == 2 and name.endswith("weight") and LINEAR.search(name):
        return "linear"
    return "other"


def layer_of(name: str) -> tuple[str, int | None]:
    """Return the stack and the number in it of the layer that ``name`` belongs to.

    Example:
        >>> layer_of("model.encoder.layers.3.fc1.weight")
        ('model.encoder.layers', 3)
        >>> layer_of("decoder.token_embedding.weight")
        ('', None)
    """
    found = LAYER.match(name)
    return (found[1], int(found[2])) if found else ("", None)
