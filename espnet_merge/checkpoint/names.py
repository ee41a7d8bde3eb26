"""What the formats call the tensors of a Whisper; inside, names are Hugging Face's."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from espnet_merge.errors import InputError

# openai-whisper's word and Hugging Face's, for whole dotted parts of a name. The last
# norm of each side is not here: OpenAI's ln_post and ln are both called layer_norm.
_PARTS = (
    ("blocks", "layers"),
    ("cross_attn_ln", "encoder_attn_layer_norm"),
    ("cross_attn", "encoder_attn"),
    ("attn_ln", "self_attn_layer_norm"),
    ("attn", "self_attn"),
    ("query", "q_proj"),
    ("key", "k_proj"),
    ("value", "v_proj"),
    ("out", "out_proj"),
    ("mlp.0", "fc1"),
    ("mlp.2", "fc2"),
    ("mlp_ln", "final_layer_norm"),
    ("token_embedding", "embed_tokens"),
    ("positional_embedding", "embed_positions.weight"),
)
_NORMS = (
    ("encoder.ln_post", "encoder.layer_norm"),
    ("decoder.ln", "decoder.layer_norm"),
)
# ESPnet keeps OpenAI's encoder and decoder inside its own.
_SIDES = (("encoder.encoders.", "encoder."), ("decoder.decoders.", "decoder."))
TASK = "network."
_TRAINING = "objectives."


def from_openai(name: str) -> str:
    """Return the Hugging Face name of one of openai-whisper's weights.

    Example:
        >>> from_openai("decoder.blocks.3.cross_attn.key.weight")
        'model.decoder.layers.3.encoder_attn.k_proj.weight'
        >>> from_openai("encoder.ln_post.bias")
        'model.encoder.layer_norm.bias'
    """
    for old, new in (*_NORMS, *_PARTS):
        name = _replace(name, old, new)
    return f"model.{name}"


def to_openai(name: str) -> str:
    """Return openai-whisper's name; the inverse of ``from_openai``.

    Raises:
        InputError: Whisper has no such tensor.

    Example:
        >>> to_openai("model.decoder.layers.3.fc1.weight")
        'decoder.blocks.3.mlp.0.weight'
    """
    if not name.startswith(("model.encoder.", "model.decoder.")):
        raise InputError(
            f"tensor {name}: OpenAI's Whisper has no place for it; choose another"
            " --format."
        )
    result = name.removeprefix("model.")
    for new, old in (*_NORMS, *_PARTS):
        result = _replace(result, old, new)
    return result


def from_espnet_whisper(name: str) -> str:
    """Return the Hugging Face name of a weight of ESPnet's own Whisper.

    Example:
        >>> from_espnet_whisper("encoder.encoders.blocks.0.mlp.2.bias")
        'model.encoder.layers.0.fc2.bias'
        >>> from_espnet_whisper("ctc.ctc_lo.bias")
        'ctc.ctc_lo.bias'
    """
    for ours, openai in _SIDES:
        if name.startswith(ours):
            return from_openai(openai + name.removeprefix(ours))
    return name


def to_espnet_whisper(name: str) -> str:
    """Return the name in ESPnet's own Whisper; the inverse of the above.

    Example:
        >>> to_espnet_whisper("model.decoder.layer_norm.bias")
        'decoder.decoders.ln.bias'
    """
    if not name.startswith("model."):
        return name
    result = to_openai(name)
    for ours, openai in _SIDES:
        if result.startswith(openai):
            return ours + result.removeprefix(openai)
    return result


def _replace(name: str, old: str, new: str) -> str:
    return re.sub(rf"(^|\.){re.escape(old)}(?=\.|$)", rf"\g<1>{new}", name)


@dataclass(frozen=True)
class Naming:
    """One way to name tensors: from the file to our names, and back."""

    label: str
    read: Callable[[str], str]
    write: Callable[[str], str]


PLAIN = Naming("as they are", str, str)
# Names that a training put something before, which is dropped when they are read.
TRAINED = Naming("as a training left them", str, str)
OPENAI = Naming("openai-whisper", from_openai, to_openai)
ESPNET_WHISPER = Naming("ESPnet's Whisper", from_espnet_whisper, to_espnet_whisper)
ESPNET_TASK = Naming(
    "WhisperTask", lambda name: name.removeprefix(TASK), lambda name: TASK + name
)


def without_training[T](state: Mapping[str, T]) -> dict[str, T]:
    """Return ``state`` without what ``ObjectivesTask`` adds to the model.

    Example:
        >>> without_training({"network.model.x": 1, "objectives.weights": 2})
        {'network.model.x': 1}
        >>> without_training({"objectives.of.another.model": 3})
        {'objectives.of.another.model': 3}
    """
    if not any(name.startswith(TASK) for name in state):
        return dict(state)
    return {k: value for k, value in state.items() if not k.startswith(_TRAINING)}


def espnet_naming(names: set[str]) -> Naming:
    """Tell which model of ESPnet has tensors of these ``names``."""
    if all(name.startswith(TASK) for name in names):
        return ESPNET_TASK
    # The layers of ESPnet's other models are numbered: encoder.encoders.0.
    if any(name.startswith(f"{side}blocks.") for name in names for side, _ in _SIDES):
        return ESPNET_WHISPER
    return PLAIN
