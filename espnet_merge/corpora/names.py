"""Names of utterances and speakers: unique, and in one order by both, as Kaldi asks."""

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from espnet_merge.corpora.rows import Row
from espnet_merge.errors import InputError

# In a speaker's name these would sort before the hyphen that follows it.
_BEFORE_HYPHEN = re.compile(r"[\s\x00-\x2d]")
# In bytes, so that names of utterances can be those of files: Common Voice's ids of
# speakers have 128 digits.
SPEAKER, KEY = 40, 120
DIGITS = 16  # of a digest that keeps names different


class Named(NamedTuple):
    """A row with its names.

    name: of the utterance.
    speaker: of the speaker; that of the utterance if nobody knows.
    recording: of the recording.
    """

    row: Row
    name: str
    speaker: str
    recording: str


def name_rows(
    rows: Sequence[Row], group: str, dropped: dict[str, list[str]]
) -> list[Named]:
    """Return the rows of a group of sets with names; drop what is listed twice.

    Args:
        rows: of one language, task and domain.
        group: name of their sets without the split, which all names begin with.
        dropped: reason -> places.

    Raises:
        InputError: two utterances, or two speakers, have one name.
    """
    recordings = recording_keys({row.audio for row in rows})
    parts = Counter(row.audio for row in rows)
    keys = [_word(_key(row, recordings, parts)) for row in rows]
    keys = _without(keys, [f"{group}-"] * len(rows))
    speakers = _without([row.speaker for row in rows], [f"{group}-"] * len(rows))
    _check_speakers(rows, speakers)
    speakers = [_BEFORE_HYPHEN.sub("_", speaker) for speaker in speakers]
    keys = _cut(_without(keys, [f"{speaker}-" for speaker in speakers]), KEY)
    speakers = _cut(speakers, SPEAKER)
    named: dict[tuple[str, str], Named] = {}
    for row, key, speaker in zip(rows, keys, speakers, strict=True):
        name = "-".join(filter(None, (group, speaker, key)))
        new = Named(
            row,
            name,
            f"{group}-{speaker}" if speaker else name,
            f"{group}-{recordings[row.audio]}",
        )
        old = named.setdefault((row.split, name), new)
        if old is not new:
            _check_same(old.row, row, name)
            dropped.setdefault("listed twice", []).append(row.where)
    return [*named.values()]


def recording_keys(recordings: Collection[str]) -> dict[str, str]:
    """Return a name for each recording: that of its file, or its path if need be."""
    keys = {audio: _word(_stem(audio)) for audio in recordings}
    if clash := _clashing(keys):
        folder = os.path.commonpath([Path(audio).parent for audio in clash])
        for audio in clash:
            path = os.path.relpath(audio.replace("\0", "-"), folder)
            keys[audio] = _word(path.replace("/", "-"))
    # a/b-c.wav and a-b/c.wav are called alike still.
    for audio in _clashing(keys):
        keys[audio] += f"-{hashlib.sha256(audio.encode()).hexdigest()[:DIGITS]}"
    return keys


def _clashing(keys: Mapping[str, str]) -> list[str]:
    count = Counter(keys.values())
    return [audio for audio, key in keys.items() if count[key] > 1]


def _stem(audio: str) -> str:
    return Path(audio.rpartition("\0")[2]).stem


def _word(text: str) -> str:
    return re.sub(r"\s+", "_", text)


def _key(row: Row, recordings: Mapping[str, str], parts: Mapping[str, int]) -> str:
    if row.key:
        return row.key
    key = recordings[row.audio]
    if parts[row.audio] == 1 or (row.start is None and row.end is None):
        return key
    # As Kaldi's segments are called: in hundredths, of one length so that they sort.
    start = round(100 * (row.start or 0.0))
    end = "" if row.end is None else f"-{round(100 * row.end):07}"
    return f"{key}-{start:07}{end}"


def _without(words: Sequence[str], heads: Sequence[str]) -> list[str]:
    """Return the words without their heads, if all of them have theirs."""
    both = [*zip(words, heads, strict=True)]
    if all(word.startswith(head) and word != head for word, head in both):
        return [word.removeprefix(head) for word, head in both]
    return [*words]


def _cut(words: Sequence[str], most: int) -> list[str]:
    """Return words of so many bytes at most; different ones stay different."""
    short = {word: _begin(word, most) for word in words}
    count = Counter(short.values())
    for word, cut in short.items():
        if cut != word and count[cut] > 1:
            digest = hashlib.sha256(word.encode()).hexdigest()[:DIGITS]
            short[word] = f"{_begin(word, most - DIGITS - 1)}_{digest}"
    return [short[word] for word in words]


def _begin(word: str, most: int) -> str:
    return word.encode()[:most].decode(errors="ignore")


def _check_speakers(rows: Sequence[Row], speakers: Sequence[str]) -> None:
    spelt: dict[str, dict[str, str]] = defaultdict(dict)
    for row, speaker in zip(rows, speakers, strict=True):
        own = spelt[_BEFORE_HYPHEN.sub("_", speaker)]
        own.setdefault(speaker, row.where)
        if len(own) > 1:
            (one, there), (other, here) = own.items()
            raise InputError(
                f"{here}: speakers must differ in more than spaces and hyphens; "
                f"{other!r} is {one!r} of {there} otherwise: rename one."
            )


def _check_same(old: Row, new: Row, name: str) -> None:
    def content(row: Row) -> tuple[object, ...]:
        return row.audio, row.start, row.end, row.text, row.speaker

    if content(old) != content(new):
        raise InputError(
            f"{new.where}: utterances must have names of their own; {name} is another "
            f"one in {old.where}: give --id-column a column that tells them apart, or "
            "--start-column and --end-column if they are parts of one recording."
        )
