"""OpenAI's Whisper files, ``.pt``: 'model_state_dict', and its sizes in 'dims'."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_merge.checkpoint.layouts import bare
from espnet_merge.checkpoint.names import OPENAI
from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.torch_read import read_torch, tensors_of
from espnet_merge.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEYS = {"dims", "model_state_dict"}
# OpenAI's name of a size -> Hugging Face's.
DIMS = {
    "n_mels": "num_mel_bins",
    "n_vocab": "vocab_size",
    "n_audio_ctx": "max_source_positions",
    "n_audio_state": "d_model",
    "n_audio_head": "encoder_attention_heads",
    "n_audio_layer": "encoder_layers",
    "n_text_ctx": "max_target_positions",
    "n_text_state": "d_model",
    "n_text_head": "decoder_attention_heads",
    "n_text_layer": "decoder_layers",
}
_SAME = {"model_type": "whisper", "activation_function": "gelu"}


def is_openai(content: Mapping[str, Any]) -> bool:
    """Tell whether a PyTorch file with this ``content`` is a Whisper of OpenAI's."""
    return content.keys() >= KEYS and all(isinstance(content[k], dict) for k in KEYS)


def open_openai(
    path: Path, dims: Mapping[str, Any], state: Mapping[str, Any]
) -> Checkpoint:
    """Open the file ``path``, of which sizes and weights were read.

    Args:
        path: The file.
        dims: Its sizes; none where a training kept the weights alone.
        state: openai-whisper's name to each tensor.

    Raises:
        InputError: one is no size, or no tensor.
    """
    config: dict[str, Any] = dict(_SAME)
    for key, value in dims.items():
        if key not in DIMS or type(value) is not int:
            raise InputError(
                f"{path}: dims must hold Whisper's sizes; got {key}={value!r}: fetch it"
                " again."
            )
        config[DIMS[key]] = value
    entries = {
        OPENAI.read(name): entry for name, entry in tensors_of(path, state).items()
    }
    return Checkpoint(path, entries, config, (path,), "openai", OPENAI)


def read_openai(path: Path) -> tuple[dict[str, "NDArray[np.generic]"], int]:
    """Return the weights of an OpenAI Whisper file and its number of heads.

    Raises:
        InputError: not a Whisper of openai-whisper, damaged, or with code in it.
    """
    content = read_torch(path)
    if not is_openai(content) or "n_audio_head" not in content["dims"]:
        raise InputError(
            f"{path}: must be an OpenAI Whisper file with 'dims' and"
            " 'model_state_dict'; it is not: make a directory of it with 'espnet-merge"
            f" merge --method soup --base BASE --experts {path} --format hf'."
        )
    file = open_openai(path, content["dims"], bare(content["model_state_dict"]))
    weights = {
        name: (file.read(name) if entry.dtype == "BF16" else file.stored(name)).reshape(
            entry.shape
        )
        for name, entry in file.entries.items()
    }
    return weights, file.config["encoder_attention_heads"]


def dims_of(
    shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any], source: Path
) -> dict[str, int]:
    """Return the sizes that openai-whisper builds the model from.

    Args:
        shapes: Shape of every tensor, under Hugging Face's names.
        config: Gives the number of heads, which no shape tells.
        source: For the message.

    Raises:
        InputError: the tensors are no Whisper's, or the number of heads is unknown.
    """
    sizes: dict[str, Any] = {"n_audio_layer": 0, "n_text_layer": 0}
    try:
        for side, long in (("audio", "encoder"), ("text", "decoder")):
            positions = shapes[f"model.{long}.embed_positions.weight"]
            sizes[f"n_{side}_ctx"], sizes[f"n_{side}_state"] = positions
            sizes[f"n_{side}_layer"] = sum(
                name.startswith(f"model.{long}.layers.")
                and name.endswith(".fc1.weight")
                for name in shapes
            )
            sizes[f"n_{side}_head"] = config[f"{long}_attention_heads"]
        sizes["n_mels"] = shapes["model.encoder.conv1.weight"][1]
        sizes["n_vocab"] = shapes["model.decoder.embed_tokens.weight"][0]
    except KeyError as error:
        raise InputError(
            f"{source}: --format openai needs {error.args[0]}, which no input has; give"
            " a Whisper in Hugging Face's or OpenAI's format as base."
        ) from error
    return {key: int(sizes[key]) for key in DIMS}
