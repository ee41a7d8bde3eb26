"""MLS: audiobooks in eight languages, a flat table of transcripts for each split.

Pratap et al., *MLS: A Large-Scale Multilingual Dataset for Speech Research*, 2020,
https://arxiv.org/abs/2012.03411; https://www.openslr.org/94.
"""

from collections.abc import Iterator
from pathlib import Path

from espnet_merge.data.archive import Archive, Corpus
from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError

ADDRESS = "https://dl.fbaipublicfiles.com/mls"
# Whisper's code -> name in MLS.
LANGUAGES = {
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "it": "italian",
    "nl": "dutch",
    "pl": "polish",
    "pt": "portuguese",
}
MD5 = {
    "mls_dutch": "6b171a16baff0108efd320b1ad65b9d1",
    "mls_dutch_opus": "96658c55ef85993a56cf2efbf6f83f57",
    "mls_english": "9d4249911e318c2b8dcfcfecb484d865",
    "mls_english_opus": "60390221eec6f456611563b37f0b052c",
    "mls_french": "4172e807697259bff9ad63661aecabf6",
    "mls_french_opus": "b4716b2fd4f67b07c17c6b2a6068641f",
    "mls_german": "91ac982bf63869307f1b8950dfb7c776",
    "mls_german_opus": "b24a9dfd3a8dd1aeabc1341982cc4775",
    "mls_italian": "dc77f5805aecc7182aa20786032e5dc1",
    "mls_italian_opus": "ca5a74d7e97cc62635022719e0ef529d",
    "mls_polish": "ce1a1278006cc373c9d1cb6dbfc03d47",
    "mls_polish_opus": "21f83647876c61566c96fdc6298a7b65",
    "mls_portuguese": "12d54613fae75ae5fb1d55836408f3ee",
    "mls_portuguese_opus": "4dbd6cbdda61268e5d26c4117b0bf769",
    "mls_spanish": "6c34698dd522dde28fdc43309e9cc1ac",
    "mls_spanish_opus": "a2c4b0ff02a71f10ddb21beffbe640ce",
}
SPLITS = {"train": "train", "valid": "dev", "test": "test"}
# Lists of utterances in train/limited_supervision; 1hr is six parts of ten minutes.
HANDLES = {
    "10h": ("9hr/handles.txt", "1hr/*/handles.txt"),
    "1h": ("1hr/*/handles.txt",),
    "all": (),
}


def find(corpus: Corpus, language: str, audio: str) -> Path:
    """Return the folder of a language; ``audio`` is ``opus`` or ``flac``."""
    folder = f"mls_{LANGUAGES[language]}" + ("_opus" if audio == "opus" else "")
    file = f"{folder}.tar.gz"
    return corpus.find(Archive(file, folder, f"{ADDRESS}/{file}", MD5[folder]))


def read(
    folder: Path, language: str, audio: str, amount: str
) -> dict[str, Iterator[KaldiUtterance]]:
    """Return the utterances of each split.

    Args:
        folder: of the language.
        language: Whisper's code.
        audio: suffix of the files.
        amount: of training data, a key of ``HANDLES``.
    """
    chosen = {"train": _handles(folder / "train" / "limited_supervision", amount)}
    return {
        split: _utterances(folder / theirs, language, audio, chosen.get(split))
        for split, theirs in SPLITS.items()
    }


def _handles(folder: Path, amount: str) -> set[str] | None:
    """Return the names of the utterances in a limited training set; None for all."""
    if not HANDLES[amount]:
        return None
    files = [file for pattern in HANDLES[amount] for file in folder.glob(pattern)]
    if len(files) < len(HANDLES[amount]):
        raise InputError(
            f"{folder}: must hold {' and '.join(HANDLES[amount])}; it does not: take "
            "--mls_train all, or unpack the corpus again."
        )
    return {name for file in files for name in file.read_text("utf-8").split()}


def _utterances(
    folder: Path, language: str, audio: str, chosen: set[str] | None
) -> Iterator[KaldiUtterance]:
    for name, text in read_table(folder / "transcripts.txt").items():
        if chosen is not None and name not in chosen:
            continue
        speaker, book, number = name.split("_")
        file = folder / "audio" / speaker / book / f"{name}.{audio}"
        speaker = f"{language}-{speaker}"
        yield KaldiUtterance(
            f"{speaker}-{book}-{number}", str(file), text, speaker, language
        )
