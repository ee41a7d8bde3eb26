"""What an adapter must know about a batch, apart from the input of its layer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Context:
    """The batch that an encoder or a decoder is running on.

    Attributes:
        pools: whether adapters need ``pooled``.
        adapters: (batch,) index of each utterance's adapter; None for the base alone.
        mask: additive mask (batch, 1, 1, positions) of the encoder's positions, or
            None if nothing is padded.
        states: output of the encoder (batch, positions, d_model); None in the encoder.
        pooled: mean of ``states`` over the positions of each utterance.
    """

    pools: bool = False
    adapters: Tensor | None = None
    mask: Tensor | None = None
    states: Tensor | None = None
    pooled: Tensor | None = None


def add_context(stack: nn.Module, *, pools: bool = False) -> Context:
    """Give an encoder or decoder a context, and return it for its adapters.

    Encoder and decoder need separate contexts: with gradient checkpointing, layers of
    the encoder run again after the decoder has run.
    """
    context = Context(pools)
    stack.context = context  # type: ignore[assignment]
    return context


def set_context(
    stack: nn.Module,
    adapters: Tensor | None,
    mask: Tensor | None,
    states: Tensor | None = None,
) -> None:
    """Set the context of ``stack`` to the current batch, if it has a context."""
    context = getattr(stack, "context", None)
    if context is None:
        return
    # Pool once for all tokens of a text, and never inside a checkpointed layer.
    if context.pools and states is not None and states is not context.states:
        context.pooled = masked_mean(states, mask)
    context.adapters, context.mask, context.states = adapters, mask, states


def masked_mean(states: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean (batch, 1, d_model) over the positions that are not padding.

    Args:
        states: (batch, positions, d_model).
        mask: additive (batch, 1, 1, positions), or None if nothing is padded.
    """
    if mask is None:
        return states.mean(1, keepdim=True)
    weights = (mask[:, 0] == 0).to(states.dtype)
    return torch.bmm(weights, states) / weights.sum(-1, keepdim=True)
