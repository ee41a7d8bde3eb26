"""Languages: hold what a model hears before the words to what its base hears."""

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
    r"""Divergence of a model's guess of the language from that of its base.

    .. math:: \sum_u \sum_a p(a \mid x_u) \log \frac{p(a \mid x_u)}{q(a \mid x_u)}

    p is the base's probability of language a after ``<|startoftranscript|>``,
    renormalised over all languages, q the trained model's. Labels cannot do that: a
    model of one language would learn to hear it in everything.

    What the base hears of an utterance is kept, by its name, from the first epoch on.

    Args:
        network: to be trained; a base that carries no adapter is copied.
        tokenizer: of the model.
    """

    def __init__(self, network: nn.Module, tokenizer: WhisperTokenizer) -> None:
        self._start = token_id(tokenizer, "<|startoftranscript|>")
        self._ids = [language_id(tokenizer, c) for c in known_languages(tokenizer)]
        self._network: Any = network
        self._copy: WhisperForConditionalGeneration | None = None
        if not hasattr(network, "get_base_model"):
            # No module of the model's: neither trained, nor stored, nor counted.
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
            whisper: that is trained.
            states: of its decoder, (batch, tokens, d_model).
            batch: of utterances. One whose label begins with a previous text does not
                count, for there the base has heard less.
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
        """Return (batch, languages): log-probabilities."""
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
        """Give the base: the copy, or the network without its adapter."""
        if self._copy is not None:
            yield self._copy.to(device)
            return
        training = self._network.training
        # Turning an adapter off and on lets peft decide anew what is trained.
        trained = [(p, p.requires_grad) for p in self._network.parameters()]
        self._network.eval()
        with self._network.disable_adapter():
            yield self._network.get_base_model()
        self._network.train(training)
        for parameter, flag in trained:
            parameter.requires_grad_(flag)
