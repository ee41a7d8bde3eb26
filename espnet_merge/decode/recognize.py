"""Decoding a batch of utterances with one model in one mode."""

import math
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, Protocol

import torch
from transformers import WhisperTokenizer

from espnet_merge.checkpoint.padding import Padding
from espnet_merge.decode.identify import IdentifiedLanguage
from espnet_merge.decode.record import DecodedSegment, text_of
from espnet_merge.decode.router import Choice
from espnet_merge.decode.routes import NONE, Routes
from espnet_merge.decode.sample import Draw
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
        self,
        batch: Sequence[Utterance],
        adapters: Sequence[int] | None = None,
        padding: Padding | None = None,
    ) -> Encoded:
        """Run the encoder over utterances, the longest first.

        Encoder and decoder apply the adapter of each utterance. ``adapters`` holds
        their indices in the model; 0 is the base alone.
        Without ``padding`` that of the settings is used.
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
        draws: Sequence[Draw],
    ) -> list[Hypothesis]:
        """Draw texts; of an utterance as often as it is named."""


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


def _seed(segment: Utterance, temperature: float) -> int:
    """Return a seed of the utterance and the temperature alone."""
    return zlib.crc32(f"{segment.name} {segment.start} {temperature}".encode())


class _Row(NamedTuple):
    """A segment to decode, its language, and the name of its adapter."""

    segment: Utterance
    language: IdentifiedLanguage
    adapter: str | None


@dataclass(frozen=True)
class Recognizer:
    """A model that decodes in one mode.

    Attributes:
        backend: what runs the network.
        routes: which adapter an utterance gets, if the backend holds many.
        mixtures: name in ``routes`` -> what runs this mixture. The layers of a mixture
            are its own, so its utterances are decoded apart from others of the batch.
    """

    backend: Backend[Any]
    routes: Routes | None = None
    mixtures: Mapping[str, Backend[Any]] = field(default_factory=dict)

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
        base = cache(lambda padding: self.backend.encode(batch, padding=padding))
        rows = self._route(batch, base)
        if self.routes is None or all(row.adapter == NONE for row in rows):
            return self._decode(self.backend, base(self.settings.padding), rows)
        parts: dict[str | None, list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            parts[row.adapter if row.adapter in self.mixtures else None].append(index)
        decoded: dict[int, DecodedSegment] = {}
        for mixture, indices in parts.items():
            backend = self.mixtures[mixture] if mixture else self.backend
            own = [rows[index] for index in indices]
            adapters = [self.routes.index(row.adapter or NONE) for row in own]
            encoded = backend.encode([row.segment for row in own], adapters)
            decoded |= zip(indices, self._decode(backend, encoded, own), strict=True)
        return [decoded[index] for index in range(len(rows))]

    def _route(
        self, batch: Sequence[Utterance], base: Callable[[Padding], Any]
    ) -> list[_Row]:
        """Return the language and the adapter of each utterance.

        The base alone identifies the languages and is what a router is applied to. It
        runs once if the padding of both is the same.

        Args:
            batch: the utterances.
            base: padding -> output of the base's encoder; it remembers its results.
        """
        languages = [IdentifiedLanguage(segment.language, 1.0) for segment in batch]
        if self.settings.language == AUTO:
            languages = self.backend.identify(base(self.settings.padding))
        adapters: Sequence[str | None] = [None for _ in batch]
        if self.routes is not None:
            router = self.routes.router
            choices: Sequence[IdentifiedLanguage | Choice] = languages
            if router is not None:
                choices = router(base(router.padding))
            adapters = [self.routes(*choice) for choice in choices]
        return [
            _Row(*fields) for fields in zip(batch, languages, adapters, strict=True)
        ]

    def _decode(
        self,
        backend: Backend[Any],
        encoded: Any,  # noqa: ANN401
        rows: Sequence[_Row],
    ) -> list[DecodedSegment]:
        """Decode utterances with one backend, after its encoder."""
        prompts = [
            prompt_ids(
                self.tokenizer,
                row.language.code,
                row.segment.task,
                timestamps=self.settings.timestamps,
            )
            for row in rows
        ]
        identified: Sequence[IdentifiedLanguage | None] = [None for _ in rows]
        if self._identifies_given_languages():
            hypotheses, identified = backend.search_and_identify(encoded, prompts)
        else:
            hypotheses = backend.search(encoded, prompts)
        no_speech = [0.0 for _ in rows]
        if self.settings.no_speech is not None:
            no_speech = backend.no_speech(encoded)
        self._draw_again(backend, encoded, rows, prompts, hypotheses, no_speech)
        hypotheses = [
            Hypothesis([], math.log(probability), ended=True)
            if self._is_silence(hypothesis, probability)
            else hypothesis
            for hypothesis, probability in zip(hypotheses, no_speech, strict=True)
        ]
        return [
            DecodedSegment(row.segment, row.language, hypothesis, row.adapter, own)
            for row, hypothesis, own in zip(rows, hypotheses, identified, strict=True)
        ]

    def _draw_again(
        self,
        backend: Backend[Any],
        encoded: Any,  # noqa: ANN401
        rows: Sequence[_Row],
        prompts: Sequence[list[int]],
        hypotheses: list[Hypothesis],
        no_speech: Sequence[float],
    ) -> None:
        """Replace texts that fail by draws at rising temperatures, until one is good.

        As in Whisper's transcribe, the last draw is kept, good or not.
        """
        left = list(self.settings.temperatures or ())
        while left:
            failing = [
                index
                for index, hypothesis in enumerate(hypotheses)
                if self._must_be_drawn(hypothesis, no_speech[index])
            ]
            if not failing:
                return
            # A step costs about the same for one text as for many, so that few texts
            # are drawn at several temperatures at once.
            count = max(1, self.settings.batch_size // len(failing))
            draws = [
                Draw(index, temperature, _seed(rows[index].segment, temperature))
                for temperature in left[:count]
                for index in failing
            ]
            for draw, hypothesis in zip(
                draws, backend.sample(encoded, prompts, draws), strict=True
            ):
                if self._must_be_drawn(hypotheses[draw.row], no_speech[draw.row]):
                    hypotheses[draw.row] = hypothesis
            left = left[count:]

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
