"""How to decode: defaults, under a configuration file, under the command line."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import InitVar, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from espnet_merge.checkpoint.padding import PUBLISHED, Padding
from espnet_merge.errors import InputError
from espnet_merge.speech import LANGUAGES
from espnet_merge.whisper.features import check_seconds
from espnet_merge.whisper.fetched import ENGLISH_ALONE
from espnet_merge.whisper.prompt import AUTO, TASKS, check_language

DTYPES = {
    "torch": ("float32", "float16", "bfloat16"),
    "ctranslate2": ("float32", "int8"),
}
CHOICES = {
    "task": (None, *TASKS),
    "device": ("cpu", "cuda"),
    "backend": tuple(DTYPES),
    "timestamps": (False, True),
    "early_stopping": (False, True),
    "hear": (False, True),
}
# Of the decoder's 448 positions four are the prompt.
RANGES = {
    "beam": (1, 100),
    "batch_size": (1, 10_000),
    "max_new_tokens": (1, 444),
    "threads": (1, 1024),
}
LIMITS = {
    "max_compression": (1.0, 1000.0),
    "min_log_probability": (-100.0, 0.0),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One mode of decoding.

    Attributes:
        pad_to: seconds to pad each utterance to; 30 is Whisper's window, 0 the true
            length, between them the least length.
        tail: seconds of silence after each utterance, before it is padded.
        beam: texts kept open an utterance; 1 is greedy search.
        early_stopping: whether a beam search ends with as many texts as beams, as
            Whisper's own and CTranslate2's do, or goes on while an open text has the
            better mean, as transformers' does. A loop has a good mean.
        batch_size: utterances decoded together.
        language: of all utterances; ``auto`` for what the model hears in each, None
            takes each one's from ``utt2lang``.
        languages: that ``auto`` chooses from; None for all.
        hear: whether to note the language that the model itself finds most probable of
            all, where it was given; of English-only models nothing is noted.
        min_confidence: probability of the language that ``auto`` finds, below which
            the fallback decodes, where languages have adapters; None: never.
        task: of all utterances; None takes each one's from ``utt2task``.
        timestamps: whether to say when each part of a text is spoken.
        temperatures: at which to draw a text anew, one after the other, while it fails;
            None: never. Whisper's own are 0.2, 0.4, 0.6, 0.8 and 1.
        max_compression: how many times shorter zlib may make a text; above it fails.
        min_log_probability: mean of a token's log-probability; below it a text fails.
        no_speech: probability above which nobody speaks, where the text has failed by
            ``min_log_probability``, too; None: not asked. Whisper's own is 0.6.
        max_new_tokens: tokens at which a text is cut; Whisper's own limit is 224.
        device: ``cpu`` or ``cuda``.
        backend: ``torch``, or ``ctranslate2``, which knows no ``temperatures``.
        dtype: of weights and activations; probabilities are float32. ``int8`` is
            CTranslate2's: of weights and products.
        threads: of the CPU. One, because processes side by side use the other cores
            better, and threads that wait for a busy core are many times slower.
        known: codes of the model's languages; not a setting.

    Raises:
        InputError: a value of the wrong type, out of range or unknown.
    """

    pad_to: float = 30.0
    tail: float = 0.0
    beam: int = 1
    early_stopping: bool = False
    batch_size: int = 8
    language: str | None = None
    languages: list[str] | None = None
    hear: bool = False
    min_confidence: float | None = None
    task: str | None = None
    timestamps: bool = False
    temperatures: list[float] | None = None
    max_compression: float = 2.4
    min_log_probability: float = -1.0
    no_speech: float | None = None
    max_new_tokens: int = 224
    device: str = "cpu"
    backend: str = "torch"
    dtype: str = "float32"
    threads: int = 1
    known: InitVar[Collection[str]] = LANGUAGES

    def __post_init__(self, known: Collection[str]) -> None:
        check_seconds("pad_to", self.pad_to)
        check_seconds("tail", self.tail)
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not least <= value <= most:
                raise InputError(
                    f"{name} must be a whole number from {least} to {most}; got "
                    f"{value!r}."
                )
        for name, (low, high) in LIMITS.items():
            _check_number(name, getattr(self, name), low, high)
        if self.no_speech is not None:
            _check_number("no_speech", self.no_speech, 0.0, 1.0)
        self._check_temperatures()
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                allowed = ", ".join(str(c) for c in choices if c is not None)
                raise InputError(f"{name} must be one of {allowed}; got {value!r}.")
        if self.dtype not in DTYPES[self.backend]:
            allowed = ", ".join(DTYPES[self.backend])
            raise InputError(
                f"dtype of backend {self.backend} must be one of {allowed}; got "
                f"{self.dtype!r}."
            )
        if self.temperatures and self.backend != "torch":
            raise InputError(
                f"temperatures need backend torch; got {self.backend}: drop one of "
                "the two."
            )
        if self.language not in (None, AUTO):
            check_language(self.language, known)
        if self.language == AUTO and known == ENGLISH_ALONE:
            raise InputError(
                "language auto needs a model of many languages; this one knows English "
                "alone: drop it."
            )
        self._check_candidates(known)

    def _check_temperatures(self) -> None:
        if self.temperatures is None:
            return
        if not isinstance(self.temperatures, list):
            raise InputError(
                f"temperatures must be a list of numbers; got {self.temperatures!r}."
            )
        for value in self.temperatures:
            _check_number("each of temperatures", value, 0.01, 2.0)

    def _check_candidates(self, known: Collection[str]) -> None:
        if self.min_confidence is not None:
            _check_number("min_confidence", self.min_confidence, 0.0, 1.0)
            if self.language != AUTO:
                raise InputError(
                    "min_confidence is of language auto; got language "
                    f"{self.language!r}: pass --language auto, or drop it."
                )
        if self.languages is None:
            return
        if self.language != AUTO:
            raise InputError(
                "languages are the candidates of language auto; got language "
                f"{self.language!r}: pass --language auto, or drop --languages."
            )
        if not isinstance(self.languages, list) or not self.languages:
            raise InputError(
                f"languages must be a list of codes; got {self.languages!r}."
            )
        for code in self.languages:
            check_language(code, known)
        if len(set(self.languages)) < len(self.languages):
            raise InputError(
                f"languages must be distinct; got {', '.join(self.languages)}."
            )


def read_settings(
    config: Path | None,
    given: Mapping[str, Any],
    languages: Collection[str] = LANGUAGES,
    trained: Padding = PUBLISHED,
) -> Settings:
    """Return the settings of a YAML file, with those given on the command line over it.

    Args:
        config: the file, if there is one.
        given: on the command line.
        languages: codes of the model's languages.
        trained: how the model was trained, and is decoded where nothing else is said.

    Raises:
        InputError: the file is no mapping of known names, or a value is wrong.
    """
    known = [field.name for field in fields(Settings)]
    values: dict[str, Any] = {}
    if config is not None:
        values = _read_mapping(config)
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"({', '.join(known)})"
                raise InputError(f"{config}: no setting is called {name!r} {hint}")
    values |= given
    if not values.keys() & set(Padding._fields):
        values |= trained._asdict()
    return Settings(**values, known=languages)


def _check_number(name: str, value: object, low: float, high: float) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not low <= value <= high
    ):
        raise InputError(
            f"{name} must be a number from {low:g} to {high:g}; got {value!r}."
        )


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: a YAML file is needed; {error}.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold lines 'name: value'; got {content!r}.")
    return content
