r"""Gram matrices of the inputs of linear layers, for :class:`methods.regmean.RegMean`.

.. math:: G = \frac1N X^\top X

over the N rows that a layer sees: positions of the encoder or tokens of the decoder,
which is told the reference. Rows of padding are left out: those that fill a batch, and
the silence after an utterance, whose encoding only attention looks at.

Source: Jin et al., *Dataless Knowledge Fusion by Merging Weights of Language Models*,
ICLR 2023, Sec. 3, https://arxiv.org/abs/2212.09849 [paper]; the mean over rows in
place of the sum, as in the authors' code [code]: no expert counts for its amount of
data.
Departures from it: rows of padding, which the authors' code keeps [ours].
"""

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import WhisperForConditionalGeneration

from espnet_merge.checkpoint.roles import role_of
from espnet_merge.decoding.batches import encode_batch
from espnet_merge.statistics.sums import Sums
from espnet_merge.statistics.utterances import Labelled
from espnet_merge.whisper.features import HOP
from espnet_merge.whisper.model import decode

# Layers that see the encoder's positions; the others see the decoder's tokens.
HEARS = re.compile(r"encoder\.layers|encoder_attn\.[kv]_proj")
# Keys and values see what queries see, those of the decoder the encoder's states.
SAME_INPUT = (
    (re.compile(r"self_attn\.[kv]_proj"), "self_attn.q_proj"),
    (
        re.compile(r"layers\.\d+\.encoder_attn\.[kv]_proj"),
        "layers.0.encoder_attn.k_proj",
    ),
)
SAMPLES = 2 * HOP  # of audio, from one position of the encoder to the next


class Gram:
    """Sums of the products of inputs, one for layers that share their input.

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
    def add(self, batch: Sequence[Labelled]) -> None:
        """Add the inputs that the layers see of a batch."""
        whisper = self._whisper
        place = {"device": whisper.device}
        utterances = [item.utterance for item in batch]
        texts = [torch.tensor(item.ids[:-1], **place) for item in batch]
        tokens = pad_sequence(texts, batch_first=True)
        heard = torch.tensor([-(-u.samples // SAMPLES) for u in utterances], **place)
        said = torch.tensor([len(text) for text in texts], **place)
        self._rows = {True: heard, False: said}
        encoded = encode_batch(whisper, utterances, *self._silence)
        decode(whisper.model.decoder, tokens, encoded)

    def facts(self) -> dict[str, Any]:
        """Return the name under which the matrix of each weight is kept."""
        return {"inputs": self._inputs}

    def _hook(self, name: str) -> Any:  # noqa: ANN401 - what torch takes
        hears = bool(HEARS.search(name))

        def add(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            (states,) = args
            lengths = self._rows[hears]
            places = torch.arange(states.shape[1], device=states.device)
            rows = states[places < lengths[:, None]]
            self.sums.totals[name].addmm_(rows.T, rows)
            self.sums.counts[name] += len(rows)

        return add


def input_of(name: str) -> str:
    """Return the first linear weight that sees the same input as the weight ``name``.

    Example:
        >>> input_of("model.decoder.layers.3.encoder_attn.v_proj.weight")
        'model.decoder.layers.0.encoder_attn.k_proj.weight'
        >>> input_of("model.encoder.layers.2.fc1.weight")
        'model.encoder.layers.2.fc1.weight'
    """
    for pattern, first in SAME_INPUT:
        name = pattern.sub(first, name)
    return name
