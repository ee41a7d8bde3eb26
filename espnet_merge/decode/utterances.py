"""The utterances of a Kaldi data directory, checked before anything is decoded."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from espnet_merge.data.audio import AudioError, flaw, whisper_length
from espnet_merge.data.kaldi import DEFECTS, NO_AUDIO
from espnet_merge.data.languages import read_languages
from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError
from espnet_merge.files import UTT2LANG, UTT2TASK, WAV_SCP
from espnet_merge.speech import AUTO, LANGUAGES, SAMPLE_RATE, TRANSCRIBE, WINDOW
from espnet_merge.whisper.features import MIN_SAMPLES
from espnet_merge.whisper.prompt import (
    check_language,
    check_task,
    known_languages,
    needed_timestamp,
    prompt_ids,
    token_id,
)

if TYPE_CHECKING:
    from transformers import WhisperTokenizer

    from espnet_merge.decode.settings import Settings


class Utterance(NamedTuple):
    """An utterance to decode, or a segment of one.

    Attributes:
        name: id of the utterance.
        audio: its audio file.
        samples: length.
        language: Whisper's code, or ``auto``.
        task: ``transcribe`` or ``translate``.
        start: first sample of a segment in the file.
        defect: why there is no usable audio; empty if there is.
    """

    name: str
    audio: Path
    samples: int
    language: str
    task: str
    start: int = 0
    defect: str = ""

    @property
    def seconds(self) -> float:
        """Length of the audio in seconds."""
        return self.samples / SAMPLE_RATE


def read_utterances(
    data: Path,
    language: str | None = None,
    task: str | None = None,
    known: Collection[str] = LANGUAGES,
    *,
    whole_set: bool = False,
) -> list[Utterance]:
    """Return the utterances in the order of ``wav.scp``.

    Args:
        data: directory with ``wav.scp``, and with ``utt2lang`` and ``utt2task`` unless
            ``language`` and ``task`` are given. Without ``utt2task`` the task is
            ``transcribe``.
        language: language of all utterances; may be ``auto``.
        task: task of all utterances.
        known: codes of the model's languages.
        whole_set: also return utterances longer than Whisper's window, and with a
            ``defect`` those that are too short or have no audio by ``wav.scp``.

    Raises:
        InputError: a file is missing, broken, not 16 kHz mono, too short or too long,
            or a language or task is missing or unknown.
    """
    scp = data / WAV_SCP
    if not scp.is_file():
        raise InputError(f"{data}: a Kaldi data directory has wav.scp; this has none.")
    if (data / "segments").exists():
        raise InputError(
            f"{data}: each utterance must have its own audio file; this has segments: "
            "cut them with espnet-merge format first."
        )
    wavs = read_table(scp)
    if not wavs:
        raise InputError(f"{scp}: at least one utterance is needed; the file is empty.")
    languages = _column(data / UTT2LANG, wavs, language)
    tasks = _column(data / UTT2TASK, wavs, task or _default_task(data))
    for name in wavs:
        if language != AUTO:
            try:
                check_language(languages[name], known)
            except InputError as error:
                raise InputError(f"{data / UTT2LANG}: {name}: {error}") from error
        try:
            check_task(tasks[name], known)
        except InputError as error:
            raise InputError(f"{data / UTT2TASK}: {name}: {error}") from error
    defects = _defects(data) if whole_set else {}
    utterances = []
    for name, audio in wavs.items():
        samples, defect = 0, defects.get(name, "no audio")
        if audio != NO_AUDIO or not whole_set:
            samples = _check_audio(f"{scp}: {name}", audio)
            defect = _check_length(f"{scp}: {name}", samples, whole_set=whole_set)
        utterances.append(
            Utterance(
                name, Path(audio), samples, languages[name], tasks[name], 0, defect
            )
        )
    return utterances


def check_tokens(
    tokenizer: "WhisperTokenizer", utterances: Iterable[Utterance], settings: "Settings"
) -> None:
    """Check that the tokenizer has what prompts and texts of utterances need.

    Raises:
        InputError: it lacks a language, a task, or what begins and ends a text.
    """
    token_id(tokenizer, "<|endoftext|>")
    if settings.timestamps:
        needed_timestamp(tokenizer)
    candidates = settings.languages or ()
    if settings.language == AUTO:
        candidates = candidates or known_languages(tokenizer)
    for language, task in sorted({(u.language, u.task) for u in utterances}):
        for code in candidates if language == AUTO else [language]:
            prompt_ids(tokenizer, code, task)


def read_audio(utterance: Utterance) -> NDArray[np.float32]:
    """Return the samples, in [-1, 1].

    Raises:
        InputError: the file is not what its header says, or holds NaN.
    """
    where = f"{utterance.name}: {utterance.audio}"
    try:
        audio: NDArray[np.float32] = soundfile.read(
            utterance.audio, utterance.samples, utterance.start, dtype="float32"
        )[0]
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{where}: must be readable audio; {error}") from error
    if audio.shape != (utterance.samples,):
        raise InputError(
            f"{where}: must hold the {utterance.samples} samples of its header; got "
            f"{audio.shape[0]}: the file is cut short, copy it anew."
        )
    if why := flaw(audio):
        raise InputError(
            f"{where}: must be sound in [-1, 1]; it has {why}: run espnet-merge format "
            "first, which notes that."
        )
    return audio


def evenly_spaced[T](items: Sequence[T], count: int | None) -> list[T]:
    """Return at most ``count`` utterances, evenly spaced; None returns all.

    Data directories are sorted by speaker, so the first utterances would come from a
    few speakers only.
    """
    taken = len(items) if count is None else min(count, len(items))
    return [items[index * len(items) // taken] for index in range(taken)]


def _default_task(data: Path) -> str | None:
    return None if (data / UTT2TASK).exists() else TRANSCRIBE


def _column(path: Path, wavs: dict[str, str], value: str | None) -> dict[str, str]:
    """Return the value of each utterance: ``value``, or that in the table."""
    if value is not None:
        return dict.fromkeys(wavs, value)
    option = "--" + {UTT2LANG: "language", UTT2TASK: "task"}[path.name]
    if not path.is_file():
        raise InputError(
            f"{path}: each utterance needs a line in this file, and it does not exist: "
            f"write it, or give {option}."
        )
    read = read_languages if path.name == UTT2LANG else read_table
    table = read(path)
    for name in wavs:
        if name not in table:
            raise InputError(
                f"{path}: each utterance of wav.scp needs a line; {name} has none: "
                f"add it, or give {option}."
            )
    return table


def _defects(data: Path) -> dict[str, str]:
    path = data / DEFECTS
    return read_table(path) if path.is_file() else {}


def _check_audio(where: str, audio: str) -> int:
    """Return the number of samples that the header states."""
    if audio.endswith("|"):
        raise InputError(
            f"{where}: audio must be a file, not a command; got {audio!r}: run "
            "espnet-merge format first."
        )
    if audio == NO_AUDIO:
        raise InputError(
            f"{where}: must have audio; by wav.scp it has none: run espnet-merge "
            "filter first, which drops it."
        )
    try:
        return whisper_length(Path(audio))
    except AudioError as error:
        raise InputError(
            f"{where}: audio must be a readable wav or flac file of one channel at "
            f"{SAMPLE_RATE} Hz; {audio}: {error}: run espnet-merge format first, which "
            "converts it or notes that."
        ) from error


def _check_length(where: str, samples: int, *, whole_set: bool) -> str:
    """Return the defect of an utterance of this length, or an empty text."""
    if whole_set:
        return "" if samples >= MIN_SAMPLES else "too short"
    if not MIN_SAMPLES <= samples <= WINDOW * SAMPLE_RATE:
        raise InputError(
            f"{where}: audio must last 0.02 to {WINDOW:g} seconds; it lasts "
            f"{samples / SAMPLE_RATE:.2f}: run espnet-merge filter first."
        )
    return ""
