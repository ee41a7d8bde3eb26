"""Rows of small whole numbers as a line of text."""

import string
from collections.abc import Sequence

from espnet_merge.errors import InputError

DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase
MORE = "~"  # stands for as much as there are digits, and the number goes on
BETWEEN = ","
_VALUES = {digit: value for value, digit in enumerate(DIGITS)}


def pack(rows: Sequence[Sequence[int]]) -> str:
    """Return rows as text: a digit for each number up to 61, a comma between rows.

    >>> pack([[0, 10, 61], [], [62, 125]])
    '0aZ,,~0~~1'
    """
    return BETWEEN.join("".join(map(_digits, row)) for row in rows)


def unpack(text: str) -> list[list[int]]:
    """Return the rows of ``pack``.

    Raises:
        InputError: it is no such text.

    >>> unpack("0aZ,,~0~~1")
    [[0, 10, 61], [], [62, 125]]
    """
    return [_numbers(row) for row in text.split(BETWEEN)]


def _digits(number: int) -> str:
    more, rest = divmod(number, len(DIGITS))
    return MORE * more + DIGITS[rest]


def _numbers(row: str) -> list[int]:
    numbers, more = [], 0
    for character in row:
        if character == MORE:
            more += len(DIGITS)
        elif character in _VALUES:
            numbers.append(more + _VALUES[character])
            more = 0
        else:
            raise InputError(
                f"packed numbers must be of letters, digits, {MORE} and {BETWEEN}; got "
                f"{character!r}."
            )
    return numbers
