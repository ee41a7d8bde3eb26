"""The one table of formats: each is a file of this room."""

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from espnet_merge.errors import InputError

Name = Literal["csv", "tsv", "jsonl", "nemo", "kaldi", "lhotse", "parquet", "folder"]
NAMES: tuple[Name, ...] = get_args(Name)

# What a row can say. Without start, end and duration it is a whole recording.
FIELDS = (
    *("audio", "text", "id", "speaker", "language", "split", "task"),
    *("start", "end", "duration"),
)
# Fields that a corpus must have.
NEEDED = ("audio", "text")


class Record(NamedTuple):
    """A row as its corpus has it.

    where: file and line, or what else tells the user the place.
    near: names that may tell the split, of files and of folders below what the user
        named; the first that does counts.
    root: directory that a relative path of audio begins at.
    values: by column.
    defect: why it is no utterance, in a few words; empty if it may be one.
    """

    where: str
    near: tuple[str, ...]
    root: Path
    values: Mapping[str, Any]
    defect: str = ""


@dataclass(frozen=True)
class Format:
    """A format of corpora.

    Args:
        read: yields the records of the files or directories that the user names.
        columns: field -> column that holds it, where the user says no other. A field
            whose column no record has is unknown, except those that are needed.
        package: that it is read with, and its extra.
        unpack: writes recordings that are embedded in the corpus into files: their
            names in ``audio`` -> files to write.
    """

    read: Callable[[Sequence[Path]], Iterator[Record]]
    columns: Mapping[str, str]
    package: tuple[str, str] | None = None
    unpack: Callable[[Mapping[str, Path]], None] | None = None

    def check_package(self) -> None:
        """Raise ``InputError`` if what it is read with is not installed."""
        if self.package and importlib.util.find_spec(self.package[0]) is None:
            name, extra = self.package
            raise InputError(
                f"--from {extra} needs the package {name}; it is not installed: "
                f"pip install 'espnet_merge[{extra}]'."
            )


def format_of(name: Name) -> Format:
    """Return the format of a name, which is that of its file in this room."""
    found: Format = import_module(f"{__package__}.{name}").FORMAT
    return found


def columns(*fields: str, **others: str) -> dict[str, str]:
    """Return columns that have the names of their fields, but for ``others``.

    >>> columns("audio", "text", id="utterance")
    {'audio': 'audio', 'text': 'text', 'id': 'utterance'}
    """
    return {field: field for field in fields} | others


def check_files(sources: Iterable[Path]) -> None:
    """Raise ``InputError`` unless all sources are files."""
    for source in sources:
        if not source.is_file():
            what = "is a directory" if source.is_dir() else "is not there"
            raise InputError(f"{source}: must be a file; it {what}: correct the path.")


def files_in(source: Path, pattern: str) -> list[Path]:
    """Return the file, or those of a pattern in and below a directory, sorted.

    Raises:
        InputError: there is none.
    """
    if not source.is_dir():
        check_files([source])
        return [source]
    if not (found := sorted(source.rglob(pattern))):
        raise InputError(
            f"{source}: must hold files {pattern}; it holds none: name the directory "
            "that does."
        )
    return found


def folders(file: Path, source: Path) -> str:
    """Return the folders between a directory and a file; "" if it is not below."""
    below = file.is_relative_to(source) and file != source
    return str(file.parent.relative_to(source)) if below else ""
