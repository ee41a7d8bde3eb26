"""CSV (RFC 4180): commas or semicolons, quotes where need be, names in line 1."""

import csv
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from espnet_merge.corpora.formats import FIELDS, Format, Record, check_files, columns
from espnet_merge.corpora.lines import read_lines
from espnet_merge.errors import InputError

# Longest value, in characters; Python's own limit is 131072.
LONGEST = 1 << 24
# Why a row is dropped that has too many or too few values.
RAGGED = "number of columns"
_LONE_RETURN = re.compile("\r(?!\n)")


def read(sources: Sequence[Path], *, quoted: bool = True) -> Iterator[Record]:
    """Yield the rows of tables.

    Args:
        sources: files.
        quoted: a value may stand in quotes, and then hold ends of lines; values are
            separated by commas, or by semicolons where the first line has no comma.
            False: by tabs, and quotes are part of the text.

    Raises:
        InputError: a file is not there, not UTF-8, or a quote is not closed.
    """
    check_files(sources)
    csv.field_size_limit(LONGEST)
    for source in sources:
        try:
            for where, values, defect in _rows(source, quoted=quoted):
                yield Record(where, (source.name,), source.parent, values, defect)
        except csv.Error as error:
            raise InputError(
                f"{source}: must be CSV; {error}: correct the quotes, or take --from "
                "tsv where tabs separate and quotes are part of the text."
            ) from error


def _rows(source: Path, *, quoted: bool) -> Iterator[tuple[str, dict[str, str], str]]:
    style: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    if quoted:
        first = next(read_lines(source), "")
        style = {"delimiter": "," if "," in first else ";", "strict": True}
    # A carriage return alone ends no line, and texts get single spaces anyway.
    lines = (_LONE_RETURN.sub(" ", line) for line in read_lines(source))
    rows = csv.reader(lines, **style)
    names = [name.strip() for name in next(rows, [])]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(
            f"{source}:1: columns must have names of their own; {min(twice)!r} is "
            "there twice: rename one."
        )
    before = rows.line_num
    for row in rows:
        where, before = f"{source}:{before + 1}", rows.line_num
        if row:
            defect = "" if len(row) == len(names) else RAGGED
            yield where, dict(zip(names, row, strict=False)), defect


FORMAT = Format(partial(read, quoted=True), columns(*FIELDS))
