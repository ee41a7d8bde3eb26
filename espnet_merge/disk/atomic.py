"""Write a file or a directory so that it exists whole or not at all."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from espnet_merge.errors import InputError

# A full disk, a quota, a limit on the size of files.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_output(output: Path, *, overwrite: bool, mark: str) -> None:
    """Raise ``InputError`` where ``output`` may not be written.

    Args:
        output: The directory to be written.
        overwrite: Whether an older result may be replaced.
        mark: A file that every result holds: nothing else is ever replaced.
    """
    if not output.exists() and not output.is_symlink():
        return
    if not overwrite:
        raise InputError(f"{output}: exists; give another --output or --overwrite.")
    if not (output / mark).is_file():
        raise InputError(
            f"{output}: exists without {mark}, so it is not a result of this command"
            " and is not overwritten; remove it yourself."
        )


@contextlib.contextmanager
def whole_directory(output: Path) -> Iterator[Path]:
    """Give a temporary directory beside ``output``, renamed to it on success.

    A run that was killed leaves only the temporary name, which the next run removes.

    Raises:
        InputError: ``output`` is there, and is no directory; or what is written does
            not fit on the disk.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is no directory; give another --output.")
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.partial")
    old = output.with_name(f".{output.name}.old")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        for path in partial.iterdir():
            # safetensors lets only their owner read the files it writes.
            if path.is_file():
                path.chmod(partial.stat().st_mode & 0o666)
            sync(path)
        sync(partial)
        if output.exists():
            shutil.rmtree(old, ignore_errors=True)
            output.rename(old)
        partial.rename(output)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise InputError(
                f"{output}: cannot be written: {os.strerror(error.errno)}; make room"
                " there or give another --output."
            ) from error
        raise
    sync(output.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it becomes ``path`` at the end.

    When the block fails, nothing is left and an older ``path`` is as it was. The
    temporary name keeps the suffix, because some writers choose a format by it.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "deep" / "text"
    >>> with whole_file(target) as part:
    ...     _ = part.write_text("all of it")
    >>> target.read_text(), [file.name for file in target.parent.iterdir()]
    ('all of it', ['text'])
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until ``path`` is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
