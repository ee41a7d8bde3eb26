"""A file that one process holds at a time, on one machine or on several.

It is held until it is closed, also where its process is killed. Who removes the file
holds it, so that nobody holds what is not there.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from espnet_merge.errors import InputError


def hold(path: Path) -> BinaryIO:
    """Return the file ``path``, made if need be, once no other process holds it.

    Raises:
        InputError: the file system cannot say who holds a file.
    """
    return _hold(path, fcntl.LOCK_EX)


def hold_if_free(path: Path) -> BinaryIO | None:
    """Return the file ``path``, made if need be, or None where another process has it.

    Raises:
        InputError: the file system cannot say who holds a file.
    """
    try:
        return _hold(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def _hold(path: Path, how: int) -> BinaryIO:
    while True:
        file = path.open("a+b")
        try:
            fcntl.flock(file, how)
            # It may have been removed, and made anew, between the two calls.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    return file
        except BlockingIOError:
            file.close()
            raise
        except OSError as error:
            file.close()
            raise InputError(
                f"{path}: two processes must not write the same, so the file system"
                f" must have locks; {error.strerror}: choose a place on another one."
            ) from error
        file.close()
