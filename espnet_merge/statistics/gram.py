r"""Gram matrices of the inputs of linear layers, for the merge method ``regmean``.

.. math:: G = \frac1N X^\top X

over the N rows of a layer's input: positions of the encoder, or tokens of the decoder,
which is given the reference. Rows of padding are left out, both those that fill a batch
and those of the silence after an utterance.

Source: Jin et al., *Dataless Knowledge Fusion by Merging Weights of Language Models*,
ICLR 2023, Sec. 3, https://arxiv.org/abs/2212.09849 [paper]. It is the mean over rows,
not the sum, as in the authors' code [code], so that an expert does not count more for
having more data.
Departures from it: rows of padding are left out; the authors' code keeps them [ours].
"""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import WhisperForConditionalGeneration

from espnet_merge.checkpoint.roles import role_of
from espnet_merge.decode.batches import encode_batch
from espnet_merge.statistics.sums import Sums
from espnet_merge.statistics.utterances import Target
from espnet_merge.whisper.features import HOP
from espnet_merge.whisper.model import decode

# Layers whose input rows are encoder positions; the rows of the others are tokens.
SEES_ENCODER = re.compile(r"encoder\.layers|encoder_attn\.[kv]_proj")
# Layers that share an input, and the first of them. In self-attention keys and values
# have the input of queries; all keys and values of cross-attention have the encoder's
# states.
SAME_INPUT = (
    (re.compile(r"self_attn\.[kv]_proj"), "self_attn.q_proj"),
    (
        re.compile(r"layers\.\d+\.encoder_attn\.[kv]_proj"),
        "layers.0.encoder_attn.k_proj",
    ),
)
SAMPLES_PER_POSITION = 2 * HOP  # audio samples of one encoder position


class Gram:
    """Collect the sum of X^T X of each input; layers with the same input share one.

    Args:
        whisper: The expert.
        pad_to: Seconds to pad each utterance to.
        tail: Seconds of silence after each utterance, before it is padded.
    """

    def __init__(
        self,
        whisper: WhisperForConditionalGeneration,
        *,
        pad_to: float = 30.0,
        tail: float = 0.0,
    ) -> None:
        self._whisper = whisper
        self._silence = pad_to, tail
        self._rows: dict[bool, Tensor] = {}
        modules = {
            f"{name}.weight": module
            for name, module in whisper.named_modules()
            if isinstance(module, nn.Linear)
            and role_of(f"{name}.weight", module.weight.shape) == "linear"
        }
        self._inputs = {name: input_of(name) for name in modules}
        shapes: dict[str, tuple[int, ...]] = {
            name: (modules[name].in_features,) * 2
            for name in dict.fromkeys(self._inputs.values())
        }
        self.sums = Sums.of(shapes, whisper.device)
        for name in shapes:
            modules[name].register_forward_pre_hook(self._hook(name))

    @torch.no_grad()
    def add(self, batch: Sequence[Target]) -> None:
        """Run a batch through the model and add the inputs of its layers."""
        whisper = self._whisper
        place = {"device": whisper.device}
        utterances = [item.utterance for item in batch]
        texts = [torch.tensor(item.ids[:-1], **place) for item in batch]
        tokens = pad_sequence(texts, batch_first=True)
        positions = torch.tensor(
            [-(-u.samples // SAMPLES_PER_POSITION) for u in utterances], **place
        )
        tokens_given = torch.tensor([len(text) for text in texts], **place)
        self._rows = {True: positions, False: tokens_given}
        encoded = encode_batch(whisper, utterances, *self._silence)
        decode(whisper.model.decoder, tokens, encoded)

    def facts(self) -> dict[str, Any]:
        """Return the name under which the Gram matrix of each weight is stored."""
        return {"inputs": self._inputs}

    def _hook(self, name: str) -> Any:  # noqa: ANN401 - what torch takes
        sees_encoder = bool(SEES_ENCODER.search(name))

        def add(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            (states,) = args
            lengths = self._rows[sees_encoder]
            places = torch.arange(states.shape[1], device=states.device)
            rows = states[places < lengths[:, None]]
            self.sums.totals[name].addmm_(rows.T, rows)
            self.sums.counts[name] += len(rows)

        return add


def input_of(name: str) -> str:
    """Return the first linear weight that has the same input as the weight ``name``.

    Example:
        >>> input_of("model.decoder.layers.3.encoder_attn.v_proj.weight")
        'model.decoder.layers.0.encoder_attn.k_proj.weight'
        >>> input_of("model.encoder.layers.2.fc1.weight")
        'model.encoder.layers.2.fc1.weight'
    """
    for pattern, first in SAME_INPUT:
        name = pattern.sub(first, name)
    return name
