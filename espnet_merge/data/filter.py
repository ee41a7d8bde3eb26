"""Drop the utterances that Whisper cannot use, and say how many and why."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from espnet_merge.data.audio import SAMPLE_RATE
from espnet_merge.data.kaldi import Tables, read_kaldi, write_tables
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.errors import InputError
from espnet_merge.speech import LANGUAGES

# (text, language, task) -> number of tokens, prompt and end included.
CountTokens = Callable[[str, str, str], int]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an utterance must keep to.

    Args:
        min_seconds: shorter audio is dropped.
        max_seconds: longer audio is dropped; Whisper hears 30 s.
        max_tokens: longer texts are dropped; Whisper's decoder has 448 places.
        max_utterances: so many are kept of those that are usable, a choice by their
            names that is the same on every machine; None for all.

    Raises:
        InputError: the limits leave no room.
    """

    min_seconds: float = 0.1
    max_seconds: float = 30.0
    max_tokens: int = 448
    max_utterances: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_seconds < self.max_seconds <= 30:
            raise InputError(
                "--min-seconds and --max-seconds must be 0 <= min < max <= 30, as "
                f"Whisper hears 30 s; got {self.min_seconds:g}, {self.max_seconds:g}."
            )
        if not 0 < self.max_tokens <= 448:
            raise InputError(f"--max-tokens must be 1 to 448; got {self.max_tokens}.")
        if self.max_utterances is not None and self.max_utterances < 1:
            raise InputError(
                f"--max-utterances must be at least 1; got {self.max_utterances}."
            )


@dataclass
class Report:
    """Names and seconds of the utterances that were kept, and dropped by reason."""

    kept: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)

    def table(self) -> Iterator[str]:
        """Yield the lines of the table."""
        minutes = sum(self.kept.values()) / SAMPLE_RATE / 60
        yield f"{'kept':20}{len(self.kept):7}{minutes:8.1f} min"
        for reason, names in sorted(self.dropped.items()):
            more = ", ..." if len(names) > 3 else ""
            yield f"{reason:20}{len(names):7}   {', '.join(names[:3])}{more}"


def filter_data(
    data: Path,
    output: Path,
    limits: Limits,
    count_tokens: CountTokens | None = None,
    known: Collection[str] = LANGUAGES,
) -> Report:
    """Write the usable utterances of ``data`` to the new directory ``output``.

    Args:
        data: Kaldi data directory.
        output: directory to write.
        limits: that an utterance must keep to.
        count_tokens: of its label; None where tokens are not counted.
        known: codes of the model's languages.

    Raises:
        InputError: the directory is broken, or nothing is left of it.
    """
    tables = read_kaldi(data)
    report = Report()
    for name in tables["wav.scp"]:
        verdict = _judge(name, tables, limits, count_tokens, known)
        if isinstance(verdict, int):
            report.kept[name] = verdict
        else:
            report.dropped.setdefault(verdict, []).append(name)
    if not report.kept:
        counts = [f"{len(n)} {why}" for why, n in report.dropped.items()]
        raise InputError(
            f"{data}: at least one utterance must be usable; none is "
            f"({', '.join(counts) or 'the directory is empty'})."
        )
    if limits.max_utterances is not None:
        _choose(report, limits.max_utterances)
    kept = {
        file: {name: table[name] for name in report.kept if name in table}
        for file, table in tables.items()
    }
    kept["utt2num_samples"] = {name: str(n) for name, n in report.kept.items()}
    with whole_directory(output) as part:
        write_tables(kept, part)
    return report


def _choose(report: Report, count: int) -> None:
    def draw(name: str) -> bytes:
        return hashlib.sha256(name.encode()).digest()

    for name in sorted(report.kept, key=draw)[count:]:
        del report.kept[name]
        report.dropped.setdefault("not chosen", []).append(name)


def _judge(
    name: str,
    tables: Tables,
    limits: Limits,
    count_tokens: CountTokens | None,
    known: Collection[str],
) -> int | str:
    """Return the number of samples, or why the utterance is of no use."""
    text = tables["text"].get(name, "")
    language = tables["utt2lang"].get(name, "")
    task = tables["utt2task"].get(name, "")
    if not text:
        return "no text"
    if language not in known:
        return "unknown language"
    if task not in ("transcribe", "translate"):
        return "unknown task"
    if count_tokens and count_tokens(text, language, task) > limits.max_tokens:
        return "too many tokens"
    try:
        samples, rate = soundfile.read(tables["wav.scp"][name], dtype="float32")
        declared = soundfile.info(tables["wav.scp"][name]).frames
    except (OSError, soundfile.LibsndfileError):
        return "unreadable audio"
    if rate != SAMPLE_RATE or samples.ndim != 1:
        return "not 16 kHz mono"
    if len(samples) != declared or not np.isfinite(samples).all():
        return "broken audio"
    if len(samples) < limits.min_seconds * SAMPLE_RATE:
        return "too short"
    if len(samples) > limits.max_seconds * SAMPLE_RATE:
        return "too long"
    return len(samples)
