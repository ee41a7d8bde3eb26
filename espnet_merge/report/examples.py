"""Example utterances of the page, worst first: each system's errors, and the audio."""

import io
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, zip_longest
from pathlib import Path
from typing import NamedTuple

from espnet_merge.data.audio import decode
from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError
from espnet_merge.files import WAV_SCP
from espnet_merge.score.counts import Pair
from espnet_merge.score.evaluate import aligned
from espnet_merge.score.utterances import normalized, read_utterances
from espnet_merge.speech import SAMPLE_RATE, WINDOW

# Correct tokens, joined to a text, and errors, each a pair (reference, hypothesis).
Edits = list[str | Pair]


class AlignedUtterance(NamedTuple):
    """An utterance and the alignment of each system's hypothesis.

    Attributes:
        name: id of the utterance.
        language: Whisper's code.
        edits: ``normalized`` or ``raw`` -> system -> alignment with the reference.
    """

    name: str
    language: str
    edits: dict[str, dict[str, Edits]]


def align_hypotheses(
    reference: Path,
    hypotheses: Mapping[str, Path],
    normalizer: str,
    metric: str,
    wanted: Sequence[str],
) -> list[AlignedUtterance]:
    """Align the hypotheses of all systems for some utterances of a set.

    Args:
        reference: Kaldi data directory that was scored against.
        hypotheses: system -> its decoding directory of this set.
        normalizer: name of the normaliser of the scores.
        metric: ``wer`` or ``cer``, the error rate of the set.
        wanted: names of the utterances, in the order of the result.

    Raises:
        InputError: a file is missing or broken, ids differ, or an utterance is missing.
    """
    examples: dict[str, AlignedUtterance] = {}
    # One system's texts are in memory at a time, so fifty need no more than one.
    for system, path in hypotheses.items():
        utterances = {u.name: u for u in read_utterances(reference, path)}
        if missing := [name for name in wanted if name not in utterances]:
            raise InputError(
                f"{reference}: must have every utterance that was scored; lacks "
                f"{len(missing)} ({missing[0]}): score again."
            )
        raw = [utterances[name] for name in wanted]
        clean = normalized(raw, normalizer)
        for reading, texts in {"normalized": clean, "raw": raw}.items():
            for utterance, pairs in aligned(texts, metric):
                name, language = utterance.name, utterance.language
                example = examples.setdefault(
                    name, AlignedUtterance(name, language, {})
                )
                by_system = example.edits.setdefault(reading, {})
                by_system[system] = join_correct(pairs, metric)
    return list(examples.values())


def embed(
    sets: Mapping[Path, Sequence[str]], megabytes: float
) -> dict[tuple[Path, str], str]:
    """Return audio as data URIs, the first of every set before the second of any.

    Utterances over 30 s are left out, and those whose ``wav.scp`` has a command or a
    missing file.

    Args:
        sets: data directory -> utterances, the most important first.
        megabytes: size of all data URIs; they are a third longer than the FLAC in them.

    Raises:
        InputError: a file holds no audio that can be decoded.
    """
    if megabytes == 0:
        return {}
    clips: dict[tuple[Path, str], str] = {}
    left = megabytes * 1e6
    for data, name, file in _files(sets):
        clip = _clip(file)
        if clip is None:
            continue
        left -= len(clip)
        # The next clip may be shorter, but a search would decode all other files.
        if left < 0:
            break
        clips[data, name] = clip
    return clips


def _files(sets: Mapping[Path, Sequence[str]]) -> Iterator[tuple[Path, str, Path]]:
    wavs = {
        data: read_table(data / WAV_SCP) for data in sets if (data / WAV_SCP).is_file()
    }
    columns = ([(data, name) for name in sets[data]] for data in wavs)
    for row in zip_longest(*columns):
        for data, name in filter(None, row):
            file = Path(wavs[data].get(name, ""))
            if file.is_file():
                yield data, name, file


def _clip(file: Path) -> str | None:
    import soundfile

    samples = decode(file.read_bytes(), str(file))
    if len(samples) > WINDOW * SAMPLE_RATE:
        return None
    content = io.BytesIO()
    soundfile.write(content, samples, SAMPLE_RATE, format="FLAC")
    return f"data:audio/flac;base64,{b64encode(content.getvalue()).decode()}"


def join_correct(pairs: Sequence[Pair], metric: str) -> Edits:
    """Return an alignment in which neighbouring correct tokens are joined.

    >>> join_correct([("a", "a"), ("b", "b"), ("c", None), ("d", "d")], "wer")
    ['a b', ('c', None), 'd']
    """
    separator = " " if metric == "wer" else ""
    edits: Edits = []
    for correct, group in groupby(pairs, key=lambda pair: pair[0] == pair[1]):
        run = list(group)
        edits += [separator.join(str(token) for token, _ in run)] if correct else run
    return edits
