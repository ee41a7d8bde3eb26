"""Loading the expert that decodes: a Whisper, or a Whisper with adapters."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import WhisperForConditionalGeneration

from espnet_merge.checkpoint.adapter import open_adapter, read_stored
from espnet_merge.checkpoint.agree import check_named_base
from espnet_merge.checkpoint.stored import check_stored
from espnet_merge.decode.router import Router
from espnet_merge.errors import InputError
from espnet_merge.files import ADAPTER_CONFIG
from espnet_merge.lora.adapter import check_base, load_adapter
from espnet_merge.lora.routed import add_routed
from espnet_merge.lora.stored_mixture import is_mixture, load_mixture
from espnet_merge.whisper.model import load_whisper


def check_expert(model: Path, adapter: Path | None) -> None:
    """Raise ``InputError`` if headers show that the expert cannot be loaded.

    That is so if model and adapter are swapped, a file is not what its record says, or
    the adapter contradicts itself or the model. ``adapter`` may also be a mixture of
    LoRA experts.
    """
    if (model / ADAPTER_CONFIG).is_file():
        raise InputError(
            f"{model}: --model must be a whole Whisper; this is a LoRA adapter: give "
            f"its base as --model and --adapter {model}."
        )
    check_stored(model)
    if adapter is not None and not is_mixture(adapter):
        check_adapter(adapter)
        stored = read_stored(adapter)
        if stored.base_sha256 is None:
            check_named_base(model, adapter, stored.config)


def check_adapter(adapter: Path) -> None:
    """Raise ``InputError`` if a directory is no adapter."""
    if not (adapter / ADAPTER_CONFIG).is_file():
        raise InputError(
            f"{adapter}: a PEFT adapter directory needs adapter_config.json; it has "
            "none: give the model/ directory of a LoRA expert."
        )
    check_stored(adapter)


def load_routed(
    model: Path,
    adapters: Sequence[Path],
    router: Router | None = None,
    *,
    device: str = "cpu",
    dtype: str = "float32",
) -> WhisperForConditionalGeneration:
    """Return the Whisper with many adapters; ``encode`` applies each row's own.

    Raises:
        InputError: files are bad, an adapter or the router has another base, or device
            is cuda and there is no GPU.
    """
    _check_device(device)
    whisper = load_whisper(model)
    digest = add_routed(whisper, [open_adapter(adapter) for adapter in adapters])
    if router is not None:
        check_base(router.path, router.base_sha256, digest)
    return whisper.to(device, getattr(torch, dtype))


def load_expert(
    model: Path,
    adapter: Path | None = None,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    fold: bool = False,
) -> WhisperForConditionalGeneration:
    """Return the Whisper, with its adapter if there is one.

    Args:
        model: Hugging Face Whisper directory.
        adapter: directory of a PEFT adapter or a mixture.
        device: ``cpu`` or ``cuda``.
        dtype: name of torch's type of the weights.
        fold: fold the adapter into the weights instead of keeping it as a module.

    Raises:
        InputError: files are bad, the adapter has another base, a mixture is to be
            folded, or device is cuda and there is no GPU.
    """
    _check_device(device)
    torch_dtype: torch.dtype = getattr(torch, dtype)
    if adapter is None:
        whisper = load_whisper(model, torch_dtype)
    elif is_mixture(adapter):
        if fold:
            raise InputError(
                f"{adapter}: a mixture depends on its input, so it cannot be folded "
                "into the weights: decode with backend torch."
            )
        whisper = load_mixture(load_whisper(model), adapter).get_base_model()
    else:
        # The adapter records a digest of the base's float32 weights.
        network = load_adapter(load_whisper(model), adapter)
        whisper = network.merge_and_unload() if fold else network.get_base_model()
    return whisper.to(device, torch_dtype)


def _check_device(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "device cuda needs a GPU that torch can use; there is none: use cpu."
        )
