"""Debian packages of recorded speech -> data/<set>_{train,valid,test}.

A set is <language> for prompts, unless --suffix, and <language>_<domain> otherwise. A
sentence is in the same split in every language: the prompt's key, or the English
sentence if there is one, decides the split. One text may come of two keys or of two
domains, in two splits; then test keeps it rather than valid, and valid rather than
train. With --translate, <language>-en… has the English text of each set of <language>
whose domain has one.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import soundfile
from domains import DOMAINS
from packages import packages
from recording import Recording, name_of
from sentences import SPLITS, Percent, clean, flaw, plain, split_of
from translations import translated, translation_of

from espnet_merge.data.audio import decode
from espnet_merge.data.kaldi import KaldiUtterance, read_kaldi, write_kaldi
from espnet_merge.data.sets import is_there
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.disk.cache import default_cache
from espnet_merge.errors import InputError, one_line_error
from espnet_merge.files import UTT2LANG, UTT2SPK, UTT2TASK, WAV_SCP
from espnet_merge.speech import SAMPLE_RATE

# Characters per second. Nobody speaks faster: such a text has more than the audio.
FASTEST = 23


class Prepared(NamedTuple):
    """An utterance with its split and its length in seconds."""

    utterance: KaldiUtterance
    split: str
    seconds: float


@dataclass(frozen=True)
class Places:
    """The directories of data, audio and packages, and what is for test and valid."""

    data: Path
    audio: Path
    cache: Path
    percent: Percent


class Set(NamedTuple):
    """A domain in one language, and the name of its data."""

    name: str
    domain: str
    language: str


def main() -> None:
    """Prepare the sets that do not exist yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--langs", nargs="+", required=True)
    parser.add_argument("--domains", nargs="+", required=True)
    parser.add_argument("--suffix", action="store_true")
    parser.add_argument("--translate", nargs="*", default=[])
    parser.add_argument("--test", type=int, required=True)
    parser.add_argument("--valid", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=default_cache())
    args = parser.parse_args()
    with one_line_error("data.sh", OSError):
        percent = check_percent(args.test, args.valid)
        places = Places(args.data, args.audio, args.cache, percent)
        chosen = choose(args.domains, args.langs, args.suffix)
        check_translated(args.translate, chosen)
        prepare(chosen, places)
        for one in chosen:
            if one.language in args.translate:
                prepare_translation(one, places)


def check_percent(test: int, valid: int) -> Percent:
    """Return the percentages; raise InputError unless each split gets something."""
    if test < 1 or valid < 1 or test + valid > 99:
        raise InputError(
            "--test and --valid must be percentages that leave some for training; got "
            f"{test} and {valid}."
        )
    return Percent(test, valid)


def choose(domains: list[str], languages: list[str], suffix: bool) -> list[Set]:
    """Return the sets of these domains in these languages.

    Raises:
        InputError: an unknown domain, or a language that none of the domains has.
    """
    for domain in domains:
        if domain not in DOMAINS:
            raise InputError(
                f"--domains must be of {', '.join(DOMAINS)}; got {domain!r}."
            )
    chosen = []
    for domain in domains:
        for language in languages:
            if language in DOMAINS[domain].languages:
                short = domain == "prompts" and not suffix
                name = language if short else f"{language}_{domain}"
                chosen.append(Set(name, domain, language))
    for language in languages:
        if all(language != one.language for one in chosen):
            known = "; ".join(f"{d}: {' '.join(DOMAINS[d].languages)}" for d in domains)
            raise InputError(f"--langs must be of {known}; got {language!r}.")
    return chosen


def check_translated(languages: list[str], chosen: list[Set]) -> None:
    """Raise InputError unless the languages have English texts."""
    known = [one.language for one in chosen if DOMAINS[one.domain].english]
    known = [language for language in dict.fromkeys(known) if language != "en"]
    for language in languages:
        if language not in known:
            raise InputError(
                "--translate must be of the --langs with English texts, without en: "
                f"{' '.join(known)}; got {language!r}."
            )


def prepare(chosen: list[Set], places: Places) -> None:
    """Write the sets that are not there; a text is in one split of all sets."""
    split_with: dict[tuple[str, str], str] = {}
    missing = []
    for one in chosen:
        if is_there(one.name, places.data):
            for split in SPLITS:
                for utterance in read_utterances(places.data / f"{one.name}_{split}"):
                    split_with[one.language, plain(utterance.text)] = split
        else:
            missing.append(one)
    dropped = {one.name: Counter[str]() for one in missing}
    made = {one.name: convert(one, places, dropped[one.name]) for one in missing}
    kept = without_repeats(made, split_with, dropped)
    for name, utterances in kept.items():
        write_splits(name, utterances, dropped[name], places.data)


