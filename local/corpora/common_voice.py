"""Common Voice: sentences read by volunteers, a table and clips for each language.

Ardila et al., *Common Voice: A Massively-Multilingual Speech Corpus*, LREC 2020,
https://arxiv.org/abs/1912.06670. Releases from 5.1 on: an archive for each language,
with ``cv-corpus-<release>/<code>/{train,dev,test}.tsv`` and ``clips`` in it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from espnet_merge.corpora.tsv import FORMAT
from espnet_merge.data.archive import unpack
from espnet_merge.data.download import download
from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.errors import InputError
from espnet_merge.speech import code_of

SPLITS = {"train": "train", "valid": "dev", "test": "test"}
COLUMNS = ("client_id", "path", "sentence")
ARCHIVES = ".tar.gz"
# Number of digits, of 128, that are kept of a speaker's id; they are unique.
DIGITS = 32


def find(code: str, given: str, url: str, downloads: Path) -> Path:
    """Return the folder of a language.

    Args:
        code: Common Voice's code of the language, as ``sv-SE``.
        given: the user's directory, with the archive or what is in it; or empty.
        url: signed URL of the archive; or empty.
        downloads: our directory.

    Raises:
        InputError: neither leads to the language, or both are given.
    """
    if bool(given) == bool(url):
        raise InputError(
            "--commonvoice must name a directory, or --urls the archive's signed URL, "
            f"for {code}; got {'both' if given else 'neither'}: see README.md."
        )
    if given:
        if found := _unpacked(Path(given), code):
            return found
        pattern = f"*{ARCHIVES}"
        archives = [p for p in sorted(Path(given).rglob(pattern)) if _is_of(p, code)]
        if not archives:
            raise InputError(
                f"--commonvoice {given}: must hold {code}/train.tsv or an archive "
                f"cv-corpus-…-{code}{ARCHIVES}; it holds neither: name the directory "
                "that does."
            )
        archive = archives[-1]
    else:
        # What is signed in the URL changes with each request; its path does not.
        name = Path(unquote(urlsplit(url).path)).name
        name = name if name.endswith(ARCHIVES) else f"{code}{ARCHIVES}"
        archive = download(url, downloads / name)
    folder = downloads / archive.name.removesuffix(ARCHIVES)
    if not folder.is_dir():
        unpack(archive, folder, ".")
    if found := _unpacked(folder, code):
        return found
    raise InputError(
        f"{archive}: must hold cv-corpus-…/{code}/train.tsv; it does not: it is of "
        "another language; name the right one by --langs, or delete it."
    )


def read(folder: Path, code: str) -> dict[str, Iterator[KaldiUtterance]]:
    """Return the utterances of each split of a language."""
    return {
        split: _utterances(folder / f"{theirs}.tsv", folder / "clips", code)
        for split, theirs in SPLITS.items()
    }


def _unpacked(place: Path, code: str) -> Path | None:
    """Return the folder of a language: the place itself, or one or two levels below."""
    own = [place] if place.name == code else []
    for folder in (*own, place / code, *sorted(place.glob(f"*/{code}"))):
        if (folder / "train.tsv").is_file():
            return folder
    return None


def _is_of(archive: Path, code: str) -> bool:
    stem = archive.name.removesuffix(ARCHIVES)
    return re.search(rf"(^|-){re.escape(code)}$", stem) is not None


def _utterances(table: Path, clips: Path, code: str) -> Iterator[KaldiUtterance]:
    language = code_of(code)
    for record in FORMAT.read([table]):
        row = record.values
        if lacking := [name for name in COLUMNS if name not in row]:
            raise InputError(
                f"{record.where}: must have the columns {' '.join(COLUMNS)}; it lacks "
                f"{lacking[0]}: unpack the archive again."
            )
        # Utterance names begin with the speaker, as Kaldi's sorting demands.
        speaker = f"{language}-{row['client_id'][:DIGITS]}"
        clip = clips / row["path"]
        yield KaldiUtterance(
            f"{speaker}-{clip.stem}", str(clip), row["sentence"], speaker, str(language)
        )
