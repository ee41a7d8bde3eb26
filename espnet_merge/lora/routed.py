"""Many adapters on one frozen Whisper, one for each utterance of a batch.

Source: Song et al., *LoRA-Whisper*, Interspeech 2024, https://arxiv.org/abs/2406.06619:
a language is decoded with its own adapter and no other.
Departure from it: a batch may hold many languages and takes one pass over the base.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import WhisperForConditionalGeneration

from espnet_merge.errors import InputError
from espnet_merge.lora.adapter import base_digest, check_base
from espnet_merge.whisper.context import Context, add_context

if TYPE_CHECKING:
    from espnet_merge.checkpoint.adapter import Adapter
    from espnet_merge.checkpoint.factored import Factored

BASE = 0  # in ``Context.adapters``: no adapter; the first adapter is 1
STACKS = ("encoder", "decoder")


class RoutedLinear(nn.Module):
    r"""A frozen linear layer that adds to each utterance the delta of its adapter.

    .. math:: y_i = W x_i + c + s_k B_k A_k x_i, \quad k = \text{adapter of } i

    The factors of all adapters are stacked; lower ranks are padded with zeros. The
    factors for a batch are gathered once and reused for the decoder's next tokens. Two
    batched products of the rank of one adapter then suffice. Masked products of the
    rank of all adapters together would take several times the work.

    Args:
        base_layer: from (…, columns) to (…, rows).
        deltas: of each adapter, or None if it does not change this layer.
        context: holds the index of each utterance's adapter; ``BASE`` means none.
    """

    down: Tensor  # (1 + adapters, columns, rank)
    up: Tensor  # (1 + adapters, rank, rows)

    def __init__(
        self,
        base_layer: nn.Linear,
        deltas: Sequence["Factored | None"],
        context: Context,
    ) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.context = context
        rows, columns = base_layer.weight.shape
        rank = max(len(delta.a) for delta in deltas if delta is not None)
        down = torch.zeros(1 + len(deltas), columns, rank)
        up = torch.zeros(1 + len(deltas), rank, rows)
        for index, delta in enumerate(deltas, start=1):
            if delta is not None:
                down[index, :, : len(delta.a)] = torch.tensor(delta.a.T)
                up[index, : len(delta.a)] = torch.tensor(delta.scale * delta.b.T)
        self.register_buffer("down", down, persistent=False)
        self.register_buffer("up", up, persistent=False)
        self._gathered: tuple[Tensor, Tensor, Tensor] | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, positions, columns) to (batch, positions, rows)."""
        outputs: Tensor = self.base_layer(inputs)
        if self.context.adapters is None:
            return outputs
        down, up = self._gather(self.context.adapters)
        return outputs.baddbmm_(torch.bmm(inputs, down), up)

    def _gather(self, adapters: Tensor) -> tuple[Tensor, Tensor]:
        if self._gathered is None or self._gathered[0] is not adapters:
            self._gathered = adapters, self.down[adapters], self.up[adapters]
        return self._gathered[1:]


def add_routed(
    whisper: WhisperForConditionalGeneration, adapters: Sequence["Adapter"]
) -> str:
    """Add the adapters to ``whisper`` in place, and return the digest of the base.

    ``encode`` takes their indices.

    Args:
        whisper: the base of all adapters, in float32, without an adapter.
        adapters: of any ranks, scales and layers; the first has index 1.

    Raises:
        InputError: an adapter was trained on another base, or changes a layer that is
            missing from the base or has another shape there.
    """
    digest = check_bases(whisper, adapters)
    contexts = {
        name: add_context(whisper.get_submodule(f"model.{name}")) for name in STACKS
    }
    for name in sorted(set().union(*(adapter.scales for adapter in adapters))):
        layer = linear_of(whisper, name, adapters)
        deltas = [one.delta(name) if name in one.scales else None for one in adapters]
        module = name.removesuffix(".weight")
        routed = RoutedLinear(layer, deltas, contexts[name.split(".")[1]])
        whisper.set_submodule(module, routed)
    whisper.requires_grad_(False)
    return digest


def check_bases(
    whisper: WhisperForConditionalGeneration, adapters: Sequence["Adapter"]
) -> str:
    """Return the digest of the base; check that all adapters were trained on it."""
    digest = base_digest(whisper)
    for adapter in adapters:
        check_base(adapter.path, adapter.base_sha256, digest)
    return digest


def linear_of(
    whisper: WhisperForConditionalGeneration, name: str, adapters: Sequence["Adapter"]
) -> nn.Linear:
    """Return the layer with weight ``name``; check that every adapter fits it."""
    layer = dict(whisper.named_modules()).get(name.removesuffix(".weight"))
    for adapter in adapters:
        if name not in adapter.scales:
            continue
        if not isinstance(layer, nn.Linear) or name.split(".")[1] not in STACKS:
            raise InputError(
                f"{adapter.path}: {name} must be the weight of a linear layer of the "
                "base's encoder or decoder; it is none: the adapter belongs to another "
                "model."
            )
        if adapter.shape(name) != layer.weight.shape:
            raise InputError(
                f"{adapter.path}: {name} must have shape {tuple(layer.weight.shape)}; "
                f"got {adapter.shape(name)}: the adapter belongs to another model."
            )
    assert isinstance(layer, nn.Linear)
    return layer
