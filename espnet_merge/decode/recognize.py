"""Decoding a batch of utterances with one model in one mode."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import WhisperTokenizer

from espnet_merge.decode.identify import IdentifiedLanguage
from espnet_merge.decode.record import DecodedSegment, text_of
from espnet_merge.decode.routes import Routes
from espnet_merge.decode.search import Hypothesis
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.utterances import Utterance
from espnet_merge.speech import AUTO
from espnet_merge.whisper.fetched import ENGLISH_ALONE
from espnet_merge.whisper.prompt import languages_known, prompt_ids


class Backend[Encoded](Protocol):
    """What runs the network; ``Encoded`` is its own type of encoder output."""

    @property
    def tokenizer(self) -> WhisperTokenizer:
        """The model's tokenizer."""

    @property
    def settings(self) -> Settings:
        """How to decode."""

    def encode(
        self, batch: Sequence[Utterance], adapters: Sequence[int] | None = None
    ) -> Encoded:
        """Run the encoder over utterances, the longest first.

        Encoder and decoder apply the adapter of each utterance. ``adapters`` holds
        their indices in the model; 0 is the base alone.
        """

    def identify(self, encoded: Encoded) -> list[IdentifiedLanguage]:
        """Return the most probable language of each utterance."""

    def no_speech(self, encoded: Encoded) -> list[float]:
        """Return the probability of each utterance that nobody speaks in it."""

    def search(
        self,
        encoded: Encoded,
        prompts: Sequence[list[int]],
    ) -> list[Hypothesis]:
        """Return the best hypothesis of each utterance."""

    def search_and_identify(
        self, encoded: Encoded, prompts: Sequence[list[int]]
    ) -> tuple[list[Hypothesis], list[IdentifiedLanguage]]:
        """Return best hypothesis and most probable language of each utterance."""

    def sample(
        self,
        encoded: Encoded,
        prompts: Sequence[list[int]],
        seeds: dict[int, int],
        temperature: float,
    ) -> list[Hypothesis]:
        """Draw a text for some utterances; ``seeds`` maps their rows to seeds."""


def compression_ratio(text: str) -> float:
    """Return the length of a text over its length after zlib; repetition raises it.

    >>> compression_ratio("no " * 100) > 10 > 2.4 > compression_ratio("buenos días")
    True
    """
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def fails(text: str, mean: float, settings: Settings) -> bool:
    """Return whether a text must be drawn again: it is improbable or repeats itself.

    Args:
        text: text of a hypothesis.
        mean: mean log-probability of its tokens.
        settings: settings with the limits of both.
    """
    return (
        mean < settings.min_log_probability
        or compression_ratio(text) > settings.max_compression
    )


@dataclass(frozen=True)
class Recognizer:
    """A model that decodes in one mode.

    Attributes:
        backend: what runs the network.
        routes: which adapter an utterance gets, if the backend holds many.
    """

    backend: Backend[Any]
    routes: Routes | None = None

    @property
    def settings(self) -> Settings:
        """How the model decodes."""
        return self.backend.settings

    @property
    def tokenizer(self) -> WhisperTokenizer:
        """The model's tokenizer."""
        return self.backend.tokenizer

    @torch.inference_mode()
    def __call__(self, batch: Sequence[Utterance]) -> list[DecodedSegment]:
        """Decode a batch of utterances or segments of them, the longest first."""
        encoded, languages, adapters = self._encode(batch)
        prompts = [
            prompt_ids(
                self.tokenizer,
                language.code,
                segment.task,
                timestamps=self.settings.timestamps,
            )
            for segment, language in zip(batch, languages, strict=True)
        ]
        identified: Sequence[IdentifiedLanguage | None] = [None for _ in batch]
        if self._identifies_given_languages():
            hypotheses, identified = self.backend.search_and_identify(encoded, prompts)
        else:
            hypotheses = self.backend.search(encoded, prompts)
        no_speech = [0.0 for _ in batch]
        if self.settings.no_speech is not None:
            no_speech = self.backend.no_speech(encoded)
        for temperature in self.settings.temperatures or ():
            seeds = {
                row: zlib.crc32(
                    f"{segment.name} {segment.start} {temperature}".encode()
                )
                for row, segment in enumerate(batch)
                if self._must_be_drawn(hypotheses[row], no_speech[row])
            }
            if not seeds:
                break
            drawn = self.backend.sample(encoded, prompts, seeds, temperature)
            # As in Whisper's transcribe, the last text is kept, good or not.
            for row, hypothesis in zip(seeds, drawn, strict=True):
                hypotheses[row] = hypothesis
        hypotheses = [
            Hypothesis([], math.log(probability), ended=True)
            if self._is_silence(hypothesis, probability)
            else hypothesis
            for hypothesis, probability in zip(hypotheses, no_speech, strict=True)
        ]
        return [
            DecodedSegment(*fields)
            for fields in zip(
                batch, languages, hypotheses, adapters, identified, strict=True
            )
        ]

    def _encode(
        self, batch: Sequence[Utterance]
    ) -> tuple[Any, list[IdentifiedLanguage], list[str | None]]:
        """Return the output of the encoder, the languages, and the adapters used.

        The base alone identifies a language, because the language decides which adapter
        is used.
        """
        encoded = None
        languages = [IdentifiedLanguage(segment.language, 1.0) for segment in batch]
        if self.settings.language == AUTO:
            encoded = self.backend.encode(batch)
            languages = self.backend.identify(encoded)
        names: list[str | None] = [None for _ in batch]
        adapters = [0 for _ in batch]
        if self.routes is not None:
            routed = [self.routes(language) for language in languages]
            names, adapters = list(routed), list(map(self.routes.index, routed))
        if encoded is None or any(adapters):
            encoded = self.backend.encode(batch, adapters)
        return encoded, languages, names

    def _identifies_given_languages(self) -> bool:
        """Return whether languages are also identified where they are given."""
        settings = self.settings
        wanted = settings.hear and settings.language != AUTO
        return wanted and languages_known(self.tokenizer) != ENGLISH_ALONE

    def _must_be_drawn(self, hypothesis: Hypothesis, no_speech: float) -> bool:
        text = text_of(self.tokenizer, hypothesis.tokens)
        return not self._is_silence(hypothesis, no_speech) and fails(
            text, hypothesis.mean, self.settings
        )

    def _is_silence(self, hypothesis: Hypothesis, no_speech: float) -> bool:
        """Return whether probably nobody speaks, and the text is improbable."""
        return (
            self.settings.no_speech is not None
            and no_speech > self.settings.no_speech
            and hypothesis.mean < self.settings.min_log_probability
        )
