"""What an adapter must know of a batch beside the input of its layer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Context:
    """The batch that an encoder or a decoder runs over.

    Attributes:
        pools: whether adapters ask for ``pooled``.
        adapters: (batch,) whose adapter each utterance has; None: the base alone.
        mask: additive mask (batch, 1, 1, positions) of the encoder's positions, or
            None where nothing is padded.
        states: the encoder's (batch, positions, d_model); None in the encoder.
        pooled: mean of ``states`` over the positions of each utterance.
    """

    pools: bool = False
    adapters: Tensor | None = None
    mask: Tensor | None = None
    states: Tensor | None = None
    pooled: Tensor | None = None


def add_context(stack: nn.Module, *, pools: bool = False) -> Context:
    """Return the context of an encoder or decoder, for adapters to look into.

    The encoder's is not the decoder's: with gradient checkpointing, layers of the
    encoder run again when the decoder has run.
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
    """Tell the adapters of ``stack``, if it has some, of the batch at hand."""
    context = getattr(stack, "context", None)
    if context is None:
        return
    # Once for all tokens of a text, and never inside of a layer that is checkpointed.
    if context.pools and states is not None and states is not context.states:
        context.pooled = masked_mean(states, mask)
    context.adapters, context.mask, context.states = adapters, mask, states


def masked_mean(states: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean (batch, 1, d_model) over the positions that are not padding.

    Args:
        states: (batch, positions, d_model).
        mask: additive (batch, 1, 1, positions), or None where nothing is padded.
    """
    if mask is None:
        return states.mean(1, keepdim=True)
    weights = (mask[:, 0] == 0).to(states.dtype)
    return torch.bmm(weights, states) / weights.sum(-1, keepdim=True)
