"""Kaldi's two-column files: each line is an id and a value."""

from collections.abc import Mapping
from pathlib import Path

from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError

MARK = "\ufeff"  # byte-order mark, which some editors put before UTF-8
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_table(path: Path) -> dict[str, str]:
    """Return id -> value in the order of the file; a value may be empty.

    A byte-order mark at the start of any line is dropped: the file may be a
    concatenation of files that begin with one.

    Raises:
        InputError: no such file, a line without an id, a repeated id, or no UTF-8.
    """
    table: dict[str, str] = {}
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: a readable file is needed; {error.strerror}.") from (
            error
        )
    if content.startswith(UTF_16) or b"\0" in content:
        raise InputError(
            f"{path}: text must be UTF-8; this is UTF-16, or no text: convert it by "
            f"'iconv -f UTF-16 -t UTF-8 {path.name}'."
        )
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines, start=1):
        where = f"{path}:{number}"
        try:
            text = line.decode().removeprefix(MARK).strip().replace("\t", " ")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{where}: text must be UTF-8; byte {error.start} of the line is "
                f"0x{line[error.start]:02x}: convert the file."
            ) from error
        name, _, value = text.partition(" ")
        if not name:
            raise InputError(f"{where}: a line begins with an id; this one is empty.")
        if name in table:
            raise InputError(f"{where}: ids must be unique; {name} stands above too.")
        table[name] = value.strip()
    return table


def write_table(path: Path, table: Mapping[str, str]) -> None:
    """Write a line of id and value for each entry, completely or not at all."""
    with whole_file(path) as part:
        lines = (f"{name} {value}".rstrip() + "\n" for name, value in table.items())
        part.write_text("".join(lines), encoding="utf-8")
