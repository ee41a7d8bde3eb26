"""Decoding by torch: the reference implementation, with every option."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.checkpoint.padding import Padding
from espnet_merge.decode.batches import encode_batch
from espnet_merge.decode.identify import (
    IdentifiedLanguage,
    identify,
    identify_after_start,
    no_speech,
)
from espnet_merge.decode.sample import Draw, sample
from espnet_merge.decode.search import Hypothesis, Rules, search
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.utterances import Utterance
from espnet_merge.speech import SAMPLE_RATE, WINDOW
from espnet_merge.whisper.model import Encoded, join
from espnet_merge.whisper.prompt import known_languages, language_id, token_id

# Seconds of audio that a CPU encodes at once: one window of Whisper. More would leave
# its caches, and gain nothing.
CPU_SECONDS = WINDOW


def input_seconds(longest: Utterance, padding: Padding) -> float:
    """Return the length of the longest utterance of a batch as the encoder gets it."""
    return max(padding.pad_to, longest.samples / SAMPLE_RATE + padding.tail)


@dataclass(frozen=True)
class TorchBackend:
    """A Whisper in torch.

    Attributes:
        whisper: the model, with or without an adapter.
        tokenizer: the model's tokenizer.
        settings: how to decode.
    """

    whisper: WhisperForConditionalGeneration
    tokenizer: WhisperTokenizer
    settings: Settings

    def encode(
        self,
        batch: Sequence[Utterance],
        adapters: Sequence[int] | None = None,
        padding: Padding | None = None,
    ) -> Encoded:
        """Run the encoder, each utterance with its adapter."""
        padding = padding or self.settings.padding
        size = len(batch)
        if self.whisper.device.type == "cpu":
            size = max(1, int(CPU_SECONDS / input_seconds(batch[0], padding)))
        parts = itertools.batched(batch, size)
        indices = itertools.batched(adapters or [0] * len(batch), size)
        return join(
            [
                encode_batch(self.whisper, part, *padding, own)
                for part, own in zip(parts, indices, strict=True)
            ]
        )

    def identify(self, encoded: Encoded) -> list[IdentifiedLanguage]:
        """Return the most probable language of each utterance."""
        candidates = self.settings.languages
        return identify(self.whisper, encoded, self.tokenizer, candidates)

    def no_speech(self, encoded: Encoded) -> list[float]:
        """Return the probability of each utterance that nobody speaks in it."""
        return no_speech(self.whisper, encoded, self.tokenizer)

    def search(
        self, encoded: Encoded, prompts: Sequence[list[int]]
    ) -> list[Hypothesis]:
        """Return the best hypothesis of each utterance."""
        return self._search(encoded, prompts)

    def search_and_identify(
        self, encoded: Encoded, prompts: Sequence[list[int]]
    ) -> tuple[list[Hypothesis], list[IdentifiedLanguage]]:
        """Return the best hypothesis and the most probable language of each utterance.

        The language comes from the states of the search, without another pass.
        """
        states: list[Tensor] = []
        hypotheses = self._search(encoded, prompts, states.append)
        languages = identify_after_start(self.whisper, states[0], self._languages)
        return hypotheses, languages

    @cached_property
    def _languages(self) -> dict[str, int]:
        codes = known_languages(self.tokenizer)
        return {code: language_id(self.tokenizer, code) for code in codes}

    def _search(
        self,
        encoded: Encoded,
        prompts: Sequence[list[int]],
        on_start: Callable[[Tensor], object] | None = None,
    ) -> list[Hypothesis]:
        ids = torch.tensor(prompts, device=self.whisper.device)
        return search(
            self.whisper,
            encoded,
            ids,
            self._rules(),
            self.settings.beam,
            early_stopping=self.settings.early_stopping,
            on_start=on_start,
        )

    def sample(
        self,
        encoded: Encoded,
        prompts: Sequence[list[int]],
        draws: Sequence[Draw],
    ) -> list[Hypothesis]:
        """Draw texts; of an utterance as often as it is named."""
        rows = torch.tensor([draw.row for draw in draws], device=self.whisper.device)
        ids = torch.tensor(prompts, device=self.whisper.device)[rows]
        chosen = encoded.select(rows)
        return sample(self.whisper, chosen, ids, self._rules(), draws)

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
