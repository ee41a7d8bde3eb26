"""Checks that experts and base are checkpoints of one and the same model."""

import json
from collections.abc import Sequence

from espnet_merge.checkpoint.hf import Checkpoint
from espnet_merge.errors import InputError

# Keys of config.json that change what the weights mean without changing their shapes,
# or that say best why the shapes differ.
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


def check_same_model(base: Checkpoint, experts: Sequence[Checkpoint]) -> None:
    """Raise ``InputError`` for the first difference between an expert and the base."""
    for expert in experts:
        if expert.path.resolve() == base.path.resolve():
            raise InputError(
                f"{expert.path}: an expert is the base itself; its task vector is zero,"
                " leave it out."
            )
        _check_config(base, expert)
        _check_vocabulary(base, expert)
        _check_tensors(base, expert)


def _check_config(base: Checkpoint, expert: Checkpoint) -> None:
    for key in ARCHITECTURE:
        ours, theirs = base.config.get(key), expert.config.get(key)
        if ours != theirs:
            raise InputError(
                f"{expert.path / 'config.json'}: {key} is {theirs}, but {ours} in"
                f" {base.path / 'config.json'}; merge models of one architecture and"
                " vocabulary."
            )


def _check_vocabulary(base: Checkpoint, expert: Checkpoint) -> None:
    ours, theirs = base.path / "vocab.json", expert.path / "vocab.json"
    if not (ours.is_file() and theirs.is_file()):
        return
    if ours.read_bytes() == theirs.read_bytes():
        return
    if json.loads(ours.read_bytes()) != json.loads(theirs.read_bytes()):
        raise InputError(
            f"{theirs}: another vocabulary than {ours}; rows of the token embedding"
            " do not correspond, use experts with the tokenizer of the base."
        )


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
