r"""The diagonal of the Fisher information, for the merge method ``fisher``.

.. math::
    F = \frac1N \sum_{u=1}^{N} \bigl(\nabla_\theta \log p_\theta(y_u | x_u)\bigr)^2

The gradient of each utterance is squared, not the mean gradient of a batch: the mean
is near zero for a trained model. log p is the sum over the text and end tokens, given
the prompt.

Source: Matena and Raffel, *Merging Models with Fisher-Weighted Averaging*, NeurIPS
2022, Sec. 2, https://arxiv.org/abs/2111.09832 [paper].
Departures from it: with ``reference`` the labels are the texts of the data (the
empirical Fisher), where the paper takes the model's own distribution. A fine-tuned
model is close to its references, and nothing is random. With ``model`` each token is
drawn from the model's distribution, given the reference tokens before it; a sum over
all possible texts cannot be computed [ours].
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from espnet_merge.decode.batches import encode_batch
from espnet_merge.errors import InputError
from espnet_merge.statistics.sums import Sums
from espnet_merge.statistics.utterances import Target
from espnet_merge.whisper.model import decode, logits


class FisherDiagonal:
    """Collect the sum of the squared gradients of every weight.

    Args:
        whisper: The expert; its gradients are used.
        labels: ``reference`` or ``model``.
        pad_to: Seconds to pad each utterance to.
        tail: Seconds of silence after each utterance, before it is padded.
    """

    def __init__(
        self,
        whisper: WhisperForConditionalGeneration,
        *,
        labels: str = "reference",
        pad_to: float = 30.0,
        tail: float = 0.0,
    ) -> None:
        self._whisper = whisper.requires_grad_(True)
        self._silence = pad_to, tail
        self._labels = labels
        shapes = {name: tuple(p.shape) for name, p in whisper.named_parameters()}
        self.sums = Sums.of(shapes, whisper.device)

    def add(self, batch: Sequence[Target]) -> None:
        """Add the squared gradient of each utterance.

        Raises:
            InputError: a likelihood is not finite.
        """
        for item in batch:
            self._whisper.zero_grad(set_to_none=True)
            likelihood = self._log_likelihood(item)
            if not torch.isfinite(likelihood):
                raise InputError(
                    f"{item.utterance.name}: the log-likelihood must be finite; got"
                    f" {likelihood.item()}: check the model and the audio."
                )
            likelihood.backward()  # type: ignore[no-untyped-call]
            for name, parameter in self._whisper.named_parameters():
                gradient = parameter.grad
                self.sums.totals[name].addcmul_(gradient, gradient)
                self.sums.counts[name] += 1

    def facts(self) -> dict[str, Any]:
        """Return mean and Euclidean norm of all entries, once they are means."""
        means = self.sums.totals.values()
        total = sum(float(mean.sum(dtype=torch.float64)) for mean in means)
        squares = sum(float(mean.double().square().sum()) for mean in means)
        size = sum(mean.numel() for mean in means)
        return {"mean": total / size, "norm": squares**0.5}

    def _log_likelihood(self, item: Target) -> Tensor:
        whisper = self._whisper
        encoded = encode_batch(whisper, [item.utterance], *self._silence)
        ids = torch.tensor([item.ids], device=whisper.device)
        decoder = whisper.model.decoder
        states = decode(decoder, ids[:, :-1], encoded)[0, item.prompt - 1 :]
        scores = logits(decoder, states).log_softmax(-1)
        targets = ids[0, item.prompt :]
        if self._labels == "model":
            targets = draw(scores.detach(), item.utterance.name)
        return scores.gather(-1, targets[:, None]).sum()


def draw(scores: Tensor, name: str) -> Tensor:
    """Draw a token from each row of log-probabilities; ``name`` seeds the draw."""
    seed = hashlib.sha256(name.encode()).digest()[:8]
    generator = torch.Generator().manual_seed(int.from_bytes(seed) >> 1)
    drawn = torch.multinomial(scores.exp().cpu(), 1, generator=generator)
    return drawn[:, 0].to(scores.device)