def convert(one: Set, places: Places, dropped: Counter[str]) -> list[Prepared]:
    """Write the audio of a set, and return its utterances."""
    recordings = DOMAINS[one.domain].read(one.language, packages(places.cache), dropped)
    audio = places.audio / one.name
    with whole_directory(audio) as part:
        prepared = []
        for recording in usable(recordings, dropped):
            try:
                samples = decode(recording.content, recording.key, recording.container)
            except InputError:
                dropped["broken audio"] += 1
                continue
            utterance = described(recording, one, audio)
            file = part / Path(utterance.audio).name
            if file.exists():
                raise InputError(
                    f"{utterance.name}: two keys must not share this name."
                )
            soundfile.write(file, samples, SAMPLE_RATE, subtype="PCM_16")
            split = split_of(recording.sentence, places.percent)
            prepared.append(Prepared(utterance, split, len(samples) / SAMPLE_RATE))
    return not_too_long(prepared, dropped)


def not_too_long(prepared: list[Prepared], dropped: Counter[str]) -> list[Prepared]:
    """Leave out texts, of either task, that nobody can have said in that time."""
    spoken = [p for p in prepared if len(p.utterance.text) <= FASTEST * p.seconds]
    dropped["text too long for its audio"] += len(prepared) - len(spoken)
    return spoken


def prepare_translation(source: Set, places: Places) -> None:
    """Write the three splits of a set with their English texts, if there are any."""
    name, read = translation_of(source.name, source.language), DOMAINS[source.domain]
    if is_there(name, places.data) or not read.english:
        return
    spoken = {s: read_utterances(places.data / f"{source.name}_{s}") for s in SPLITS}
    dropped: Counter[str] = Counter()
    english = read.english(packages(places.cache))
    about = source.name, source.language, english, places.percent
    kept = [
        Prepared(utterance, split, soundfile.info(utterance.audio).duration)
        for split, utterance in translated(spoken, *about, dropped)
    ]
    write_splits(name, not_too_long(kept, dropped), dropped, places.data)


def read_utterances(directory: Path) -> list[KaldiUtterance]:
    """Return the utterances of an existing data directory."""
    tables = read_kaldi(directory)
    columns = (WAV_SCP, "text", UTT2SPK, UTT2LANG, UTT2TASK)
    return [
        KaldiUtterance(name, *(tables[column][name] for column in columns))
        for name in tables[WAV_SCP]
    ]


def write_splits(
    name: str, kept: list[Prepared], dropped: Counter[str], data: Path
) -> None:
    """Write the data directories of a set, and print a summary."""
    for split in SPLITS:
        members = (item.utterance for item in kept if item.split == split)
        write_kaldi(members, data / f"{name}_{split}")
    print(summary(name, kept, dropped), file=sys.stderr)


def usable(
    recordings: Iterable[Recording], dropped: Counter[str]
) -> Iterator[Recording]:
    """Clean the texts; drop recordings whose text is not what is spoken."""
    for recording in recordings:
        text = clean(recording.text)
        reason = flaw(text)
        if reason:
            dropped[reason] += 1
        else:
            yield recording._replace(text=text)


def described(recording: Recording, one: Set, audio: Path) -> KaldiUtterance:
    """Return the lines of the data directory for one recording."""
    # Sets of several domains are combined, so their utterances' names must differ.
    name = name_of(one.name, recording.key)
    # One speaker reads all prompts of a language; other domains name no speakers.
    # Kaldi sorts sets by speaker, so the speaker must begin the name.
    speaker = one.name if one.domain == "prompts" else name
    return KaldiUtterance(
        name, str(audio / f"{name}.wav"), recording.text, speaker, one.language
    )


def without_repeats(
    sets: dict[str, list[Prepared]],
    split_with: dict[tuple[str, str], str],
    dropped: dict[str, Counter[str]],
) -> dict[str, list[Prepared]]:
    """Drop utterances whose text is in an earlier split of ``SPLITS`` as well.

    Args:
        sets: utterances by name of the set.
        split_with: language and text -> split, of sets that are there; is filled.
        dropped: reasons by name of the set; changed in place.
    """
    kept: dict[str, list[Prepared]] = {name: [] for name in sets}
    every = [(name, item) for name, items in sets.items() for item in items]
    for name, item in sorted(every, key=lambda pair: SPLITS.index(pair[1].split)):
        text = item.utterance.language, plain(item.utterance.text)
        if split_with.setdefault(text, item.split) == item.split:
            kept[name].append(item)
        else:
            dropped[name]["text of another split"] += 1
    return kept


def summary(name: str, kept: list[Prepared], dropped: Counter[str]) -> str:
    """Return the table that is printed for one set."""
    lines = [f"data: {name}"]
    for split in reversed(SPLITS):
        seconds = [item.seconds for item in kept if item.split == split]
        lines.append(f"  {split:27}{len(seconds):6}{sum(seconds) / 60:8.1f} min")
    lines += [f"  {why:27}{dropped[why]:6} dropped" for why in sorted(+dropped)]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
