"""Read a Whisper file of openai-whisper (``.pt``) as Hugging Face weights."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from espnet_merge.errors import InputError

# openai-whisper's word -> Hugging Face's, applied to whole dotted parts in this order.
_PARTS = (
    (r"blocks", "layers"),
    (r"cross_attn_ln", "encoder_attn_layer_norm"),
    (r"cross_attn", "encoder_attn"),
    (r"attn_ln", "self_attn_layer_norm"),
    (r"attn", "self_attn"),
    (r"query", "q_proj"),
    (r"key", "k_proj"),
    (r"value", "v_proj"),
    (r"out", "out_proj"),
    (r"mlp\.0", "fc1"),
    (r"mlp\.2", "fc2"),
    (r"mlp_ln", "final_layer_norm"),
    (r"ln_post|ln", "layer_norm"),
    (r"token_embedding", "embed_tokens"),
    (r"positional_embedding", "embed_positions.weight"),
)


def read_openai(path: Path) -> tuple[dict[str, NDArray[np.generic]], int]:
    """Return the weights of an OpenAI Whisper file and its number of heads.

    The file is a pickle; only tensors are read from it, no code is run.

    Raises:
        InputError: not a Whisper of openai-whisper, or damaged.
    """
    import torch

    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        heads = int(checkpoint["dims"]["n_audio_head"])
        state = checkpoint["model_state_dict"]
    except (OSError, MemoryError):
        raise
    except Exception as error:  # arbitrary bytes break an unpickler in many ways
        reason = str(error).split("\n")[0]
        raise InputError(
            f"{path}: must be an OpenAI Whisper file with 'dims' and "
            f"'model_state_dict' and no code in it; it is not ({reason})."
        ) from error
    return {rename(name): tensor.numpy() for name, tensor in state.items()}, heads


def rename(name: str) -> str:
    """Return the Hugging Face name of one of openai-whisper's weights.

    Example:
        >>> rename("decoder.blocks.3.cross_attn.key.weight")
        'model.decoder.layers.3.encoder_attn.k_proj.weight'
        >>> rename("encoder.ln_post.bias")
        'model.encoder.layer_norm.bias'
    """
    for old, new in _PARTS:
        name = re.sub(rf"(?<=\.)(?:{old})(?=\.|$)", new, name)
    return f"model.{name}"
