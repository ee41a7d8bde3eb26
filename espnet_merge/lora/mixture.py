"""A mixture of LoRA experts: frozen adapters and a new one, weighted by a gate.

Source: Song et al., *LoRA-Whisper*, Interspeech 2024, https://arxiv.org/abs/2406.06619:
a new language uses the adapters of similar languages in addition to its own.
Departures from it: the paper's gate could not be recovered. Ours is a softmax of a
linear map in every layer. It is dense unless ``top_k`` is set, and starts at zero, so
that all experts begin with equal weights.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import WhisperForConditionalGeneration

from espnet_merge.errors import InputError
from espnet_merge.lora.mixture_conf import MixtureConf
from espnet_merge.lora.routed import STACKS, check_bases, linear_of
from espnet_merge.whisper.context import Context, add_context, masked_mean

if TYPE_CHECKING:
    from espnet_merge.checkpoint.adapter import Adapter


class MixtureLinear(nn.Module):
    r"""A frozen linear layer and the deltas of experts, weighted by a gate.

    .. math:: y = W x + c + \sum_{e=1}^{E+1} g_e s_e B_e A_e x,
        \quad g = \text{softmax}(W_g x)

    All A are concatenated, and so are all B, so that it takes two matrix products.

    Args:
        base_layer: from (…, columns) to (…, rows).
        ranks: of each frozen expert; 0 if it does not change this layer.
        conf: of the mixture.
        context: of the batch, for a gate on utterances.
        gate_columns: size of the gate's input.

    Attributes:
        down: the experts' A, (sum of ranks, columns).
        up: their B times their scales, (rows, sum of ranks).
        lora_A: of the new adapter, initially random, (r, columns); r may be 0.
        lora_B: of the new adapter, initially zero, (rows, r).
        lora_gate: W_g, initially zero, (experts + 1, columns). In the decoder, a gate
            on utterances is (experts + 1, d_model), for its input is the encoder's
            output.
    """

    down: Tensor
    up: Tensor
    owner: Tensor

    def __init__(
        self,
        base_layer: nn.Linear,
        ranks: Sequence[int],
        conf: MixtureConf,
        context: Context,
        gate_columns: int,
    ) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.ranks, self.conf, self.context = list(ranks), conf, context
        rows, columns = base_layer.weight.shape
        experts = torch.tensor([*ranks, conf.r])
        owner = torch.arange(len(experts)).repeat_interleave(experts)
        self.register_buffer("down", torch.zeros(sum(ranks), columns), persistent=False)
        self.register_buffer("up", torch.zeros(rows, sum(ranks)), persistent=False)
        self.register_buffer("owner", owner, persistent=False)
        # Without a new adapter there is nothing to train but the gate.
        new = conf.r > 0
        self.lora_A = nn.Parameter(torch.empty(conf.r, columns), requires_grad=new)
        self.lora_B = nn.Parameter(torch.zeros(rows, conf.r), requires_grad=new)
        self.lora_gate = nn.Parameter(torch.zeros(len(experts), gate_columns))
        if new:
            nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))  # as peft
        self.enabled = True
        self._wide: tuple[Tensor, Tensor] | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, positions, columns) to (batch, positions, rows)."""
        outputs: Tensor = self.base_layer(inputs)
        if not self.enabled:
            return outputs
        gates = self.gates(inputs)
        down, up = self._factors()
        weights = gates[..., self.owner]
        if self.conf.top_k is not None:
            # Experts that no utterance uses are not computed.
            used = (gates > 0).flatten(0, -2).any(0)[self.owner]
            down, up, weights = down[used], up[:, used], weights[..., used]
        return outputs + linear(linear(inputs, down) * weights, up)

    def gates(self, inputs: Tensor) -> Tensor:
        """Return the weights (batch, positions or 1, experts + 1), which sum to 1."""
        if self.conf.gate == "frame":
            gate_inputs = inputs
        elif self.context.pooled is not None:
            gate_inputs = self.context.pooled
        else:
            gate_inputs = masked_mean(inputs, self.context.mask)
        scores = linear(gate_inputs, self.lora_gate)
        if self.conf.top_k is not None:
            frozen, new = scores[..., :-1], scores[..., -1:]
            best = frozen.topk(self.conf.top_k, dim=-1)
            others = torch.full_like(frozen, -torch.inf)
            frozen = others.scatter(-1, best.indices, best.values)
            scores = torch.cat([frozen, new], dim=-1)
        return scores.softmax(-1)

    def _factors(self) -> tuple[Tensor, Tensor]:
        """Return all A and all B, concatenated; cached if nothing is trained."""
        if self._wide is not None and not self.lora_A.requires_grad:
            return self._wide
        scale = self.conf.lora_alpha / max(self.conf.r, 1)
        wide = (
            torch.cat([self.down, self.lora_A]),
            torch.cat([self.up, scale * self.lora_B], dim=1),
        )
        self._wide = None if self.lora_A.requires_grad else wide
        return wide


