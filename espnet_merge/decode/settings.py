"""Options of running a Whisper and of decoding, which a YAML file may hold."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from espnet_merge.checkpoint.padding import PUBLISHED, Padding, common_padding
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, Options
from espnet_merge.speech import AUTO, LANGUAGES, Task, check_seconds
from espnet_merge.whisper.fetched import ENGLISH_ALONE
from espnet_merge.whisper.precision import FAST, fast_dtype
from espnet_merge.whisper.prompt import check_language

DTYPES = {
    "torch": ("float32", "float16", "bfloat16"),
    "ctranslate2": ("float32", "int8"),
}


def codes(text: str) -> list[str]:
    """Split codes at commas; an empty text holds none."""
    return text.split(",") if text else []


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"temperatures must be numbers separated by commas; got {text!r}: write "
            "0.2,0.4."
        ) from error


def pairs(words: Sequence[str]) -> dict[str, Path]:
    """Return name -> directory, read from words ``NAME=DIR``.

    Raises:
        InputError: a word has another form, or a name is given twice.
    """
    directories: dict[str, Path] = {}
    for word in words:
        name, equals, directory = word.partition("=")
        if not (name and equals and directory):
            raise InputError(
                "names and directories must be NAME=DIR such as "
                f"es=exp/lora_es/model; got {word!r}."
            )
        if name in directories:
            raise InputError(
                f"a name must have one directory; {name} has {directory} and "
                f"{directories[name]}: drop one."
            )
        directories[name] = Path(directory)
    return directories


@dataclass(frozen=True, kw_only=True)
class ForwardPass(Options):
    """Padding of the input, and where the model runs."""

    pad_to: Annotated[
        float,
        Option(
            "seconds to pad to; 30: as Whisper, 0: true length",
            default="as the model was trained, by the record beside it; 30 without a "
            "record, or if --tail is given",
        ),
    ] = PUBLISHED.pad_to
    tail: Annotated[
        float,
        Option(
            "seconds of silence after each utterance",
            default="likewise; 0 without a record, or if --pad-to is given",
        ),
    ] = PUBLISHED.tail
    device: Annotated[Literal["cpu", "cuda"], Option("where the model runs")] = "cpu"
    # One, because parallel processes use the other cores better, and threads that wait
    # for a busy core are many times slower.
    threads: Annotated[int, Option("CPU threads", least=1, most=1024)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds("pad_to", self.pad_to)
        check_seconds("tail", self.tail)

    @property
    def padding(self) -> Padding:
        """The padding of each utterance."""
        return Padding(self.pad_to, self.tail)

    @classmethod
    def completed(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the padding of the model's training, unless one is given."""
        if "model" not in given or given.keys() & set(Padding._fields):
            return given
        return {**given, **(common_padding(experts(given)) or PUBLISHED)._asdict()}


def experts(given: Mapping[str, Any]) -> list[Path]:
    """Return what was trained: the adapters if there are any, else the model.

    Args:
        given: the options ``model``, ``adapter`` and ``adapters``.
    """
    single = given.get("adapter") or given["model"]
    adapters: Mapping[str, AnyPath] = given.get("adapters") or {"": single}
    return [Path(path) for path in adapters.values()]


@dataclass(frozen=True, kw_only=True)
class Settings(ForwardPass):
    """How to decode.

    Raises:
        InputError: a value of the wrong type, out of range or unknown.
    """

    beam: Annotated[
        int,
        Option("beam size; 1: greedy search", least=1, most=100),
    ] = 1
    # By default a search goes on while an unfinished text has a better mean score, as
    # in transformers. A text that loops has a good mean score.
    early_stopping: Annotated[
        bool,
        Option("end with as many finished texts as beams, as Whisper's own search"),
    ] = False
    batch_size: Annotated[
        int, Option("utterances decoded together", least=1, most=10_000)
    ] = 8
    language: Annotated[
        str | None,
        Option(
            "language of all utterances; auto: the model identifies it",
            default="each utterance's in utt2lang",
        ),
    ] = None
    languages: Annotated[
        list[str] | None,
        Option(
            "candidates of --language auto, such as es,it,ru", default="all", read=codes
        ),
    ] = None
    hear: Annotated[
        bool,
        Option("also identify languages that are given, and note them in text.json"),
    ] = False
    min_confidence: Annotated[
        float | None,
        Option(
            "probability of the identified language, or of the router's choice, below "
            "which --fallback decodes",
            default="never",
            least=0,
            most=1,
        ),
    ] = None
    task: Annotated[
        Task | None,
        Option("task of all utterances", default="each utterance's in utt2task"),
    ] = None
    timestamps: Annotated[
        bool, Option("write the times of each part of a text to text.json")
    ] = False
    # Whisper's own are 0.2, 0.4, 0.6, 0.8 and 1.
    temperatures: Annotated[
        list[float] | None,
        Option(
            "at which a text that fails is drawn again, such as 0.2,0.4,0.6,0.8,1",
            default="never",
            least=0.01,
            most=2,
            read=_numbers,
        ),
    ] = None
    max_compression: Annotated[
        float,
        Option(
            "compression ratio by zlib above which a text fails", least=1, most=1000
        ),
    ] = 2.4
    min_log_probability: Annotated[
        float,
        Option(
            "mean log-probability of a token below which a text fails",
            least=-100,
            most=0,
        ),
    ] = -1.0
    # Applies to texts below min_log_probability only. Whisper's own is 0.6.
    no_speech: Annotated[
        float | None,
        Option(
            "probability of no speech above which an improbable text is left empty, "
            "such as 0.6",
            default="never",
            least=0,
            most=1,
        ),
    ] = None
    # The decoder has 448 positions, the prompt takes 4; Whisper's own limit is 224.
    max_new_tokens: Annotated[
        int, Option("tokens at which a text is cut", least=1, most=444)
    ] = 224
    backend: Annotated[
        Literal["torch", "ctranslate2"],
        Option("what runs the network; ctranslate2 has no --temperatures"),
    ] = "torch"
    # Type of weights and activations; probabilities are float32.
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16", "int8", "auto"],
        Option(
            "type of the weights; int8 for ctranslate2, half precision for torch; "
            "auto: bfloat16 where the processor has instructions for it, else float32"
        ),
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
        if self.languages is not None and self.language != AUTO:
            raise InputError(
                "languages are the candidates of language auto; got language "
                f"{self.language!r}: pass --language auto, or drop --languages."
            )
        if self.languages is not None and not self.languages:
            raise InputError(
                f"languages must be a list of codes; got {self.languages!r}."
            )

    @classmethod
    def completed(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the padding of the model's training; say which type ``auto`` is here."""
        given = super().completed(given)
        if given.get("dtype") != FAST or given.get("backend") == "ctranslate2":
            return given
        return {**given, "dtype": fast_dtype(on_gpu=given.get("device") == "cuda")}

    def check_languages(self, known: Collection[str] = LANGUAGES) -> None:
        """Raise ``InputError`` unless the model knows all languages in the settings.

        Args:
            known: codes of the model's languages.
        """
        if self.language == AUTO and known == ENGLISH_ALONE:
            raise InputError(
                "language auto needs a multilingual model; this model knows only "
                "English: drop --language auto."
            )
        if self.language not in (None, AUTO):
            check_language(self.language, known)
        for code in self.languages or []:
            check_language(code, known)
        if len(set(self.languages or [])) < len(self.languages or []):
            raise InputError(
                f"languages must be distinct; got {', '.join(self.languages or [])}."
            )
