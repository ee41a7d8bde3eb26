"""How a Whisper is run, and how to decode: options, which a YAML file may hold."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from espnet_merge.checkpoint.padding import PUBLISHED, Padding, common_padding
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, Options
from espnet_merge.speech import AUTO, LANGUAGES, Task, check_seconds
from espnet_merge.whisper.fetched import ENGLISH_ALONE
from espnet_merge.whisper.prompt import check_language

DTYPES = {
    "torch": ("float32", "float16", "bfloat16"),
    "ctranslate2": ("float32", "int8"),
}


def codes(text: str) -> list[str]:
    """Split codes at commas; no text is no code."""
    return text.split(",") if text else []


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"temperatures must be numbers with commas between; got {text!r}: write "
            "0.2,0.4."
        ) from error


def pairs(words: Sequence[str]) -> dict[str, Path]:
    """Return language -> directory, of words ``LANGUAGE=DIR``.

    Raises:
        InputError: a word is none, or a language comes twice.
    """
    found: dict[str, Path] = {}
    for word in words:
        language, equals, directory = word.partition("=")
        if not equals or not directory:
            raise InputError(
                f"each of --adapters must be LANGUAGE=DIR such as es=exp/lora_es/model;"
                f" got {word!r}."
            )
        if language in found:
            raise InputError(
                f"a language has one of --adapters; {language} has {word} and "
                f"{found[language]}: drop one."
            )
        found[language] = Path(directory)
    return found


@dataclass(frozen=True, kw_only=True)
class ForwardPass(Options):
    """How a Whisper hears, and on what it runs."""

    pad_to: Annotated[
        float,
        Option(
            "seconds to pad to; 30: as Whisper, 0: true length",
            default="as the model was trained, by the record beside it; 30 without a "
            "record, or where --tail is given",
        ),
    ] = PUBLISHED.pad_to
    tail: Annotated[
        float,
        Option(
            "seconds of silence after each utterance",
            default="likewise; 0 without a record, or where --pad-to is given",
        ),
    ] = PUBLISHED.tail
    device: Annotated[Literal["cpu", "cuda"], Option("where it runs")] = "cpu"
    # One, because processes side by side use the other cores better, and threads that
    # wait for a busy core are many times slower.
    threads: Annotated[int, Option("of the CPU", least=1, most=1024)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds("pad_to", self.pad_to)
        check_seconds("tail", self.tail)

    @classmethod
    def completed(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add how the model was trained, unless it is given how it hears."""
        if "model" not in given or given.keys() & set(Padding._fields):
            return given
        return {**given, **(common_padding(experts(given)) or PUBLISHED)._asdict()}


def experts(given: Mapping[str, Any]) -> list[Path]:
    """Return what was trained: the adapters if there are any, else the model.

    Args:
        given: options: ``model``, ``adapter``, ``adapters``.
    """
    alone = given.get("adapter") or given["model"]
    adapters: Mapping[str, AnyPath] = given.get("adapters") or {"": alone}
    return [Path(path) for path in adapters.values()]


@dataclass(frozen=True, kw_only=True)
class Settings(ForwardPass):
    """How to decode.

    Raises:
        InputError: a value of the wrong type, out of range or unknown.
    """

    beam: Annotated[
        int,
        Option("texts kept open an utterance; 1: greedy search", least=1, most=100),
    ] = 1
    # Otherwise a search goes on while an open text has the better mean, as that of
    # transformers does. A loop has a good mean.
    early_stopping: Annotated[
        bool,
        Option("end with as many texts as beams, as Whisper's own search"),
    ] = False
    batch_size: Annotated[
        int, Option("utterances decoded together", least=1, most=10_000)
    ] = 8
    language: Annotated[
        str | None,
        Option("of all utterances, or auto", default="each one's in utt2lang"),
    ] = None
    languages: Annotated[
        list[str] | None,
        Option("that auto chooses from, such as es,it,ru", default="all", read=codes),
    ] = None
    hear: Annotated[
        bool, Option("note in text.json which language the model hears, though given")
    ] = False
    min_confidence: Annotated[
        float | None,
        Option(
            "probability of auto's language below which --fallback decodes",
            default="never",
            least=0,
            most=1,
        ),
    ] = None
    task: Annotated[
        Task | None,
        Option("of all utterances", default="each one's in utt2task"),
    ] = None
    timestamps: Annotated[
        bool, Option("say when each part of a text is spoken, in text.json")
    ] = False
    # Whisper's own are 0.2, 0.4, 0.6, 0.8 and 1.
    temperatures: Annotated[
        list[float] | None,
        Option(
            "draw a text that fails anew, such as 0.2,0.4,0.6,0.8,1",
            default="never",
            least=0.01,
            most=2,
            read=_numbers,
        ),
    ] = None
    max_compression: Annotated[
        float,
        Option(
            "how often shorter zlib may make a text; above it fails", least=1, most=1000
        ),
    ] = 2.4
    min_log_probability: Annotated[
        float,
        Option("mean of a token, below which a text fails", least=-100, most=0),
    ] = -1.0
    # Of texts that fail by min_log_probability, too. Whisper's own is 0.6.
    no_speech: Annotated[
        float | None,
        Option(
            "above this probability a text that fails is silence, such as 0.6",
            default="never",
            least=0,
            most=1,
        ),
    ] = None
    # Of the decoder's 448 positions four are the prompt; Whisper's own limit is 224.
    max_new_tokens: Annotated[
        int, Option("tokens at which a text is cut", least=1, most=444)
    ] = 224
    backend: Annotated[
        Literal["torch", "ctranslate2"],
        Option("what runs the network; ctranslate2 knows no temperatures"),
    ] = "torch"
    # Of weights and activations; probabilities are float32.
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16", "int8"],
        Option("of the weights; int8 is of ctranslate2, halves of torch"),
    ] = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
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
        if self.min_confidence is not None and self.language != AUTO:
            raise InputError(
                "min_confidence is of language auto; got language "
                f"{self.language!r}: pass --language auto, or drop it."
            )
        if self.languages is not None and self.language != AUTO:
            raise InputError(
                "languages are the candidates of language auto; got language "
                f"{self.language!r}: pass --language auto, or drop --languages."
            )
        if self.languages is not None and not self.languages:
            raise InputError(
                f"languages must be a list of codes; got {self.languages!r}."
            )

    def check_languages(self, known: Collection[str] = LANGUAGES) -> None:
        """Raise ``InputError`` unless a model knows the languages that are named.

        Args:
            known: codes of the model's languages.
        """
        if self.language == AUTO and known == ENGLISH_ALONE:
            raise InputError(
                "language auto needs a model of many languages; this one knows English "
                "alone: drop it."
            )
        if self.language not in (None, AUTO):
            check_language(self.language, known)
        for code in self.languages or []:
            check_language(code, known)
        if len(set(self.languages or [])) < len(self.languages or []):
            raise InputError(
                f"languages must be distinct; got {', '.join(self.languages or [])}."
            )
