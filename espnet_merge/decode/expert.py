"""The expert that decodes: a Whisper, or a Whisper with adapters on it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import WhisperForConditionalGeneration

from espnet_merge.checkpoint.adapter import open_adapter, read_stored
from espnet_merge.checkpoint.agree import check_named_base
from espnet_merge.checkpoint.stored import check_sizes
from espnet_merge.errors import InputError
from espnet_merge.files import ADAPTER_CONFIG
from espnet_merge.lora.adapter import load_adapter
from espnet_merge.lora.routed import add_routed
from espnet_merge.lora.stored_mixture import is_mixture, load_mixture
from espnet_merge.whisper.model import load_whisper


def check_expert(model: Path, adapter: Path | None) -> None:
    """Raise ``InputError`` where headers tell that this expert cannot be.

    A model and an adapter are taken for each other, one is not what its record says, or
    the adapter contradicts itself or the model. A mixture of LoRA experts goes where an
    adapter goes.
    """
    if (model / ADAPTER_CONFIG).is_file():
        raise InputError(
            f"{model}: --model must be a whole Whisper; this is a LoRA adapter: give "
            f"its base as --model and --adapter {model}."
        )
    check_sizes(model)
    if adapter is not None and not is_mixture(adapter):
        check_adapter(adapter)
        stored = read_stored(adapter)
        if stored.base_sha256 is None:
            check_named_base(model, adapter, stored.config)


def check_adapter(adapter: Path) -> None:
    """Raise ``InputError`` where a directory is no adapter."""
    if not (adapter / ADAPTER_CONFIG).is_file():
        raise InputError(
            f"{adapter}: a PEFT adapter directory needs adapter_config.json; it has "
            "none: give the model/ directory of a LoRA expert."
        )
    check_sizes(adapter)


def load_routed(
    model: Path,
    adapters: Sequence[Path],
    *,
    device: str = "cpu",
    dtype: str = "float32",
) -> WhisperForConditionalGeneration:
    """Return the Whisper with many adapters, of which ``encode`` takes each row's.

    Raises:
        InputError: bad files, an adapter of another base, or no GPU where one is asked.
    """
    _check_device(device)
    whisper = load_whisper(model)
    add_routed(whisper, [open_adapter(adapter) for adapter in adapters])
    return whisper.to(device, getattr(torch, dtype))


def load_expert(
    model: Path,
    adapter: Path | None = None,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    fold: bool = False,
) -> WhisperForConditionalGeneration:
    """Return the Whisper, its adapter beside the weights or folded into them.

    Raises:
        InputError: bad files, an adapter of another base, a mixture to be folded, or no
            GPU where one is asked.
    """
    _check_device(device)
    kind: torch.dtype = getattr(torch, dtype)
    if adapter is None:
        whisper = load_whisper(model, kind)
    elif is_mixture(adapter):
        if fold:
            raise InputError(
                f"{adapter}: a mixture depends on what it hears, so it cannot be folded"
                " into the weights: decode with backend torch."
            )
        whisper = load_mixture(load_whisper(model), adapter).get_base_model()
    else:
        # The adapter knows its base by a digest of the float32 weights.
        network = load_adapter(load_whisper(model), adapter)
        whisper = network.merge_and_unload() if fold else network.get_base_model()
    return whisper.to(device, kind)


def _check_device(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "device cuda needs a GPU that torch can use; there is none: use cpu."
        )
