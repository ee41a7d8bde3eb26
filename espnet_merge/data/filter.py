"""Drop the utterances that Whisper cannot use, and report how many and why."""

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path

from espnet_merge.data.audio import AudioError, read_blocks, whisper_length
from espnet_merge.data.kaldi import (
    DEFECTS,
    NO_AUDIO,
    Tables,
    read_formatted,
    write_tables,
)
from espnet_merge.data.limits import Limits
from espnet_merge.data.report import Report
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.files import UTT2LANG, UTT2TASK, WAV_SCP
from espnet_merge.speech import LANGUAGES, SAMPLE_RATE, TASKS

# (text, language, task) -> number of tokens, prompt and end included.
CountTokens = Callable[[str, str, str], int]


def filter_data(
    data: Path,
    output: Path,
    limits: Limits,
    count_tokens: CountTokens | None = None,
    known: Collection[str] = LANGUAGES,
    *,
    keep_all: bool = False,
) -> Report:
    """Write the usable utterances of ``data`` to the new directory ``output``.

    Args:
        data: directory with one audio file for each utterance, or ``None`` for it.
        output: directory to write.
        limits: limits that an utterance must meet.
        count_tokens: counts the tokens of a text; None does not count them.
        known: codes of the model's languages.
        keep_all: write unusable utterances, too, and only report them; of
            ``limits``, ``max_utterances`` still applies.

    Raises:
        InputError: the directory is broken, or no utterance is usable.
    """
    tables = read_formatted(data)
    report = Report.of(
        {
            name: judge(name, tables, limits, count_tokens, known)
            for name in tables[WAV_SCP]
        }
    )
    if keep_all:
        kept = choose(tables[WAV_SCP], limits.max_utterances)
    else:
        report.check(data)
        kept = choose(report.kept, limits.max_utterances)
        for name in sorted(report.kept.keys() - kept):
            report.drop(name, "not chosen")
        tables["utt2num_samples"] = {n: str(count) for n, count in report.kept.items()}
    chosen = {
        file: {name: value for name, value in table.items() if name in kept}
        for file, table in tables.items()
    }
    with whole_directory(output) as part:
        write_tables(chosen, part)
    return report


def choose(names: Collection[str], count: int | None) -> set[str]:
    """Return so many names; which, depends on the names alone."""

    def draw(name: str) -> bytes:
        return hashlib.sha256(name.encode()).digest()

    return set(sorted(names, key=draw)[:count])


def judge(
    name: str,
    tables: Tables,
    limits: Limits,
    count_tokens: CountTokens | None,
    known: Collection[str],
    *,
    decode: bool = True,
) -> int | str:
    """Return the number of samples, or why the utterance is unusable.

    Args:
        name: of the utterance.
        tables: of its data directory.
        limits: that it must meet.
        count_tokens: counts the tokens of a text; None does not count them.
        known: codes of the model's languages.
        decode: decode the audio, too, which alone proves that it is not damaged.
    """
    text = tables["text"].get(name, "")
    language = tables[UTT2LANG].get(name, "")
    task = tables[UTT2TASK].get(name, "")
    audio = tables[WAV_SCP][name]
    if audio == NO_AUDIO:
        return tables.get(DEFECTS, {}).get(name, "no audio")
    if not text:
        return "no text"
    if language not in known:
        return "unknown language"
    if task not in TASKS:
        return "unknown task"
    if count_tokens and count_tokens(text, language, task) > limits.max_tokens:
        return "too many tokens"
    try:
        samples = whisper_length(Path(audio))
        # A recording that is too long by its header need not be decoded.
        if decode and samples <= limits.max_seconds * SAMPLE_RATE:
            samples = sum(map(len, read_blocks(Path(audio))))
    except AudioError as error:
        return str(error)
    if samples < limits.min_seconds * SAMPLE_RATE:
        return "too short"
    if samples > limits.max_seconds * SAMPLE_RATE:
        return "too long"
    return samples
