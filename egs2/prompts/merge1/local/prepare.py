"""Debian packages of recorded speech -> data/<set>_{train,valid,test}.

A set is <language> for prompts and <language>_<domain> otherwise. A sentence is in the
same split in every language: the prompt's key, or the English sentence if there is one,
decides the split. Two keys may have the same text and be in two splits; then test keeps
it rather than valid, and valid rather than train. With --translate, <language>-en has
the English text of the prompts of <language>.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import soundfile
from packages import PACKAGES
from recordings import DOMAINS, Files, Recording, name_of, prompt_texts
from sentences import SPLITS, clean, flaw, plain, split_of
from translations import translated

from espnet_merge.data import deb
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


def main() -> None:
    """Prepare the sets that do not exist yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--langs", nargs="+", required=True)
    parser.add_argument("--domains", nargs="+", required=True)
    parser.add_argument("--translate", nargs="*", default=[])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=default_cache())
    args = parser.parse_args()
    with one_line_error("data.sh", OSError):
        chosen = choose(args.domains, args.langs)
        check_translated(args.translate, chosen)
        for domain, language in chosen:
            prepare(domain, language, args.data, args.audio, args.cache)
        for language in args.translate:
            prepare_translation(language, args.data, args.cache)


def choose(domains: list[str], languages: list[str]) -> list[tuple[str, str]]:
    """Return the sets of these domains in these languages.

    Raises:
        InputError: an unknown domain, or a language that none of the domains has.
    """
    for domain in domains:
        if domain not in DOMAINS:
            raise InputError(
                f"--domains must be of {', '.join(DOMAINS)}; got {domain!r}."
            )
    chosen = [
        (domain, language)
        for domain in domains
        for language in languages
        if language in DOMAINS[domain][0]
    ]
    for language in languages:
        if all(language != found for _, found in chosen):
            known = "; ".join(f"{d}: {' '.join(DOMAINS[d][0])}" for d in domains)
            raise InputError(f"--langs must be of {known}; got {language!r}.")
    return chosen


def check_translated(languages: list[str], chosen: list[tuple[str, str]]) -> None:
    """Raise InputError unless prompts of these languages are chosen, English apart."""
    known = [lang for domain, lang in chosen if domain == "prompts" and lang != "en"]
    for language in languages:
        if language not in known:
            raise InputError(
                "--translate must be of the --langs that have prompts, without en: "
                f"{' '.join(known)}; got {language!r}."
            )


def prepare(domain: str, language: str, data: Path, audio: Path, cache: Path) -> None:
    """Write the three splits of one set, unless they are all there."""
    name = language if domain == "prompts" else f"{language}_{domain}"
    if is_there(name, data):
        return
    dropped: Counter[str] = Counter()
    recordings = DOMAINS[domain][1](language, packages(cache), dropped)
    with whole_directory(audio / name) as part:
        prepared = []
        for recording in usable(recordings, dropped):
            try:
                samples = decode(recording.content, recording.key, recording.container)
            except InputError:
                dropped["broken audio"] += 1
                continue
            utterance = described(recording, domain, language, audio / name)
            file = part / Path(utterance.audio).name
            if file.exists():
                raise InputError(
                    f"{utterance.name}: two keys must not share this name."
                )
            soundfile.write(file, samples, SAMPLE_RATE, subtype="PCM_16")
            seconds = len(samples) / SAMPLE_RATE
            split = split_of(recording.sentence)
            prepared.append(Prepared(utterance, split, seconds))
    spoken = [p for p in prepared if len(p.utterance.text) <= FASTEST * p.seconds]
    dropped["text too long for its audio"] = len(prepared) - len(spoken)
    write_splits(name, list(without_repeats(spoken, dropped)), dropped, data)


def prepare_translation(language: str, data: Path, cache: Path) -> None:
    """Write the three splits of a language's prompts with their English texts."""
    name = f"{language}-en"
    if is_there(name, data):
        return
    spoken = {s: read_utterances(data / f"{language}_{s}") for s in SPLITS}
    english = prompt_texts("en", packages(cache))
    dropped: Counter[str] = Counter()
    kept = [
        Prepared(utterance, split, soundfile.info(utterance.audio).duration)
        for split, utterance in translated(spoken, language, english, dropped)
    ]
    write_splits(name, kept, dropped, data)


def packages(cache: Path) -> Files:
    """Return a function that yields the files of a package, given its name."""
    return lambda package: deb.members(deb.get(PACKAGES[package], cache))


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


def described(
    recording: Recording, domain: str, language: str, audio: Path
) -> KaldiUtterance:
    """Return the lines of the data directory for one recording."""
    name = name_of(language, recording.key)
    # One speaker reads all prompts of a language; other domains name no speakers.
    speaker = language if domain == "prompts" else name
    return KaldiUtterance(
        name, str(audio / f"{name}.wav"), recording.text, speaker, language
    )


def without_repeats(
    prepared: list[Prepared], dropped: Counter[str]
) -> Iterator[Prepared]:
    """Drop utterances whose text is in an earlier split of ``SPLITS`` as well."""
    split_with: dict[str, str] = {}
    for item in sorted(prepared, key=lambda item: SPLITS.index(item.split)):
        text = plain(item.utterance.text)
        if split_with.setdefault(text, item.split) == item.split:
            yield item
        else:
            dropped["text of another split"] += 1


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
