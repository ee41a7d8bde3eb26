"""Proofs that training changes what it should, and nothing else."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import base_digest


def check_gradients(model: nn.Module, batch: Mapping[str, Tensor]) -> None:
    """Run one batch forward and backward and look at every gradient.

    A fresh LoRA has B = 0, so that A gets a zero gradient at first: only B is asked
    for. Dropped or checkpointed layers that would train nothing are found here.

    Raises:
        InputError: the loss is not finite, a trained tensor has no gradient, or a
            frozen one has.
    """
    model.train()
    loss = model(**batch)[0]
    if not torch.isfinite(loss):
        raise InputError(
            f"the loss of the first batch must be finite; got {loss.item()}: check the "
            "audio and the base model."
        )
    loss.backward()
    for name, parameter in model.named_parameters():
        gradient = parameter.grad
        moved = gradient is not None and bool(gradient.any())
        if not parameter.requires_grad and gradient is not None:
            raise InputError(
                f"{name} is frozen but has a gradient: a defect, report it."
            )
        if parameter.requires_grad and "lora_A" not in name and not moved:
            raise InputError(
                f"{name} is to be trained but gets no gradient: turn off "
                "gradient_checkpointing, or leave the module out of target_modules."
            )
    model.zero_grad(set_to_none=True)


@torch.no_grad()
def check_adapter_acts(model: nn.Module, batch: Mapping[str, Tensor]) -> None:
    """Compare the scores with the adapter and without.

    Raises:
        InputError: they are equal, so that the adapter does nothing.
    """
    model.eval()
    with_adapter = model.token_scores(**batch)  # type: ignore[operator]
    with model.network.disable_adapter():  # type: ignore[operator,union-attr]
        without = model.token_scores(**batch)  # type: ignore[operator]
    if torch.equal(with_adapter, without):
        raise InputError(
            "the trained adapter must change the scores; it does not: check the "
            "learning rate and the log of the gradients."
        )


def frozen_digest(model: nn.Module) -> str:
    """Return the digest of the frozen base, or of nothing if all is trained."""
    if not model.has_adapter:
        return ""
    return base_digest(model.whisper)  # type: ignore[arg-type]
