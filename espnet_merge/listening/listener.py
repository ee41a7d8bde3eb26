"""What systems make of a recording: texts, times, and where they differ."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from espnet_merge.checkpoint.padding import PUBLISHED, common_padding
from espnet_merge.data.audio import AudioError, read_blocks, write_flac
from espnet_merge.decode.batches import batches
from espnet_merge.decode.recognize import Recognizer
from espnet_merge.decode.record import utterance_record
from espnet_merge.decode.routes import Routes
from espnet_merge.decode.segments import cut
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.transcribe import load_backend
from espnet_merge.decode.utterances import Utterance
from espnet_merge.errors import InputError
from espnet_merge.options import build
from espnet_merge.report.examples import Edits, join_correct
from espnet_merge.score.evaluate import aligned, main_metric
from espnet_merge.score.utterances import ScoredUtterance
from espnet_merge.speech import AUTO, TRANSLATE
from espnet_merge.whisper.prompt import load_tokenizer


class Heard(NamedTuple):
    """What a system made of a recording.

    Attributes:
        name: of the system.
        text: that it decoded.
        language: that was given, or heard.
        adapter: that a route chose; empty where there is no choice.
        seconds: of decoding, without the loading of the model.
    """

    name: str
    text: str
    language: str
    adapter: str
    seconds: float


@dataclass(frozen=True)
class System:
    """A model, a model with an adapter, or a route between adapters.

    It is loaded when it first hears something, and stays in memory.

    Attributes:
        name: of the system.
        model: Hugging Face directory.
        adapter: PEFT adapter or mixture on it.
        routes: adapters to choose from, in place of one.
        device: ``cpu`` or ``cuda``.
    """

    name: str
    model: Path
    adapter: Path | None = None
    routes: Routes | None = None
    device: str = "cpu"

    @cached_property
    def settings(self) -> Settings:
        """How it decodes: padded as it was trained."""
        used = [self.adapter or self.model]
        if self.routes is not None:
            used = list(self.routes.adapters.values())
        padding = common_padding(used) or PUBLISHED
        return build(
            Settings,
            {**padding._asdict(), "language": AUTO, "device": self.device},
        )

    @cached_property
    def recognizer(self) -> Recognizer:
        """What decodes."""
        tokenizer = load_tokenizer(self.model)
        backend = load_backend(
            self.model, self.adapter, self.settings, tokenizer, self.routes
        )
        mixtures = self.routes.mixtures if self.routes else {}
        return Recognizer(
            backend,
            self.routes,
            {
                name: load_backend(self.model, path, self.settings, tokenizer)
                for name, path in mixtures.items()
            },
        )

    def hear(self, recording: Utterance) -> Heard:
        """Decode a recording of any length."""
        recognizer = self.recognizer
        if recording.language != AUTO:
            recognizer = given_language(recognizer)
        start = time.monotonic()
        segments = cut([recording], self.settings.tail)
        decoded = [
            segment
            for batch in batches(segments, self.settings.batch_size)
            for segment in recognizer(batch)
        ]
        seconds = time.monotonic() - start
        record = utterance_record(recording, decoded, recognizer.tokenizer)
        first = decoded[0] if decoded else None
        return Heard(
            self.name,
            record["text"],
            first.language.code if first else recording.language,
            (first.adapter or "") if first else "",
            seconds,
        )


def given_language(recognizer: Recognizer) -> Recognizer:
    """Return what decodes with the same network, in the language of the utterance."""
    backend = replace(
        recognizer.backend,  # type: ignore[type-var]
        settings=replace(recognizer.settings, language=None),
    )
    return replace(recognizer, backend=backend)


def recorded(content: bytes, folder: Path, language: str, task: str) -> Utterance:
    """Write a recording of any format as Whisper hears it.

    Raises:
        InputError: it is no audio, or empty.
    """
    given, file = folder / "given", folder / "recording.flac"
    given.write_bytes(content)
    try:
        samples = write_flac(file, read_blocks(given))
    except AudioError as error:
        raise InputError(
            f"a recording must be audio of a known format; this is {error}: record it"
            " again, or drop a WAV, FLAC, MP3 or Ogg file."
        ) from error
    return Utterance("recording", file, samples, language, task)


def listen(
    systems: Sequence[System], recording: Utterance, reference: str
) -> Iterator[tuple[Heard, Edits, str]]:
    """Yield what each system hears, and how that differs from the reference.

    Args:
        systems: in the order in which they are asked.
        recording: what they hear.
        reference: what was said; if empty, what the first system hears.

    Yields:
        The text, its alignment, and what stands between the tokens of it.
    """
    for system in systems:
        heard = system.hear(recording)
        reference = reference or heard.text
        language = "en" if recording.task == TRANSLATE else heard.language
        yield (heard, *differences(reference, heard.text, language))


def differences(reference: str, text: str, language: str) -> tuple[Edits, str]:
    """Return the alignment of two texts, and what stands between their tokens.

    >>> differences("uno dos tres", "uno tres", "es")
    (['uno', ('dos', None), 'tres'], ' ')
    """
    metric = main_metric({language: 1})
    pair = ScoredUtterance("", "", language, reference, text)
    [(_, pairs)] = aligned([pair], metric)
    return join_correct(pairs, metric), " " if metric == "wer" else ""