class Mixture(nn.Module):
    """A Whisper with ``MixtureLinear`` layers; has the interface of a ``PeftModel``.

    Args:
        whisper: frozen, with ``MixtureLinear`` in it.
        conf: of the mixture.
        experts: names of the frozen experts, in the order of the gate.
        base_sha256: digest of the base.
    """

    def __init__(
        self,
        whisper: WhisperForConditionalGeneration,
        conf: MixtureConf,
        experts: Sequence[str],
        base_sha256: str,
    ) -> None:
        super().__init__()
        self.whisper = whisper
        self.conf, self.experts, self.base_sha256 = conf, list(experts), base_sha256

    def get_base_model(self) -> WhisperForConditionalGeneration:
        """Return the Whisper with the mixtures in it."""
        return self.whisper

    def layers(self) -> dict[str, MixtureLinear]:
        """Return the ``MixtureLinear`` layers by the names of their weights."""
        return {
            f"{name}.weight": module
            for name, module in self.whisper.named_modules()
            if isinstance(module, MixtureLinear)
        }

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """Compute with the base alone inside this context."""
        for layer in self.layers().values():
            layer.enabled = False
        try:
            yield
        finally:
            for layer in self.layers().values():
                layer.enabled = True


def add_mixture(
    whisper: WhisperForConditionalGeneration,
    adapters: Sequence["Adapter"],
    conf: MixtureConf,
) -> Mixture:
    """Freeze ``whisper``; add the frozen experts, a new adapter and gates to train.

    The new adapter is on every layer that at least one expert changes.

    Args:
        whisper: the base of all adapters, in float32; changed in place.
        adapters: the frozen experts.
        conf: of the mixture.

    Raises:
        InputError: there is no expert, or fewer than ``top_k``; or one was trained on
            another base, or does not fit it.
    """
    if not adapters:
        raise InputError(
            "a mixture needs at least one expert; mixture_conf.adapters has none: name "
            "adapter directories there, or train with lora."
        )
    if conf.top_k is not None and conf.top_k > len(adapters):
        raise InputError(
            f"top_k of a mixture must be from 1 to its {len(adapters)} frozen experts; "
            f"got {conf.top_k}: lower it, or leave it out to use all."
        )
    digest = check_bases(whisper, adapters)
    names = sorted(set().union(*(adapter.scales for adapter in adapters)))
    for name in names:
        linear_of(whisper, name, adapters)
    ranks = {
        name: [one.rank(name) if name in one.scales else 0 for one in adapters]
        for name in names
    }
    mixture = build_mixture(whisper, ranks, conf, list(map(_name, adapters)), digest)
    for name, layer in mixture.layers().items():
        deltas = [one.delta(name) for one in adapters if name in one.scales]
        layer.down.copy_(torch.cat([torch.tensor(d.a) for d in deltas]))
        layer.up.copy_(torch.cat([torch.tensor(d.scale * d.b) for d in deltas], dim=1))
    return mixture


def build_mixture(
    whisper: WhisperForConditionalGeneration,
    ranks: Mapping[str, Sequence[int]],
    conf: MixtureConf,
    experts: Sequence[str],
    base_sha256: str,
) -> Mixture:
    """Add layers with zero experts to ``whisper``; only new adapter and gates train.

    Args:
        whisper: the base; changed in place.
        ranks: name of each changed weight -> rank of each expert there.
        conf: of the mixture.
        experts: names of the experts.
        base_sha256: digest of the base.
    """
    whisper.requires_grad_(False)
    pools = conf.gate == "utterance"
    contexts = {
        stack: add_context(
            whisper.get_submodule(f"model.{stack}"),
            pools=pools and stack == "decoder",
        )
        for stack in STACKS
    }
    for name, own in ranks.items():
        module = name.removesuffix(".weight")
        layer = whisper.get_submodule(module)
        stack = name.split(".")[1]
        width = whisper.config.d_model
        columns = width if contexts[stack].pools else layer.in_features
        mixed = MixtureLinear(layer, own, conf, contexts[stack], columns)
        whisper.set_submodule(module, mixed)
    return Mixture(whisper, conf, experts, base_sha256)


def _name(adapter: "Adapter") -> str:
    return str(adapter.path)
