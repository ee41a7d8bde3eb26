"""What the user can mend, told as a line: the one exception, and the one warning."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Bad input or arguments.

    The message is one line: what (a file, tensor or parameter), which rule it
    breaks, the value found, and what to do. The command line prints it and exits
    with 2; every other exception is a defect of ours and exits with 1.
    """


class InputWarning(UserWarning):
    """Input that is taken, and that the user may want to mend; one line, too."""


def warn(message: str) -> None:
    """Issue an ``InputWarning``."""
    warnings.warn(message, InputWarning, stacklevel=3)


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


@contextmanager
def quiet_pipe() -> Iterator[None]:
    """End as SIGPIPE ends a process where nobody reads stdout any more (``| head``)."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its exit, and would tell of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


@contextmanager
def one_line_warnings(program: str) -> Iterator[None]:
    """Print each ``InputWarning`` as one line; others are shown as they would be."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", InputWarning)
        show = warnings.showwarning

        def tell(
            message: Warning | str, category: type[Warning], *where: object
        ) -> None:
            if issubclass(category, InputWarning):
                print(f"{program}: warning: {message}", file=sys.stderr)
            else:
                show(message, category, *where)  # type: ignore[arg-type]

        warnings.showwarning = tell  # type: ignore[assignment]
        yield
