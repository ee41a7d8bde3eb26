"""Utterances to read and to hear: what each system made of them, worst first."""

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
from espnet_merge.speech import SAMPLE_RATE

# Whisper's window; who listens to what is longer needs more than a page.
LONGEST = 30.0

# Tokens that are right stand together as text; an error is [reference, hypothesis].
Edits = list[str | Pair]


class Heard(NamedTuple):
    """An utterance, and reading -> system -> what it made of it."""

    name: str
    language: str
    edits: dict[str, dict[str, Edits]]


def hear(
    reference: Path,
    hypotheses: Mapping[str, Path],
    normalizer: str,
    metric: str,
    wanted: Sequence[str],
) -> list[Heard]:
    """Return what the systems made of some utterances of a set, in their order.

    Args:
        reference: the Kaldi data directory that was scored against.
        hypotheses: system -> its decoding directory of this set.
        normalizer: name of the normaliser of the scores.
        metric: ``wer`` or ``cer``, the set's main metric.
        wanted: the utterances' names.

    Raises:
        InputError: a file is missing or broken, the ids are not the same, or lack one.
    """
    heard: dict[str, Heard] = {}
    # One system's texts at a time: fifty need no more memory than one.
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
                own = heard.setdefault(name, Heard(name, language, {}))
                own.edits.setdefault(reading, {})[system] = _shorten(pairs, metric)
    return list(heard.values())


def embed(
    sets: Mapping[Path, Sequence[str]], megabytes: float
) -> dict[tuple[Path, str], str]:
    """Return audio as data URIs, the first of every set before the second of any.

    Args:
        sets: data directory -> utterances, the most wanted first.
        megabytes: of text, which is a third more than of FLAC, all together.

    Utterances over 30 s are passed over, as are those whose ``wav.scp`` has a command
    in place of a file, or a file that is not there.

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
        # The next may be shorter, but to look would mean to decode all the others.
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
    if len(samples) > LONGEST * SAMPLE_RATE:
        return None
    content = io.BytesIO()
    soundfile.write(content, samples, SAMPLE_RATE, format="FLAC")
    return f"data:audio/flac;base64,{b64encode(content.getvalue()).decode()}"


def _shorten(pairs: Sequence[Pair], metric: str) -> Edits:
    """Return an alignment with the right tokens put together.

    >>> _shorten([("a", "a"), ("b", "b"), ("c", None), ("d", "d")], "wer")
    ['a b', ('c', None), 'd']
    """
    glue = " " if metric == "wer" else ""
    edits: Edits = []
    for right, run in groupby(pairs, key=lambda pair: pair[0] == pair[1]):
        found = list(run)
        edits += [glue.join(str(ours) for ours, _ in found)] if right else found
    return edits
