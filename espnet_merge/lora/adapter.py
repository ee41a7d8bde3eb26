"""Add, save and load LoRA adapters in PEFT's format; every mismatch is an error.

Source: Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, ICLR 2022,
Sec. 4, through ``peft``. On Whisper: Song et al., *LoRA-Whisper*, Interspeech 2024,
Sec. 3.1 (query, key, value and both feed-forward layers of encoder and decoder).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from safetensors.torch import save_file
from torch import Tensor, nn

from espnet_merge.checkpoint import Checkpoint
from espnet_merge.checkpoint.adapter import read_stored
from espnet_merge.checkpoint.adapter_config import BASE_NAME, UNLIKE, is_on
from espnet_merge.checkpoint.labels import KEY, SPACED
from espnet_merge.checkpoint.lora_defaults import DEFAULTS, moves_base
from espnet_merge.checkpoint.origin import origin_of
from espnet_merge.errors import InputError
from espnet_merge.files import ADAPTER_CONFIG, ADAPTER_WEIGHTS

# What peft is not told of a configuration: the kind is known, and the other two are of
# the place where it was made; of another name of the base peft would warn.
NOT_TOLD = ("peft_type", BASE_NAME, "runtime_config")


def add_adapter(
    model: nn.Module, conf: Mapping[str, Any], *, max_trainable_share: float = 0.2
) -> PeftModel:
    """Freeze ``model`` and add a trainable adapter to its linear layers.

    Args:
        model: a Whisper; changed in place.
        conf: arguments of ``peft.LoraConfig``; they override our defaults (r 32 on q,
            k, v, fc1, fc2).
        max_trainable_share: largest allowed fraction of trainable weights.

    Raises:
        InputError: an argument that peft does not take, modules that do not exist, an
            initialisation that changes the base, or too many trainable weights.
    """
    if moves_base(conf):
        raise InputError(
            "lora_conf.init_lora_weights must leave the base as it is; got "
            f"{conf['init_lora_weights']}, which moves part of it into the adapter: "
            "leave it out."
        )
    try:
        peft_model = get_peft_model(model, LoraConfig(**{**DEFAULTS, **conf}))
    except (TypeError, ValueError) as error:
        raise InputError(f"lora_conf must fit peft.LoraConfig: {error}") from error
    total = sum(p.numel() for p in model.parameters())
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    fraction = sum(p.numel() for p in trained.values()) / total
    if fraction > max_trainable_share or any("lora_" not in name for name in trained):
        raise InputError(
            f"LoRA must leave the base frozen, at most {max_trainable_share:.0%} "
            f"trainable; got {fraction:.0%}: lower lora_conf.r, or raise "
            "max_trainable_share if you mean it."
        )
    return peft_model


def save_adapter(model: PeftModel, directory: Path, label_format: str = SPACED) -> None:
    """Write the adapter and the digest of its base into an existing directory.

    ``peft`` can read the directory; the digest is in the metadata of the weights. The
    configuration names the base as others find it, or not at all: never by a path.

    Args:
        model: with one adapter.
        directory: directory to write into.
        label_format: format of the labels that the adapter was trained on.
    """
    weights = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in get_peft_model_state_dict(model).items()
    }
    base = model.get_base_model()
    digest = base_digest(base)
    metadata = {"format": "pt", "base_sha256": digest, KEY: label_format}
    save_file(weights, directory / ADAPTER_WEIGHTS, metadata=metadata)
    config = model.peft_config["default"]
    config.inference_mode = True
    name, _, commit = origin_of(Path(base.name_or_path)).partition("@")
    config.base_model_name_or_path, config.revision = name or None, commit or None
    config.save_pretrained(directory)


def load_adapter(model: nn.Module, directory: Path) -> PeftModel:
    """Add the adapter of ``directory`` to ``model``, active and frozen.

    Args:
        model: the Whisper that the adapter was trained on, in float32.
        directory: holds ``adapter_config.json`` and the weights.

    Raises:
        InputError: files are missing or broken or contradict each other, the adapter
            was trained on another base, or its tensors do not match the modules one to
            one.
    """
    config, weights = read_adapter(directory, model)
    peft_model = get_peft_model(model, config)
    fill(peft_model, weights, directory)
    return peft_model.requires_grad_(False).eval()


def read_adapter(
    directory: Path, base: nn.Module
) -> tuple[LoraConfig, dict[str, Tensor]]:
    """Return configuration and tensors of an adapter that was trained on ``base``.

    Raises:
        InputError: files are missing or broken, or it was trained on another base.
    """
    stored = read_stored(directory)
    config = _config(directory, stored.config)
    check_base(directory, stored.base_sha256, base_digest(base))
    file = Checkpoint(directory, stored.entries, {}, stored.files)
    weights = {
        name: torch.tensor(file.read(name)).view(entry.shape)
        for name, entry in stored.entries.items()
    }
    return config, weights


def fill(
    model: PeftModel, weights: Mapping[str, Tensor], origin: Path, name: str = "default"
) -> None:
    """Copy tensors into an adapter of ``model``; they must match one to one.

    Args:
        model: has an adapter called ``name``.
        weights: tensors by their names in a PEFT file.
        origin: path that they come from, for messages.
        name: of the adapter.

    Raises:
        InputError: names or shapes differ.
    """
    places = get_peft_model_state_dict(model, adapter_name=name)
    if set(places) != set(weights):
        odd = sorted(set(places) ^ set(weights))
        raise InputError(
            f"{origin}: {len(weights)} tensors must match the model's "
            f"{len(places)} one to one; {len(odd)} do not, first {odd[0]}: the adapter "
            "belongs to another architecture or configuration."
        )
    for key, tensor in weights.items():
        if tensor.shape != places[key].shape:
            raise InputError(
                f"{origin}: {key} must have shape {tuple(places[key].shape)}; "
                f"got {tuple(tensor.shape)}: the adapter belongs to another model."
            )
    set_peft_model_state_dict(model, dict(weights), adapter_name=name)


def check_base(directory: Path, expected: str | None, found: str) -> None:
    """Raise ``InputError`` if an adapter, or a router, was trained on another base.

    Args:
        directory: where it is.
        expected: digest of the base that it was trained on; None if not recorded.
        found: ``base_digest`` of the base in use.
    """
    if expected is not None and expected != found:
        raise InputError(
            f"{directory}: must be used on the base it was trained on (digest "
            f"{expected[:12]}); this base has {found[:12]}: give that base."
        )


@torch.no_grad()
def base_digest(model: nn.Module) -> str:
    """Return the SHA-256 of the base's weights, as float32.

    Names are those without an adapter, so that adding one does not change the digest.
    Tied weights are hashed once.
    """
    digest = hashlib.sha256()
    named = {n.replace(".base_layer.", "."): p for n, p in model.named_parameters()}
    for name in sorted(named):
        if "lora_" in name:
            continue
        digest.update(name.encode())
        values = named[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(values.numpy().data)
    return digest.hexdigest()


def _config(directory: Path, stored: Mapping[str, Any]) -> LoraConfig:
    """Return what this peft makes of a configuration that another may have written."""
    known = {field.name for field in fields(LoraConfig)}
    values = {
        name: value
        for name, value in stored.items()
        if name in known and name not in NOT_TOLD
    }
    if newer := [x for x in UNLIKE if is_on(stored, x) and x not in known]:
        raise InputError(
            f"{directory}: {newer[0]} is an option of a newer peft than the one that is"
            " installed, and the adapter needs it: upgrade peft."
        )
    try:
        return LoraConfig(**values)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{directory / ADAPTER_CONFIG}: must be PEFT's configuration; {error}."
        ) from error
