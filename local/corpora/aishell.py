"""AISHELL-1: read Mandarin, one list of transcripts, WAV files by split and speaker.

Bu et al., *AISHELL-1: an open-source Mandarin speech corpus and a speech recognition
baseline*, O-COCOSDA 2017; https://www.openslr.org/33.
"""

from collections.abc import Iterator
from pathlib import Path

from espnet_merge.data.archive import Archive, Corpus
from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError

ARCHIVE = Archive(
    "data_aishell.tgz",
    "data_aishell",
    "https://www.openslr.org/resources/33/data_aishell.tgz",
    "2f494334227864a8a8fec932999db9d8",
)
SPLITS = {"train": "train", "valid": "dev", "test": "test"}


def read(corpus: Corpus) -> dict[str, Iterator[KaldiUtterance]]:
    """Return the utterances of each split; those without a transcript get no text.

    Raises:
        InputError: a transcript has no recording.
    """
    folder = corpus.find(ARCHIVE)
    texts = read_table(folder / "transcript" / "aishell_transcript_v0.8.txt")
    clips = {
        split: sorted((folder / "wav" / theirs).glob("*/*.wav"))
        for split, theirs in SPLITS.items()
    }
    missing = texts.keys() - {clip.stem for own in clips.values() for clip in own}
    if missing:
        raise InputError(
            f"{folder}: every transcript must have its clip; {len(missing)} of "
            f"{len(texts)} have none, as {min(missing)}: unpack the corpus again, with "
            "the archives of the speakers in wav/."
        )
    return {split: _utterances(own, texts) for split, own in clips.items()}


def _utterances(clips: list[Path], texts: dict[str, str]) -> Iterator[KaldiUtterance]:
    for clip in clips:
        speaker = f"zh-{clip.parent.name}"
        # The transcripts have spaces between words, which Chinese is not written with.
        text = texts.get(clip.stem, "").replace(" ", "")
        yield KaldiUtterance(f"{speaker}-{clip.stem}", str(clip), text, speaker, "zh")
