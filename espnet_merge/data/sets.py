"""From the utterances of a corpus to its data directories, checked before written."""

import sys
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import soundfile

from espnet_merge.data.audio import SAMPLE_RATE, decode
from espnet_merge.data.kaldi import Utterance, write_kaldi
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError
from espnet_merge.workers import Workers

SPLITS = ("train", "valid", "test")
# What soundfile reads fast and exactly, by its names.
PLAIN = ("WAV", "WAVEX", "FLAC")


def check_known(option: str, values: Collection[str], known: Collection[str]) -> None:
    """Raise InputError unless all values of an option are known ones."""
    for value in values:
        if value not in known:
            raise InputError(f"--{option} must be of {' '.join(known)}; got {value!r}.")


def is_there(name: str, data: Path) -> bool:
    """Return whether all splits of a set are there, and say so."""
    there = all((data / f"{name}_{split}").is_dir() for split in SPLITS)
    if there:
        print(f"data: {name} is there already", file=sys.stderr)
    return there


def write_sets(
    name: str,
    splits: Mapping[str, Iterable[Utterance]],
    data: Path,
    audio: Path,
    jobs: int = 1,
) -> None:
    """Write ``data/<name>_{train,valid,test}``, and say what was dropped and why.

    Audio that is not WAV or FLAC of one channel at 16 kHz is converted. What was
    converted by a run that was killed is not converted again.

    Args:
        name: of the set.
        splits: split -> its utterances.
        data: where the data directories go.
        audio: where converted audio goes, under the names of the sources.
        jobs: number of threads.

    Raises:
        InputError: clips are missing, or nothing is left of a split. Then no data
            directory was written.
    """
    dropped: Counter[str] = Counter()
    named = {s: list(usable(splits[s], dropped)) for s in SPLITS}
    _check_present(name, [u for split in named.values() for u in split])
    kept = {}
    with Workers(jobs) as workers:
        for split, utterances in named.items():
            heard = workers.map(partial(playable, audio=audio), utterances)
            kept[split] = [utterance for utterance in heard if utterance]
            dropped["broken audio"] += len(utterances) - len(kept[split])
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
    utterances: Iterable[Utterance], dropped: Counter[str]
) -> Iterator[Utterance]:
    """Yield the utterances with clean texts; count those without, and repeated names.

    Args:
        utterances: as the corpus has them.
        dropped: is counted up: reason -> utterances.
    """
    names = set()
    for utterance in utterances:
        text = clean(utterance.text)
        if not any(letter.isalnum() for letter in text):
            dropped["no text"] += 1
        elif utterance.name in names:
            dropped["named twice"] += 1
        else:
            names.add(utterance.name)
            yield replace(utterance, text=text)


def clean(text: str) -> str:
    r"""Return the text in NFC, with single plain spaces.

    >>> clean("uno\u00a0 dos\u2028 ")
    'uno dos'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def playable(utterance: Utterance, audio: Path) -> Utterance | None:
    """Return the utterance with audio as Whisper hears it; None if it is broken.

    Args:
        utterance: with a file of any format.
        audio: where it goes if it must be converted.
    """
    source = Path(utterance.audio)
    try:
        found = soundfile.info(source)
        heard = found.samplerate == SAMPLE_RATE and found.channels == 1
        if heard and found.format in PLAIN:
            return utterance if found.frames else None
    except soundfile.LibsndfileError:
        pass  # FFmpeg knows more formats.
    target = audio / f"{source.stem}.flac"
    if not target.exists():
        try:
            samples = decode(source.read_bytes(), str(source))
        except InputError:
            return None
        with whole_file(target) as part:
            soundfile.write(part, samples, SAMPLE_RATE, subtype="PCM_16")
    return replace(utterance, audio=str(target))


def _check_present(name: str, utterances: list[Utterance]) -> None:
    missing = [u.audio for u in utterances if not Path(u.audio).is_file()]
    if missing:
        raise InputError(
            f"{name}: every clip must be there; {len(missing)} of {len(utterances)} "
            f"are not, as {missing[0]}: unpack the corpus again."
        )


def _reasons(dropped: Counter[str]) -> str:
    return ", ".join(f"{count} {why}" for why, count in sorted((+dropped).items()))
