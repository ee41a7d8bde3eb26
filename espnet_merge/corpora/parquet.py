"""Parquet, as Hugging Face's ``datasets`` writes it: the files of a table.

A recording is a path, or it is embedded: ``{bytes, path}``.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_merge.corpora.formats import (
    FIELDS,
    Format,
    Record,
    columns,
    files_in,
    folders,
)
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from pyarrow import Schema
    from pyarrow.parquet import ParquetFile

BYTES, PATH = "bytes", "path"
ROWS = 64  # of recordings that are in memory at a time
SUFFIX = ".parquet"


def read(sources: Sequence[Path]) -> Iterator[Record]:
    """Yield the rows of files, or of all ``*.parquet`` in directories.

    Embedded recordings are not read yet: they get names, which ``unpack`` understands.

    Raises:
        InputError: a file is not there, or not Parquet.
    """
    for source in sources:
        for file in files_in(source, f"*{SUFFIX}"):
            with _opened(file) as opened:
                for number, values in enumerate(_rows(file, opened)):
                    where, near = f"{file}: row {number}", folders(file, source)
                    yield Record(where, (file.name, near), file.parent, values)


def unpack(wanted: Mapping[str, Path]) -> None:
    """Write embedded recordings into files; one that has no content is not written.

    Args:
        wanted: name that ``read`` gave it -> file to write.
    """
    places: dict[tuple[str, str], dict[int, Path]] = {}
    for name, target in wanted.items():
        file, column, number, _ = name.split("\0")
        places.setdefault((file, column), {})[int(number)] = target
    for (file, column), targets in places.items():
        with _opened(Path(file)) as opened:
            rows = (
                row
                for batch in opened.iter_batches(ROWS, columns=[f"{column}.{BYTES}"])
                for row in batch.to_pylist()
            )
            for place, row in enumerate(rows):
                content = (row[column] or {}).get(BYTES)
                if content and place in targets:
                    with whole_file(targets[place]) as part:
                        part.write_bytes(content)


def _rows(file: Path, opened: "ParquetFile") -> Iterator[dict[str, Any]]:
    schema = opened.schema_arrow
    embedded = [name for name in schema.names if _is_embedded(schema, name)]
    wanted = [f"{n}.{PATH}" if n in embedded else n for n in schema.names]
    number = 0
    for batch in opened.iter_batches(columns=wanted):
        for row in batch.to_pylist():
            for name in embedded:
                path = (row[name] or {}).get(PATH) or f"{file.stem}-{number}"
                # Where there are no bytes, the path leads to the recording.
                row[name] = f"{file}\0{name}\0{number}\0{file.parent.absolute() / path}"
            yield row
            number += 1


def _opened(file: Path) -> "ParquetFile":
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    try:
        return ParquetFile(file)
    except ArrowInvalid as error:
        raise InputError(
            f"{file}: must be a Parquet file; {str(error).rstrip('.')}: get it again."
        ) from error


def _is_embedded(schema: "Schema", name: str) -> bool:
    kind = schema.field(name).type
    return {BYTES, PATH} <= {*getattr(kind, "names", ())}


FORMAT = Format(read, columns(*FIELDS), package=("pyarrow", "parquet"), unpack=unpack)
