"""A batch of utterances in, what was said in each out: one Whisper, one mode."""

import math
import zlib
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration, WhisperTokenizer

from espnet_merge.decode.batches import encode_batch
from espnet_merge.decode.identify import Heard, identify, no_speech
from espnet_merge.decode.record import Said, one_line
from espnet_merge.decode.sample import sample
from espnet_merge.decode.search import Hypothesis, Rules, search
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.utterances import Utterance
from espnet_merge.whisper.model import Encoded
from espnet_merge.whisper.prompt import AUTO, prompt_ids, token_id


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
    """A Whisper that decodes in one mode.

    Attributes:
        whisper: the model, with or without an adapter.
        tokenizer: its own.
        settings: how to decode.
    """

    whisper: WhisperForConditionalGeneration
    tokenizer: WhisperTokenizer
    settings: Settings

    @torch.inference_mode()
    def __call__(self, batch: list[Utterance]) -> list[Said]:
        """Return what is said in each piece of the batch."""
        settings = self.settings
        encoded = encode_batch(self.whisper, batch, settings.pad_to, settings.tail)
        heard = [Heard(piece.language, 1.0) for piece in batch]
        if settings.language == AUTO:
            heard = identify(self.whisper, encoded, self.tokenizer, settings.languages)
        prompts = self._prompts(batch, heard)
        found = search(self.whisper, encoded, prompts, self._rules(), settings.beam)
        found = self._retried(batch, encoded, prompts, found)
        return [Said(*each) for each in zip(batch, heard, found, strict=True)]

    def _prompts(self, batch: list[Utterance], heard: list[Heard]) -> Tensor:
        prompts = [
            prompt_ids(
                self.tokenizer,
                one.language,
                piece.task,
                timestamps=self.settings.timestamps,
            )
            for piece, one in zip(batch, heard, strict=True)
        ]
        return torch.tensor(prompts, device=self.whisper.device)

    def _rules(self) -> Rules:
        return Rules.of(
            self.whisper,
            token_id(self.tokenizer, "<|endoftext|>"),
            self.settings.max_new_tokens,
            token_id(self.tokenizer, "<|notimestamps|>")
            if self.settings.timestamps
            else None,
        )

    def _retried(
        self,
        batch: list[Utterance],
        encoded: Encoded,
        prompts: Tensor,
        found: list[Hypothesis],
    ) -> list[Hypothesis]:
        """Draw anew what fails, with ever higher temperature, and drop silence.

        As in Whisper's ``transcribe``, the last attempt stays, be it good or not.
        """
        settings = self.settings
        silent = [0.0 for _ in batch]
        if settings.no_speech is not None:
            silent = no_speech(self.whisper, encoded, self.tokenizer)
        found = list(found)
        for temperature in settings.temperatures or ():
            rows = [
                row
                for row, hypothesis in enumerate(found)
                if not self._is_silence(hypothesis, silent[row])
                and fails(self._text(hypothesis), hypothesis.mean, settings)
            ]
            if not rows:
                break
            seeds = [
                zlib.crc32(
                    f"{batch[row].name} {batch[row].start} {temperature}".encode()
                )
                for row in rows
            ]
            left = torch.tensor(rows, device=prompts.device)
            drawn = sample(
                self.whisper,
                encoded.select(left),
                prompts[left],
                self._rules(),
                temperature,
                seeds,
            )
            for row, hypothesis in zip(rows, drawn, strict=True):
                found[row] = hypothesis
        return [
            Hypothesis([], math.log(chance), ended=True)
            if self._is_silence(hypothesis, chance)
            else hypothesis
            for hypothesis, chance in zip(found, silent, strict=True)
        ]

    def _text(self, hypothesis: Hypothesis) -> str:
        return one_line(self.tokenizer, hypothesis.tokens)

    def _is_silence(self, hypothesis: Hypothesis, chance: float) -> bool:
        """Return whether the text is doubtful where probably nobody speaks."""
        return (
            self.settings.no_speech is not None
            and chance > self.settings.no_speech
            and hypothesis.mean < self.settings.min_log_probability
        )
