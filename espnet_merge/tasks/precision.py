"""How fast, and in how much memory, a training computes."""

import logging
from typing import Any

import torch
from torch import nn

from espnet_merge.errors import InputError
from espnet_merge.whisper.precision import FAST, fast_dtype

DTYPES = {"bfloat16": torch.bfloat16}  # float16 would need a scaled loss
COMPILERS = ("inductor", "aot_eager")


def type_to_compute_in(autocast: str | None, *, on_gpu: bool) -> str | None:
    """Return the type of matrix products, None for that of the weights.

    Args:
        autocast: as configured; "auto" is bfloat16 where that is fast.
        on_gpu: whether the first GPU computes, not the CPU.
    """
    if autocast != FAST:
        return autocast
    fast = fast_dtype(on_gpu=on_gpu)
    logging.info("autocast auto: %s", fast)
    return fast if fast in DTYPES else None


def round_base(model: Any, name: str) -> None:  # noqa: ANN401 - a WhisperModel
    """Give the frozen weights of a model another type; the trained ones keep theirs.

    Raises:
        InputError: all of the model is trained.
    """
    if not model.has_adapter:
        raise InputError(
            f"base_dtype {name} needs a frozen base, as with 'lora: true'; all is"
            " trained here: take autocast instead."
        )
    for parameter in model.network.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.to(DTYPES[name])


def compile_layers(network: nn.Module, backend: str) -> None:
    """Have each layer of encoder and decoder compiled at its first call.

    All layers of one kind share their code, so that two are compiled, whatever the
    number, and batches of all lengths share it, too.
    """
    for name, module in network.named_modules():
        if name.endswith("coder.layers"):
            for layer in module.children():
                layer.compile(backend=backend, dynamic=True)
