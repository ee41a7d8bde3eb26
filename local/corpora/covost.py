"""CoVoST 2: English translations of recordings of Common Voice 4.

Wang et al., *CoVoST 2 and Massively Multilingual Speech Translation*, Interspeech 2021,
https://arxiv.org/abs/2007.10310; https://github.com/facebookresearch/covost.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from espnet_merge.data.archive import Archive, Corpus
from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.errors import InputError
from espnet_merge.speech import TRANSLATE

ADDRESS = "https://dl.fbaipublicfiles.com/covost"
# Whisper's code -> Common Voice's code, for languages with English translations.
_CODES = """
ar ca cy de es et fa fr id it ja lv mn nl pt ru sl sv-SE ta tr zh-CN
"""
LANGUAGES = {code.partition("-")[0]: code for code in _CODES.split()}
# CoVoST's splits; train_covost is what it adds to Common Voice's training set.
SPLITS = {"train": "train", "train_covost": "train", "dev": "valid", "test": "test"}
# Number of digits, of 128, that are kept of a speaker's id; they are unique.
DIGITS = 32


def find(covost: Corpus, commonvoice: Corpus, language: str) -> tuple[Path, Path]:
    """Return the table of translations and Common Voice's folder for a language."""
    code = LANGUAGES[language]
    table = f"covost_v2.{code}_en.tsv"
    file = f"{table}.tar.gz"
    translations = covost.find(Archive(file, table, f"{ADDRESS}/{file}"))
    # The archive has no top folder: clips and tables are at its root.
    recordings = Archive(f"{code}.tar.gz", "validated.tsv")
    return translations, commonvoice.find(recordings).parent


def read(
    translations: Path, recordings: Path, language: str, task: str
) -> dict[str, list[KaldiUtterance]]:
    """Return the utterances of each split, as CoVoST's own script splits them.

    Args:
        translations: table of path, translation and split.
        recordings: folder with ``validated.tsv`` and ``clips``.
        language: Whisper's code.
        task: ``translate`` for English texts, ``transcribe`` for transcripts.
    """
    rows = _rows(translations, "path", "translation", "split")
    translated = {row["path"]: row for row in rows if row["split"] in SPLITS}
    splits: dict[str, list[KaldiUtterance]] = {split: [] for split in SPLITS.values()}
    name = f"{language}-en" if task == TRANSLATE else language
    for row in _rows(recordings / "validated.tsv", "path", "sentence", "client_id"):
        other = translated.pop(row["path"], None)
        if other is None:
            continue
        text = other["translation"] if task == TRANSLATE else row["sentence"]
        # Utterance names begin with the speaker, as Kaldi's sorting demands.
        speaker = f"{name}-{row['client_id'][:DIGITS]}"
        clip = recordings / "clips" / row["path"]
        utterance = KaldiUtterance(
            f"{speaker}-{clip.stem}", str(clip), text or "", speaker, language, task
        )
        splits[SPLITS[other["split"]]].append(utterance)
    if translated:
        print(
            f"data: {name}: {len(translated)} translations are of sentences that "
            f"{recordings / 'validated.tsv'} does not have, and left out",
            file=sys.stderr,
        )
    return splits


def _rows(table: Path, *columns: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table, as CoVoST's own script reads them."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(
            file, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\"
        )
        if not {*columns} <= {*(rows.fieldnames or ())}:
            raise InputError(
                f"{table}: must have the columns {' '.join(columns)}; it has "
                f"{' '.join(rows.fieldnames or ())}: get the file again."
            )
        yield from rows
