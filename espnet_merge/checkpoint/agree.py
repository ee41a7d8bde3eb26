"""Checks that experts and base are checkpoints of one and the same model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.adapter import Adapter
from espnet_merge.checkpoint.hf import read_json
from espnet_merge.checkpoint.identity import weights_digest
from espnet_merge.checkpoint.opened import Checkpoint, chunks
from espnet_merge.errors import InputError
from espnet_merge.files import TOKENIZER_JSON, VOCAB_JSON

# Keys of config.json that change the meaning of weights without changing shapes, or
# that explain best why shapes differ.
ARCHITECTURE = (
    "model_type",
    "vocab_size",
    "d_model",
    "num_mel_bins",
    "encoder_layers",
    "decoder_layers",
    "encoder_attention_heads",
    "decoder_attention_heads",
    "activation_function",
    "scale_embedding",
    "max_source_positions",
    "max_target_positions",
)
# The same in ESPnet's config.yaml; rates of dropout may differ between trainings.
ESPNET = ("model", "frontend", "encoder", "decoder")
ESPNET_CONF = ("frontend_conf", "encoder_conf", "decoder_conf")


def check_same_model(base: Checkpoint, experts: Sequence[Checkpoint | Adapter]) -> None:
    """Raise ``InputError`` for the first difference between an expert and the base."""
    for expert in experts:
        if isinstance(expert, Adapter):
            _check_targets(base, expert)
            continue
        if expert.path.resolve() == base.path.resolve():
            raise InputError(
                f"{expert.path}: an expert is the base itself; its task vector is zero,"
                " leave it out."
            )
        _check_config(base, expert)
        _check_vocabulary(base, expert)
        _check_tensors(base, expert)


def check_moved(base: Checkpoint, expert: Checkpoint | Adapter) -> None:
    """Raise ``InputError`` where the expert is the base, whatever its format.

    Reads no further than to the first difference.
    """
    import numpy as np

    if isinstance(expert, Adapter):
        moved = any(expert.weights.read(f"{name}.B").any() for name in expert.scales)
    else:
        moved = any(
            not np.array_equal(
                base.read(name, chunk=chunk),
                expert.read(name, chunk=chunk),
                equal_nan=True,
            )
            for name, entry in base.floats.items()
            for chunk in chunks(entry.size)
        )
    if not moved:
        raise InputError(
            f"{expert.path}: holds the same weights as the base {base.path}; its task"
            " vector is zero, leave it out."
        )


def check_base_of(base: Checkpoint, adapter: Adapter) -> None:
    """Raise ``InputError`` where the adapter says that it belongs to another base."""
    if adapter.base_sha256 is None:
        return
    if (found := weights_digest(base)) != adapter.base_sha256:
        raise InputError(
            f"{adapter.path}: the adapter was trained on another base (digest"
            f" {adapter.base_sha256[:12]}) than {base.path} ({found[:12]}); give the"
            " one that it was trained on."
        )


def _check_targets(base: Checkpoint, adapter: Adapter) -> None:
    for name in adapter.scales:
        entry = base.entries.get(name)
        shape = entry.shape if entry else None
        if shape != adapter.shape(name):
            has = f"{list(shape)} in it" if shape else "not in it"
            raise InputError(
                f"{adapter.path}: it changes tensor {name} of shape"
                f" {list(adapter.shape(name))}, which is {has}: the adapter is not for"
                f" the base {base.path}; give the one that it was trained on."
            )


def _check_config(base: Checkpoint, expert: Checkpoint) -> None:
    """Compare what both say; a file of weights alone says nothing."""
    ours, theirs = _facts(base.config), _facts(expert.config)
    for key in ours.keys() & theirs.keys():
        if ours[key] != theirs[key]:
            raise InputError(
                f"{expert.path}: {key} is {theirs[key]}, but {ours[key]} in"
                f" {base.path}; merge models of one architecture and vocabulary."
            )


def _facts(config: Mapping[str, Any]) -> dict[str, Any]:
    facts = {key: config[key] for key in (*ARCHITECTURE, *ESPNET) if key in config}
    for conf in ESPNET_CONF:
        for key, value in (config.get(conf) or {}).items():
            if "dropout" not in key:
                facts[f"{conf}.{key}"] = value
    return facts


def _check_vocabulary(base: Checkpoint, expert: Checkpoint) -> None:
    lists = [checkpoint.config.get("token_list") for checkpoint in (base, expert)]
    if all(lists) and lists[0] != lists[1]:
        raise InputError(
            f"{expert.path}: another token_list in its config.yaml than {base.path};"
            " use experts with the tokens of the base."
        )
    for name in (VOCAB_JSON, TOKENIZER_JSON):
        ours, theirs = base.path / name, expert.path / name
        if not (ours.is_file() and theirs.is_file()):
            continue
        if ours.read_bytes() != theirs.read_bytes() and _ids(ours) != _ids(theirs):
            raise InputError(
                f"{theirs}: another vocabulary than {ours}; rows of the token"
                " embedding do not correspond, use experts with the tokenizer of the"
                " base."
            )


def _ids(path: Path) -> dict[str, Any]:
    """Return the id of every token in ``vocab.json`` or ``tokenizer.json``."""
    content = read_json(path)
    if path.name == VOCAB_JSON:
        return content
    try:
        added = {
            str(token["content"]): token["id"] for token in content["added_tokens"]
        }
        return dict(content["model"]["vocab"]) | added
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: not a tokenizer of Hugging Face's ({error!r}); copy it again."
        ) from error


def _check_tensors(base: Checkpoint, expert: Checkpoint) -> None:
    for name in sorted(base.entries.keys() | expert.entries.keys()):
        ours, theirs = base.entries.get(name), expert.entries.get(name)
        if ours is None or theirs is None:
            has, lacks = (base, expert) if ours else (expert, base)
            raise InputError(
                f"{lacks.path}: tensor {name} is missing, {has.path} has it;"
                " merge models of one architecture."
            )
        if ours.shape != theirs.shape:
            raise InputError(
                f"tensor {name}: shape {list(theirs.shape)} in {theirs.file}, but"
                f" {list(ours.shape)} in {ours.file}; merge models of one architecture"
                " and vocabulary."
            )
        if ours.is_float != theirs.is_float:
            raise InputError(
                f"tensor {name}: {theirs.dtype} in {theirs.file}, but {ours.dtype} in"
                f" {ours.file}; floats and integers do not merge."
            )
