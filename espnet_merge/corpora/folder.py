"""Directories of recordings, each with its text in a file of the same name beside it.

Or, as Hugging Face's AudioFolder, with tables: ``metadata.csv`` or ``metadata.jsonl``,
whose ``file_name`` is the recording.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_merge.corpora import csv, jsonl
from espnet_merge.corpora.formats import FIELDS, Format, Record, columns, folders
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
        for audio, record in records:
            said = {"audio": str(audio), "folder": audio.parent.name, **record.values}
            # Its folders come first: it may be called by what is said in it.
            near = folders(audio, source), audio.name
            yield record._replace(near=near, root=Path(), values=said)


def _of_tables(tables: Sequence[Path]) -> Iterator[tuple[Path, Record]]:
    for table in tables:
        for record in TABLES[table.name]([table]):
            yield table.parent / str(record.values.get(FILE_NAME, "")), record


def _of_files(source: Path) -> Iterator[tuple[Path, Record]]:
    for audio in sorted(source.rglob("*")):
        if audio.suffix.lower() in AUDIO and audio.is_file():
            beside = [audio.with_suffix(suffix) for suffix in TEXT]
            files = [file for file in beside if file.is_file()]
            text = "".join(line for file in files for line in read_lines(file))
            defect = "two texts" if len(files) > 1 else ""
            yield audio, Record(str(audio), (), Path(), {"text": text}, defect)


FORMAT = Format(read, columns(*FIELDS))
