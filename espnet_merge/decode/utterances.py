"""The utterances of a Kaldi data directory, checked before anything is decoded."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError
from espnet_merge.speech import LANGUAGES
from espnet_merge.whisper.features import MIN_SAMPLES, SAMPLE_RATE, WINDOW
from espnet_merge.whisper.prompt import AUTO, check_language, check_task


class Utterance(NamedTuple):
    """What to decode, and as what: a file, or the piece of one from ``start`` on."""

    name: str
    audio: Path
    samples: int
    language: str
    task: str
    start: int = 0

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return self.samples / SAMPLE_RATE


def read_utterances(
    data: Path,
    language: str | None = None,
    task: str | None = None,
    longest: float = WINDOW,
    known: Collection[str] = LANGUAGES,
) -> list[Utterance]:
    """Return the utterances in the order of ``wav.scp``.

    Args:
        data: directory with ``wav.scp``; ``utt2lang`` and ``utt2task`` where no
            ``language`` and ``task`` are given (a task that is nowhere stated is to
            transcribe).
        language: of all utterances; may be ``auto``.
        task: of all utterances.
        longest: seconds that audio may last; it always lasts 0.02 at least.
        known: codes of the model's languages.

    Raises:
        InputError: a file is missing, broken, not 16 kHz mono or too short or long, or
            a language or task is missing or unknown.
    """
    scp = data / "wav.scp"
    if not scp.is_file():
        raise InputError(f"{data}: a Kaldi data directory has wav.scp; this has none.")
    if (data / "segments").exists():
        raise InputError(
            f"{data}: audio must be one file an utterance, this has segments: cut them "
            "with scripts/audio/format_wav_scp.sh first."
        )
    wavs = read_table(scp)
    if not wavs:
        raise InputError(f"{scp}: at least one utterance is needed; the file is empty.")
    languages = _column(data / "utt2lang", wavs, language)
    tasks = _column(data / "utt2task", wavs, task or _default_task(data))
    for name in wavs:
        if language != AUTO:
            try:
                check_language(languages[name], known)
            except InputError as error:
                raise InputError(f"{data / 'utt2lang'}: {name}: {error}") from error
        try:
            check_task(tasks[name], known)
        except InputError as error:
            raise InputError(f"{data / 'utt2task'}: {name}: {error}") from error
    return [
        Utterance(
            name,
            Path(audio),
            _check_audio(f"{scp}: {name}", audio, longest),
            languages[name],
            tasks[name],
        )
        for name, audio in wavs.items()
    ]


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
    if not np.isfinite(audio).all():
        raise InputError(f"{where}: samples must be finite; got NaN or infinity.")
    return audio


def _default_task(data: Path) -> str | None:
    return None if (data / "utt2task").exists() else "transcribe"


def _column(path: Path, wavs: dict[str, str], value: str | None) -> dict[str, str]:
    """One value for all, or each one's own from a table."""
    if value is not None:
        return dict.fromkeys(wavs, value)
    option = "--" + {"utt2lang": "language", "utt2task": "task"}[path.name]
    if not path.is_file():
        raise InputError(
            f"{path}: each utterance needs its own line here, and there is no such "
            f"file: write it, or give {option}."
        )
    table = read_table(path)
    for name in wavs:
        if name not in table:
            raise InputError(
                f"{path}: each utterance of wav.scp needs a line; {name} has none: "
                f"add it, or give {option}."
            )
    return table


def _check_audio(where: str, audio: str, longest: float) -> int:
    """Return the number of samples by the header."""
    if audio.endswith("|"):
        raise InputError(
            f"{where}: audio must be a file, not a command; got {audio!r}: run "
            "scripts/audio/format_wav_scp.sh first."
        )
    try:
        info = soundfile.info(audio)
    except (OSError, soundfile.LibsndfileError) as error:
        missing = "" if Path(audio).is_file() else " (no such file)"
        raise InputError(
            f"{where}: audio must be a readable wav or flac file; {audio}{missing}: "
            "restore it, or drop the utterance."
        ) from error
    if (info.channels, info.samplerate) != (1, SAMPLE_RATE):
        raise InputError(
            f"{where}: audio must have one channel at {SAMPLE_RATE} Hz; {audio} has "
            f"{info.channels} at {info.samplerate}: run "
            "scripts/audio/format_wav_scp.sh --fs 16k first."
        )
    if not MIN_SAMPLES <= info.frames <= longest * SAMPLE_RATE:
        limits = "at least 0.02" if longest == math.inf else f"0.02 to {longest:g}"
        raise InputError(
            f"{where}: audio must last {limits} seconds; {audio} lasts "
            f"{info.frames / SAMPLE_RATE:.2f}: run espnet-merge filter first."
        )
    samples: int = info.frames
    return samples
