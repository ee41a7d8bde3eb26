"""Debian packages of recorded speech -> data/<set>_{train,valid,test}.

A set is <language> for prompts and <language>_<domain> otherwise. A sentence is in the
same split in every language: the split is by the prompt's key, or by the English
sentence where there is one. What would still stand in two splits of one language, as
two keys with one text, is dropped from the one that matters less: train before valid
before test.
"""

import argparse
import hashlib
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import soundfile
from packages import PACKAGES
from recordings import DOMAINS, Recording

from espnet_merge.cache import default_cache
from espnet_merge.checkpoint.atomic import whole_directory
from espnet_merge.data import deb
from espnet_merge.data.audio import SAMPLE_RATE, decode
from espnet_merge.data.kaldi import Utterance, write_kaldi
from espnet_merge.errors import InputError

# In the order in which they keep a text that two of them have.
SPLITS = ("test", "valid", "train")
# Of 100 sentences, as a rule: 8 for test, 9 for valid.
TEST, VALID = 8, 17
# Characters a second. Nobody speaks so fast: the text says more than is heard.
FASTEST = 23


class Prepared(NamedTuple):
    """An utterance and its length."""

    utterance: Utterance
    split: str
    seconds: float


def main() -> None:
    """Prepare the sets that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--langs", nargs="+", required=True)
    parser.add_argument("--domains", nargs="+", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=default_cache())
    args = parser.parse_args()
    try:
        for domain, language in choose(args.domains, args.langs):
            prepare(domain, language, args.data, args.audio, args.cache)
    except (InputError, OSError) as error:
        print(f"data.sh: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


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


def prepare(domain: str, language: str, data: Path, audio: Path, cache: Path) -> None:
    """Write the three splits of one set, unless they are all there."""
    name = language if domain == "prompts" else f"{language}_{domain}"
    outputs = {split: data / f"{name}_{split}" for split in SPLITS}
    if all(output.is_dir() for output in outputs.values()):
        print(f"data: {name} is there already", file=sys.stderr)
        return
    dropped: Counter[str] = Counter()
    read = DOMAINS[domain][1]
    recordings = read(
        language,
        lambda package: deb.members(deb.get(PACKAGES[package], cache)),
        dropped,
    )
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
    kept = list(without_repeats(spoken, dropped))
    for split, output in outputs.items():
        write_kaldi((u for u, where, _ in kept if where == split), output)
    print(summary(name, kept, dropped), file=sys.stderr)


def usable(
    recordings: Iterable[Recording], dropped: Counter[str]
) -> Iterator[Recording]:
    """Clean the texts; drop those that do not say what is heard."""
    for recording in recordings:
        text = clean(recording.text)
        if re.search(r"[][()<>]", text):
            # A tone, or a remark to the speaker: it says how, or says it in English.
            dropped["note in brackets"] += 1
        elif "%" in text:
            dropped["template"] += 1
        elif not any(letter.isalnum() for letter in text):
            dropped["no words"] += 1
        else:
            yield recording._replace(text=text)


def clean(text: str) -> str:
    """Return the text in NFC, without the dots of a sentence that goes on elsewhere."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return re.sub(r"^(\.\.+|…)\s*|\s*(\.\.+|…)$", "", text)


def split_of(sentence: str) -> str:
    """Return the split of a sentence: the same on every machine, for ever."""
    words = plain(sentence).encode()
    place = int.from_bytes(hashlib.sha256(words).digest()[:8]) % 100
    return "test" if place < TEST else "valid" if place < VALID else "train"


def plain(text: str) -> str:
    """Return the letters and digits of a text, by which two texts are the same."""
    return "".join(c for c in text.casefold() if c.isalnum())


def described(
    recording: Recording, domain: str, language: str, audio: Path
) -> Utterance:
    """Return the lines of the data directory for one recording."""
    name = f"{language}-{recording.key.replace('/', '_')}"
    # One voice reads all prompts of a language; of the others the voice is not known.
    speaker = language if domain == "prompts" else name
    return Utterance(
        name, str(audio / f"{name}.wav"), recording.text, speaker, language
    )


def without_repeats(
    prepared: list[Prepared], dropped: Counter[str]
) -> Iterator[Prepared]:
    """Drop what repeats a text of a split that matters more."""
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
