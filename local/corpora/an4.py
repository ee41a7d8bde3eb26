"""AN4: spelt names, numbers and commands, recorded at CMU in 1991.

Acero, *Acoustical and Environmental Robustness in Automatic Speech Recognition*, 1993;
http://www.speech.cs.cmu.edu/databases/an4. The archive is the one of ESPnet's recipe.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from espnet_merge.data.archive import Archive, Corpus
from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.errors import InputError

ARCHIVE = Archive(
    "an4_sphere.tar.gz",
    "an4",
    "https://dldata-public.s3.us-east-2.amazonaws.com/an4_sphere.tar.gz",
    "a0525579493735d32b60fb6fa5975dd0eaacde087b0a4eeb7f13b7ef33077b12",
)
# Split -> folder of its clips.
FOLDERS = {"train": "an4_clstk", "test": "an4test_clstk"}
# <s> WORDS </s> (an251-fash-b); the test set has no marks.
_LINE = re.compile(r"(?:<s> )?(.*?)(?: </s>)? *\((\w+)-(\w+)-(\w+)\)")


def read(corpus: Corpus, valid: int) -> dict[str, list[KaldiUtterance]]:
    """Return the utterances of each split.

    The corpus has none for validation: so many of the training set are taken, the
    first by name.
    """
    folder = corpus.find(ARCHIVE)
    both = {split: sorted(_utterances(folder, split), key=_name) for split in FOLDERS}
    train = both["train"]
    return {"train": train[valid:], "valid": train[:valid], "test": both["test"]}


def _name(utterance: KaldiUtterance) -> str:
    return utterance.name


def _utterances(folder: Path, split: str) -> Iterator[KaldiUtterance]:
    table = folder / "etc" / f"an4_{split}.transcription"
    for number, line in enumerate(table.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise InputError(
                f"{table}:{number}: must be 'WORDS (an251-fash-b)'; it is {line!r}: "
                "unpack the archive again."
            )
        words, before, speaker, after = match.groups()
        clip = f"{before}-{speaker}-{after}.sph"
        audio = folder / "wav" / FOLDERS[split] / speaker / clip
        # Transcripts are in capitals, which Whisper spells letter by letter.
        yield KaldiUtterance(
            f"en-{speaker}-{before}-{after}",
            str(audio),
            words.lower(),
            f"en-{speaker}",
            "en",
        )
