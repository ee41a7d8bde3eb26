"""What an adapter must know of a batch beside the input of its layer."""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass
class Context:
    """The batch that an encoder or a decoder runs over.

    Attributes:
        adapters: (batch,) whose adapter each utterance has; None: the base alone.
        mask: additive mask (batch, 1, 1, positions) of the encoder's positions, or
            None where nothing is padded.
        states: the encoder's (batch, positions, d_model); None in the encoder.
    """

    adapters: Tensor | None = None
    mask: Tensor | None = None
    states: Tensor | None = None


def add_context(stack: nn.Module) -> Context:
    """Return the context of an encoder or decoder, for adapters to look into.

    The encoder's is not the decoder's: with gradient checkpointing, layers of the
    encoder run again when the decoder has run.
    """
    stack.context = Context()  # type: ignore[assignment]
    return stack.context  # type: ignore[return-value]


def tell_context(
    stack: nn.Module,
    adapters: Tensor | None,
    mask: Tensor | None,
    states: Tensor | None = None,
) -> None:
    """Tell the adapters of ``stack``, if it has some, of the batch at hand."""
    context = getattr(stack, "context", None)
    if context is not None:
        context.adapters, context.mask, context.states = adapters, mask, states
