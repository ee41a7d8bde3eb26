"""JSON Lines: an object a line."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from espnet_merge.corpora.formats import FIELDS, Format, Record, check_files, columns
from espnet_merge.corpora.lines import read_lines
from espnet_merge.errors import InputError


def read(sources: Sequence[Path]) -> Iterator[Record]:
    """Yield the objects of all lines that are not empty.

    Raises:
        InputError: a file is not there or not UTF-8, or a line is no object.
    """
    check_files(sources)
    for source in sources:
        for number, line in enumerate(read_lines(source), start=1):
            if not line.strip():
                continue
            where = f"{source}:{number}"
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(
                    f"{where}: each line must be a JSON object; {error.msg} at "
                    f"character {error.pos}: write an object a line."
                ) from error
            if not isinstance(value, dict):
                raise InputError(
                    f"{where}: each line must be a JSON object; it is a "
                    f"{type(value).__name__}: write an object a line."
                )
            yield Record(where, (source.name,), source.parent, value)


FORMAT = Format(read, columns(*FIELDS))
