"""Keep language identification: a loss that holds it to that of the base."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.whisper.model import decode, encode, logits
from espnet_merge.whisper.prompt import known_languages, language_id, token_id


class LanguageKeeper:
    r"""Divergence of a model's language posterior from that of its base.

    .. math:: \sum_u \sum_a p(a \mid x_u) \log \frac{p(a \mid x_u)}{q(a \mid x_u)}

    p is the base's probability of language a after ``<|startoftranscript|>``,
    renormalised over all languages, and q that of the trained model. Labels with the
    language token would not do: a model of one language would learn to predict it for
    every utterance.

    The base's probabilities for each utterance are computed in the first epoch and
    cached under its name.

    Args:
        network: the model to train; if it has no adapter, a copy of it is the base.
        tokenizer: of the model.
    """

    def __init__(self, network: nn.Module, tokenizer: WhisperTokenizer) -> None:
        self._start = token_id(tokenizer, "<|startoftranscript|>")
        self._ids = [language_id(tokenizer, c) for c in known_languages(tokenizer)]
        self._network: Any = network
        self._copy: WhisperForConditionalGeneration | None = None
        if not hasattr(network, "get_base_model"):
            # The keeper is no nn.Module: the copy is neither trained nor stored.
            self._copy = copy.deepcopy(network).requires_grad_(False).eval()
        self._base_cache: dict[str, Tensor] = {}

    def divergence(
        self,
        whisper: WhisperForConditionalGeneration,
        states: Tensor,
        batch: dict[str, Any],
    ) -> Tensor:
        """Return the sum over the utterances of a batch.

        Args:
            whisper: the model that is trained.
            states: of its decoder, (batch, tokens, d_model).
            batch: of utterances. Those whose label begins with a previous text are left
                out, because the base does not see that text.
        """
        plain = batch["text"][:, 0] == self._start
        rows = logits(whisper.model.decoder, states[plain, 0], self._ids)
        names = batch.get("utt_id") or [""] * len(plain)
        expected = self._base_log_probs(batch, names)[plain]
        return kl_div(
            rows.float().log_softmax(-1), expected, reduction="sum", log_target=True
        )

    @torch.no_grad()
    def _base_log_probs(self, batch: dict[str, Any], names: Sequence[str]) -> Tensor:
        """Return the base's log-probabilities (batch, languages)."""
        if all(name in self._base_cache for name in names):
            return torch.stack([self._base_cache[name] for name in names])
        speech, lengths = batch["speech"], batch["speech_lengths"]
        with self._base(speech.device) as whisper:
            encoded = encode(whisper.model.encoder, speech, lengths)
            start = batch["text"].new_full((len(speech), 1), self._start)
            states = decode(whisper.model.decoder, start, encoded)[:, 0]
            rows = logits(whisper.model.decoder, states, self._ids)
        log_probs = rows.float().log_softmax(-1)
        self._base_cache |= {
            n: row for n, row in zip(names, log_probs, strict=True) if n
        }
        return log_probs

    @contextmanager
    def _base(self, device: torch.device) -> Iterator[WhisperForConditionalGeneration]:
        """Yield the base: the copy, or the network with its adapter disabled."""
        if self._copy is not None:
            yield self._copy.to(device)
            return
        training = self._network.training
        # peft resets requires_grad when an adapter is disabled and enabled.
        trained = [(p, p.requires_grad) for p in self._network.parameters()]
        self._network.eval()
        with self._network.disable_adapter():
            yield self._network.get_base_model()
        self._network.train(training)
        for parameter, flag in trained:
            parameter.requires_grad_(flag)
