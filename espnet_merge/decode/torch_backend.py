"""Decoding by torch: the reference, with every option."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.decode.batches import encode_batch
from espnet_merge.decode.identify import (
    Heard,
    identify,
    identify_after_start,
    no_speech,
)
from espnet_merge.decode.sample import sample
from espnet_merge.decode.search import Hypothesis, Rules, search
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.utterances import Utterance
from espnet_merge.speech import SAMPLE_RATE
from espnet_merge.whisper.model import Encoded, join
from espnet_merge.whisper.prompt import known_languages, language_id, token_id

# Seconds of sound that a CPU encodes at once: more leave its caches, and gain nothing.
AT_ONCE = 30.0


def seconds(longest: Utterance, settings: Settings) -> float:
    """Return how long the longest of a batch is to the encoder."""
    return max(settings.pad_to, longest.samples / SAMPLE_RATE + settings.tail)


@dataclass(frozen=True)
class TorchBackend:
    """A Whisper in torch.

    Attributes:
        whisper: the model, with or without an adapter.
        tokenizer: its own.
        settings: how to decode.
    """

    whisper: WhisperForConditionalGeneration
    tokenizer: WhisperTokenizer
    settings: Settings

    def encode(
        self, batch: Sequence[Utterance], adapters: Sequence[int] | None = None
    ) -> Encoded:
        """Run the encoder, each utterance with its adapter."""
        settings = self.settings
        size = len(batch)
        if self.whisper.device.type == "cpu":
            size = max(1, int(AT_ONCE / seconds(batch[0], settings)))
        pieces = itertools.batched(batch, size)
        places = itertools.batched(adapters or [0] * len(batch), size)
        parts = [
            encode_batch(self.whisper, piece, settings.pad_to, settings.tail, place)
            for piece, place in zip(pieces, places, strict=True)
        ]
        return join(parts)

    def identify(self, encoded: Encoded) -> list[Heard]:
        """Return the most probable language of each utterance."""
        candidates = self.settings.languages
        return identify(self.whisper, encoded, self.tokenizer, candidates)

    def no_speech(self, encoded: Encoded) -> list[float]:
        """Return the probability that nobody speaks, of each utterance."""
        return no_speech(self.whisper, encoded, self.tokenizer)

    def search(
        self, encoded: Encoded, prompts: Sequence[list[int]]
    ) -> list[Hypothesis]:
        """Return the best hypothesis of each utterance."""
        return self._search(encoded, prompts)

    def search_and_hear(
        self, encoded: Encoded, prompts: Sequence[list[int]]
    ) -> tuple[list[Hypothesis], list[Heard]]:
        """Return the same, and the most probable language of each, at no cost."""
        states: list[Tensor] = []
        found = self._search(encoded, prompts, states.append)
        return found, identify_after_start(self.whisper, states[0], self._languages)

    @cached_property
    def _languages(self) -> dict[str, int]:
        codes = known_languages(self.tokenizer)
        return {code: language_id(self.tokenizer, code) for code in codes}

    def _search(
        self,
        encoded: Encoded,
        prompts: Sequence[list[int]],
        first: Callable[[Tensor], object] | None = None,
    ) -> list[Hypothesis]:
        ids = torch.tensor(prompts, device=self.whisper.device)
        return search(
            self.whisper,
            encoded,
            ids,
            self._rules(),
            self.settings.beam,
            early_stopping=self.settings.early_stopping,
            first=first,
        )

    def sample(
        self,
        encoded: Encoded,
        prompts: Sequence[list[int]],
        seeds: dict[int, int],
        temperature: float,
    ) -> list[Hypothesis]:
        """Draw a text of some of the utterances; ``seeds`` are given by their rows."""
        rows = torch.tensor(list(seeds), device=self.whisper.device)
        ids = torch.tensor(prompts, device=self.whisper.device)[rows]
        return sample(
            self.whisper,
            encoded.select(rows),
            ids,
            self._rules(),
            temperature,
            list(seeds.values()),
        )

    def _rules(self) -> Rules:
        no_timestamps = None
        if self.settings.timestamps:
            no_timestamps = token_id(self.tokenizer, "<|notimestamps|>")
        return Rules.of(
            self.whisper,
            token_id(self.tokenizer, "<|endoftext|>"),
            self.settings.max_new_tokens,
            no_timestamps,
        )
