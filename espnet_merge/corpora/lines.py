"""Lines of text files: UTF-8, with or without a byte-order mark, LF or CRLF."""

from collections.abc import Iterator
from pathlib import Path

from espnet_merge.data.table import MARK, UTF_16
from espnet_merge.errors import InputError


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file with their ends; only LF ends a line.

    Raises:
        InputError: it is not UTF-8.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.startswith(UTF_16) or b"\0" in line:
                raise InputError(
                    f"{path}:{number}: text must be UTF-8; this is UTF-16, or no text: "
                    f"convert it by 'iconv -f UTF-16 -t UTF-8 {path.name}'."
                )
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path}:{number}: text must be UTF-8; byte {error.start} of the "
                    f"line is 0x{line[error.start]:02x}: convert the file."
                ) from error
            yield text.removeprefix(MARK) if number == 1 else text
