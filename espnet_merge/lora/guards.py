"""Checks that training changes the intended weights and no others."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import base_digest


def check_gradients(model: nn.Module, batches: Sequence[Mapping[str, Tensor]]) -> None:
    """Run batches forward and backward and check every gradient.

    A new LoRA adapter has B = 0, so that the gradient of A is zero at first. A is
    checked again after a small step, which is then undone. The check finds dropped or
    checkpointed layers that would not be trained.

    Raises:
        InputError: the loss is not finite, a trained tensor has no gradient, or a
            frozen one has.
    """
    model.train()
    untrained = _without_gradient(model, batches)
    if untrained and all("lora_A" in name for name in untrained):
        with _stepped(model):
            untrained = _without_gradient(model, batches)
    if untrained:
        raise InputError(
            f"{untrained[0]} is to be trained but gets no gradient: turn off "
            "gradient_checkpointing, or leave the module out of target_modules."
        )
    model.zero_grad(set_to_none=True)


def _without_gradient(
    model: nn.Module, batches: Sequence[Mapping[str, Tensor]]
) -> list[str]:
    """Return the names of trained tensors that get no gradient from the batches."""
    model.zero_grad(set_to_none=True)
    for batch in batches:
        loss = model(**batch)[0]
        if not torch.isfinite(loss):
            raise InputError(
                f"the loss of the first batch must be finite; got {loss.item()}: check "
                "the audio and the base model."
            )
        loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    for name, gradient in gradients.items():
        if name not in trained and gradient is not None:
            raise InputError(
                f"{name} is frozen but has a gradient: a defect, report it."
            )
    return [
        name
        for name, gradient in gradients.items()
        if name in trained and (gradient is None or not gradient.any())
    ]


@contextmanager
def _stepped(model: nn.Module) -> Iterator[None]:
    """Take one small step along the gradients, like Adam's first, and undo it."""
    moved = [p for p in model.parameters() if p.grad is not None]
    before = [p.detach().clone() for p in moved]
    with torch.no_grad():
        for parameter in moved:
            parameter.sub_(parameter.grad.sign(), alpha=1e-3)  # type: ignore[union-attr]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, values in zip(moved, before, strict=True):
                parameter.copy_(values)


@torch.no_grad()
def check_adapter_acts(model: nn.Module, batch: Mapping[str, Tensor]) -> None:
    """Check that the adapter changes the scores.

    Raises:
        InputError: the scores with and without it are equal.
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
    """Return the digest of the frozen base; empty if everything is trained."""
    if not model.has_adapter:
        return ""
    return base_digest(model.whisper)  # type: ignore[arg-type]
