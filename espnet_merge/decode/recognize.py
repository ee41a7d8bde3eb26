"""A batch of utterances in, what was said in each out: one model, one mode."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import WhisperTokenizer

from espnet_merge.decode.identify import Heard
from espnet_merge.decode.record import Said, one_line
from espnet_merge.decode.routes import Routes
from espnet_merge.decode.search import Hypothesis
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.utterances import Utterance
from espnet_merge.speech import AUTO
from espnet_merge.whisper.fetched import ENGLISH_ALONE
from espnet_merge.whisper.prompt import languages_known, prompt_ids


class Backend[Encoded](Protocol):
    """What runs the network; how it holds what the encoder heard is its own matter."""

    @property
    def tokenizer(self) -> WhisperTokenizer:
        """The model's own."""

    @property
    def settings(self) -> Settings:
        """How to decode."""

    def encode(
        self, batch: Sequence[Utterance], adapters: Sequence[int] | None = None
    ) -> Encoded:
        """Run the encoder over utterances, the longest first.

        From here on each has its own of ``adapters``, by the place in the model, or
        none, 0.
        """

    def identify(self, encoded: Encoded) -> list[Heard]:
        """Return the most probable language of each utterance."""

    def no_speech(self, encoded: Encoded) -> list[float]:
        """Return the probability that nobody speaks, of each utterance."""

    def search(
        self,
        encoded: Encoded,
        prompts: Sequence[list[int]],
    ) -> list[Hypothesis]:
        """Return the best hypothesis of each utterance."""

    def search_and_hear(
        self, encoded: Encoded, prompts: Sequence[list[int]]
    ) -> tuple[list[Hypothesis], list[Heard]]:
        """Return the same, and the most probable language of each utterance."""

    def sample(
        self,
        encoded: Encoded,
        prompts: Sequence[list[int]],
        seeds: dict[int, int],
        temperature: float,
    ) -> list[Hypothesis]:
        """Draw a text of some of the utterances; ``seeds`` are given by their rows."""


def compression_ratio(text: str) -> float:
    """Return how many times shorter zlib makes a text: the more it repeats itself.

    >>> compression_ratio("no " * 100) > 10 > 2.4 > compression_ratio("buenos días")
    True
    """
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def fails(text: str, mean: float, settings: Settings) -> bool:
    """Return whether a text is to be drawn anew: improbable, or it repeats itself.

    Args:
        text: what was said.
        mean: log-probability of its tokens.
        settings: with the limits.
    """
    return (
        mean < settings.min_log_probability
        or compression_ratio(text) > settings.max_compression
    )


@dataclass(frozen=True)
class Recognizer:
    """A model that decodes in one mode.

    Attributes:
        backend: that holds the model.
        routes: where it holds many adapters, which one an utterance gets.
    """

    backend: Backend[Any]
    routes: Routes | None = None

    @property
    def settings(self) -> Settings:
        """How it decodes."""
        return self.backend.settings

    @property
    def tokenizer(self) -> WhisperTokenizer:
        """The model's own."""
        return self.backend.tokenizer

    @torch.inference_mode()
    def __call__(self, batch: Sequence[Utterance]) -> list[Said]:
        """Return what is said in each piece of the batch, the longest first."""
        encoded, heard, adapters = self._listen(batch)
        prompts = [
            prompt_ids(
                self.tokenizer,
                one.language,
                piece.task,
                timestamps=self.settings.timestamps,
            )
            for piece, one in zip(batch, heard, strict=True)
        ]
        noted: Sequence[Heard | None] = [None for _ in batch]
        if self._notes():
            found, noted = self.backend.search_and_hear(encoded, prompts)
        else:
            found = self.backend.search(encoded, prompts)
        silent = [0.0 for _ in batch]
        if self.settings.no_speech is not None:
            silent = self.backend.no_speech(encoded)
        for temperature in self.settings.temperatures or ():
            seeds = {
                row: zlib.crc32(f"{piece.name} {piece.start} {temperature}".encode())
                for row, piece in enumerate(batch)
                if self._is_to_be_drawn(found[row], silent[row])
            }
            if not seeds:
                break
            drawn = self.backend.sample(encoded, prompts, seeds, temperature)
            # As in Whisper's transcribe, the last one stays, be it good or not.
            for row, hypothesis in zip(seeds, drawn, strict=True):
                found[row] = hypothesis
        found = [
            Hypothesis([], math.log(chance), ended=True)
            if self._is_silence(hypothesis, chance)
            else hypothesis
            for hypothesis, chance in zip(found, silent, strict=True)
        ]
        return [
            Said(*each)
            for each in zip(batch, heard, found, adapters, noted, strict=True)
        ]

    def _listen(
        self, batch: Sequence[Utterance]
    ) -> tuple[Any, list[Heard], list[str | None]]:
        """Return what the encoder heard, the languages, and whose adapters it used.

        A language is heard by the base alone: it decides which adapter is right.
        """
        encoded = None
        heard = [Heard(piece.language, 1.0) for piece in batch]
        if self.settings.language == AUTO:
            encoded = self.backend.encode(batch)
            heard = self.backend.identify(encoded)
        names: list[str | None] = [None for _ in batch]
        adapters = [0 for _ in batch]
        if self.routes is not None:
            routed = [self.routes(one) for one in heard]
            names, adapters = list(routed), list(map(self.routes.index, routed))
        if encoded is None or any(adapters):
            encoded = self.backend.encode(batch, adapters)
        return encoded, heard, names

    def _notes(self) -> bool:
        """Return whether to note which languages are heard, beside those given."""
        settings = self.settings
        given = settings.hear and settings.language != AUTO
        return given and languages_known(self.tokenizer) != ENGLISH_ALONE

    def _is_to_be_drawn(self, hypothesis: Hypothesis, chance: float) -> bool:
        text = one_line(self.tokenizer, hypothesis.tokens)
        return not self._is_silence(hypothesis, chance) and fails(
            text, hypothesis.mean, self.settings
        )

    def _is_silence(self, hypothesis: Hypothesis, chance: float) -> bool:
        """Return whether the text is doubtful where probably nobody speaks."""
        return (
            self.settings.no_speech is not None
            and chance > self.settings.no_speech
            and hypothesis.mean < self.settings.min_log_probability
        )
