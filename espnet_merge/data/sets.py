"""Write the utterances of a corpus as data directories, after checking them."""

import hashlib
import sys
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from espnet_merge.data.audio import AudioError, read_blocks, read_header, write_flac
from espnet_merge.data.kaldi import KaldiUtterance, write_kaldi
from espnet_merge.errors import InputError
from espnet_merge.workers import Workers

TEST = "test"
SPLITS = ("train", "valid", TEST)


def check_known(option: str, values: Collection[str], known: Collection[str]) -> None:
    """Raise ``InputError`` unless all values of an option are known."""
    for value in values:
        if value not in known:
            raise InputError(f"--{option} must be of {' '.join(known)}; got {value!r}.")


def is_there(name: str, data: Path) -> bool:
    """Return whether all splits of a set exist, and print a line if so."""
    there = all((data / f"{name}_{split}").is_dir() for split in SPLITS)
    if there:
        print(f"data: {name} is there already", file=sys.stderr)
    return there


def write_sets(
    name: str,
    splits: Mapping[str, Iterable[KaldiUtterance]],
    data: Path,
    audio: Path,
    jobs: int = 1,
) -> None:
    """Write ``data/<name>_{train,valid,test}``, and print what was dropped and why.

    Audio that is not WAV or FLAC of one channel at 16 kHz is converted. Clips that a
    killed run has converted are not converted again. From a test set only utterances
    without text are dropped; broken audio stays and counts as deleted when scored.

    Args:
        name: of the set.
        splits: split -> its utterances.
        data: directory to write the data directories into.
        audio: directory to write converted audio into.
        jobs: number of threads.

    Raises:
        InputError: clips are missing, two utterances have the same name, or a split has
            no usable utterance. No data directory is written then.
    """
    dropped: Counter[str] = Counter()
    named = {
        s: list(usable(splits[s], dropped, split=s, wordless=s == TEST)) for s in SPLITS
    }
    _check_names(name, named)
    _check_present(name, [u for split in named.values() for u in split])
    kept = _convert(named, audio, jobs, dropped)
    for split, utterances in kept.items():
        if not utterances:
            raise InputError(
                f"{name}_{split}: must have utterances; none is left "
                f"({_reasons(dropped) or 'the corpus lists none'})."
            )
    for split, utterances in kept.items():
        write_kaldi(utterances, data / f"{name}_{split}")
    counts = ", ".join(f"{s} {len(utterances)}" for s, utterances in kept.items())
    why = f"; dropped: {_reasons(dropped)}" if dropped.total() else ""
    print(f"data: {name}: {counts} utterances{why}", file=sys.stderr)


def usable(
    utterances: Iterable[KaldiUtterance],
    dropped: Counter[str],
    *,
    split: str,
    wordless: bool = False,
) -> Iterator[KaldiUtterance]:
    """Yield utterances with cleaned texts; drop those without text and duplicates.

    Args:
        utterances: of the corpus.
        dropped: counter of dropped utterances by reason and split; changed in place.
        split: of the utterances.
        wordless: whether to keep texts without a letter or digit, such as "?!".
    """
    seen = set()
    for utterance in utterances:
        text = clean(utterance.text)
        cleaned = replace(utterance, text=text)
        if not text or not (wordless or any(letter.isalnum() for letter in text)):
            dropped[f"no text in {split}"] += 1
        elif cleaned in seen:
            dropped[f"listed twice in {split}"] += 1
        else:
            seen.add(cleaned)
            yield cleaned


def clean(text: str) -> str:
    r"""Return the text in Unicode's NFC, with single plain spaces.

    >>> clean("uno\u00a0 dos\u2028 ")
    'uno dos'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def playable(source: Path, audio: Path) -> str | None:
    """Return a file with the clip in Whisper's format; None if the clip is broken.

    Args:
        source: a file of any format.
        audio: directory for the converted file.
    """
    try:
        if read_header(source).is_plain:
            return str(source)
        return str(converted(source, audio))
    except AudioError:
        return None


def converted(source: Path, audio: Path) -> Path:
    """Return a file with the clip in Whisper's format, converted if it is not there.

    Args:
        source: a file of any format.
        audio: directory for the converted file. Its name depends on path, size and
            modification time of the source, so a changed source is converted again.

    Raises:
        AudioError: the clip is broken.
    """
    state = source.stat()
    who = f"{source.resolve()} {state.st_size} {state.st_mtime_ns}"
    digest = hashlib.sha256(who.encode()).hexdigest()
    target = audio / f"{source.stem}-{digest[:16]}.flac"
    if not target.exists():
        write_flac(target, read_blocks(source))
    return target


def _convert(
    named: Mapping[str, list[KaldiUtterance]],
    audio: Path,
    jobs: int,
    dropped: Counter[str],
) -> dict[str, list[KaldiUtterance]]:
    """Convert the audio of all splits; drop utterances whose audio is broken."""
    # Several utterances may share a clip, which is converted once.
    sources = list(dict.fromkeys(u.audio for own in named.values() for u in own))
    with Workers(jobs) as workers:
        files = workers.map(lambda source: playable(Path(source), audio), sources)
        found = dict(zip(sources, files, strict=True))
    kept: dict[str, list[KaldiUtterance]] = {split: [] for split in named}
    for split, utterances in named.items():
        for utterance in utterances:
            file = found[utterance.audio]
            if file is None and split != TEST:
                dropped[f"broken audio in {split}"] += 1
            else:
                kept[split].append(replace(utterance, audio=file or utterance.audio))
    return kept


def _check_names(name: str, named: Mapping[str, list[KaldiUtterance]]) -> None:
    owners: dict[str, KaldiUtterance] = {}
    for utterance in (u for split in named.values() for u in split):
        other = owners.setdefault(utterance.name, utterance)
        if other is not utterance:
            raise InputError(
                f"{name}: utterances must have names of their own; {utterance.name} is "
                f"{other.audio} and {utterance.audio}: put what tells them apart into "
                "the names, as the speaker or the folder."
            )


def _check_present(name: str, utterances: list[KaldiUtterance]) -> None:
    missing = [u.audio for u in utterances if not Path(u.audio).is_file()]
    if missing:
        raise InputError(
            f"{name}: every clip must be there; {len(missing)} of {len(utterances)} "
            f"are not, as {missing[0]}: unpack the corpus again."
        )


def _reasons(dropped: Counter[str]) -> str:
    return ", ".join(f"{count} {why}" for why, count in sorted((+dropped).items()))
