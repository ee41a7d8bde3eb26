"""What training scripts leave around weights, and what is no checkpoint, by content."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.names import TASK
from espnet_merge.checkpoint.safetensors import Entry
from espnet_merge.errors import InputError

# Keys below which a file holds the weights: openai-whisper's fine-tunes, Lightning,
# ESPnet's and other trainers' states, DeepSpeed.
WRAPPERS = ("model_state_dict", "state_dict", "model", "module")
# What DDP and FSDP put before every name, and torch.compile into names.
PARALLEL = ("module.", "_fsdp_wrapped_module.")
COMPILED = "_orig_mod."
# Tensors of every Whisper: one that has the same name everywhere, and one that Hugging
# Face and openai-whisper call differently.
FIRST = "encoder.conv1.weight"
HF_MARK, HF_BODY = "decoder.embed_tokens.weight", "model."
OPENAI_MARK = "decoder.token_embedding.weight"
SHARD = "*_states.pt"  # of DeepSpeed's
# A quantised model says so here.
QUANTISED = "quantization_config"


def unwrapped(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights in what a file holds; all of it where they stand alone."""
    for key in WRAPPERS:
        inner = content.get(key)
        if isinstance(inner, dict) and any(
            isinstance(value, Entry) for value in inner.values()
        ):
            return inner
    return dict(content)


def bare[T](state: Mapping[str, T]) -> dict[str, T]:
    """Return weights under the names that the model itself gives them.

    >>> list(bare({"module._orig_mod.model.x": 1, "module._orig_mod.y": 2}))
    ['model.x', 'y']
    """
    names = {name: name.replace(COMPILED, "") for name in state}
    while prefix := next((x for x in PARALLEL if _begin(names.values(), x)), ""):
        names = {old: name.removeprefix(prefix) for old, name in names.items()}
    owner, body = _owner(set(names.values()))
    return {body + name.removeprefix(owner): state[old] for old, name in names.items()}


def _begin(names: Collection[str], *prefixes: str) -> bool:
    return bool(names) and all(name.startswith(prefixes) for name in names)


def _owner(names: Collection[str]) -> tuple[str, str]:
    """Return what names of a Whisper begin with in place of what they should.

    That is the name of the module that owns the Whisper, as Lightning's, which all
    weights then have. A WhisperModel, without the head, lacks Hugging Face's "model.".

    >>> _owner({"encoder.conv1.weight", "decoder.embed_tokens.weight"})
    ('', 'model.')
    >>> _owner({f"net.model.{x}" for x in (FIRST, HF_MARK)})
    ('net.', '')
    """
    owner = next((x.removesuffix(FIRST) for x in names if x.endswith(FIRST)), "")
    if owner + HF_MARK in names:
        if owner.endswith(HF_BODY):
            owner = owner.removesuffix(HF_BODY)
        elif _begin(names, f"{owner}encoder.", f"{owner}decoder."):
            return owner, HF_BODY
    elif owner + OPENAI_MARK not in names:
        return "", ""
    # Our own trainer's is read, and written, as it is.
    return (owner, "") if owner != TASK and _begin(names, owner) else ("", "")


def check_numbers(
    path: Path, config: Mapping[str, Any], entries: Mapping[str, Entry]
) -> None:
    """Raise ``InputError`` where weights are quantised."""
    said = config.get(QUANTISED)
    if said and not all(entry.is_float for entry in entries.values()):
        method = said.get("quant_method") if isinstance(said, Mapping) else said
        raise InputError(
            f"{path}: its weights are quantised ({method}), which cannot be undone;"
            " give the model from before, or an adapter on its base."
        )


def what_is_in(directory: Path, holds: Callable[[Path], bool]) -> str | None:
    """Say what a directory without weights is, and what to give; None if unknown.

    Args:
        directory: Is no checkpoint.
        holds: Tells whether a directory is one.
    """
    for pattern, what in _KNOWN.items():
        if found := sorted(directory.glob(pattern)):
            name = found[0].relative_to(directory)
            return what.format(directory=directory, name=name)
    below = [path for path in directory.iterdir() if path.is_dir() and holds(path)]
    if below:
        newest = max(below, key=lambda path: (path.stat().st_mtime, path.name))
        return f"the checkpoints are in its directories, give one, such as {newest}"
    return None


def check_shard(path: Path, state: Mapping[str, Any]) -> None:
    """Raise ``InputError`` where a file of DeepSpeed's holds no weights of its own."""
    if not path.match(SHARD) or any(
        isinstance(value, Entry) and value.size for value in state.values()
    ):
        return
    raise InputError(f"{path}: {_KNOWN[SHARD].format(name=path.name)}.")


FSDP = (
    "{name} is a shard of FSDP's, join all first: 'accelerate merge-weights DIRECTORY"
    " OUTPUT'"
)
# Pattern of a file -> what its directory is. The first that fits tells.
_KNOWN = {
    "zero_to_fp32.py": "shards of DeepSpeed's ZeRO, join them first: 'python"
    " {directory}/zero_to_fp32.py {directory} OUTPUT'",
    SHARD: "{name} is a shard of DeepSpeed's ZeRO, join all first with zero_to_fp32.py,"
    " which lies in the directory above",
    "*.distcp": FSDP,
    "*/*.distcp": FSDP,
    "model.bin": "a model of CTranslate2's, make it a directory of Hugging Face's"
    " first: 'espnet-merge fetch {directory}'",
    "*.gguf": "{name} is whisper.cpp's, give the model that it was made of",
    "ggml*.bin": "{name} is whisper.cpp's, give the model that it was made of",
    "*.msgpack": "{name} is Flax's, save it as safetensors with transformers 4"
    " (from_flax=True)",
    "tf_model.h5": "{name} is TensorFlow's, save it as safetensors with transformers 4"
    " (from_tf=True)",
}
