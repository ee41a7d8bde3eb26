"""Directories of recordings, each with its text in a file of the same name beside it.

Or, as Hugging Face's AudioFolder, with tables: ``metadata.csv`` or ``metadata.jsonl``,
whose ``file_name`` is the recording.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_merge.corpora import csv, jsonl
from espnet_merge.corpora.formats import FIELDS, Format, Record, below, columns
from espnet_merge.corpora.lines import read_lines
from espnet_merge.errors import InputError

TABLES = {"metadata.csv": csv.read, "metadata.jsonl": jsonl.read}
FILE_NAME = "file_name"
AUDIO = {
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma"),
    *(".aif", ".aiff", ".au", ".sph", ".webm", ".mp4"),
}
TEXT = (".txt", ".lab")


def read(sources: Sequence[Path]) -> Iterator[Record]:
    """Yield the recordings in and below directories, in the order of their names.

    The column ``folder`` is the name of the directory that a recording is in.

    Raises:
        InputError: it is no directory, or there is no recording in it.
    """
    for source in sources:
        if not source.is_dir():
            raise InputError(f"{source}: must be a directory; it is none.")
        tables = [file for name in TABLES for file in sorted(source.rglob(name))]
        records = list(_of_tables(tables) if tables else _of_files(source))
        if not records:
            raise InputError(
                f"{source}: must hold recordings ({' '.join(sorted(AUDIO))}); it holds "
                "none: name the directory that does."
            )
        for where, audio, values in records:
            near = below(audio, source) if audio.is_relative_to(source) else ""
            said = {"audio": str(audio), "folder": audio.parent.name, **values}
            yield Record(where, near, Path(), said)


def _of_tables(tables: Sequence[Path]) -> Iterator[tuple[str, Path, dict[str, object]]]:
    for table in tables:
        for record in TABLES[table.name]([table]):
            audio = table.parent / str(record.values.get(FILE_NAME, ""))
            yield record.where, audio, dict(record.values)


def _of_files(source: Path) -> Iterator[tuple[str, Path, dict[str, object]]]:
    for audio in sorted(source.rglob("*")):
        if audio.suffix.lower() in AUDIO and audio.is_file():
            files = [audio.with_suffix(suffix) for suffix in TEXT]
            texts = [line for f in files if f.is_file() for line in read_lines(f)]
            yield str(audio), audio, {"text": "".join(texts)}


FORMAT = Format(read, columns(*FIELDS))
