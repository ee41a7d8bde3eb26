"""The one exception that means: the user can mend this; and how it is printed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Bad input or arguments.

    The message is one line: what (a file, tensor or parameter), which rule it
    breaks, the value found, and what to do. The command line prints it and exits
    with 2; every other exception is a defect of ours and exits with 1.
    """


@contextmanager
def one_line_error(program: str, *also: type[Exception]) -> Iterator[None]:
    """Print an ``InputError``, or one of ``also``, as one line and exit with 2."""
    told: tuple[type[Exception], ...] = (InputError, *also)
    try:
        yield
    except told as error:
        message = " ".join(str(error).split())
        print(f"{program}: error: {message}", file=sys.stderr)
        sys.exit(2)
