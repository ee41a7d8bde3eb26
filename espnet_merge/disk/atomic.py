"""Write a file or a directory so that it exists whole or not at all.

Several writers may make the same at one time: a job beside its requeued copy, two
terminals. Each has a temporary name of its own, and what exists is one's whole.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from filecmp import cmp
from pathlib import Path

from espnet_merge.disk.lock import hold
from espnet_merge.disk.temporary import remove, remove_stale, temporary_name
from espnet_merge.errors import InputError

# A full disk, a quota, a limit on the size of files.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# A directory is renamed to a name that another one has.
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)

# What tells a directory from all others: device and inode. None: there is none.
type Identity = tuple[int, int] | None


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
def whole_directory(
    output: Path, record: str | None = None, *, overwrite: bool = True
) -> Iterator[Path]:
    """Give a temporary directory beside ``output``, renamed to it on success.

    Where another writer has put its result there meanwhile, that one stays and this one
    is dropped, with a line that says so if both are the same.

    A run that was killed leaves only the temporary name, which a later run removes.

    Args:
        output: The directory to write.
        record: A file in it that says what it is: two results with equal ones are the
            same. None: where all their files are equal.
        overwrite: Whether what is there now may be replaced.

    Raises:
        InputError: ``output`` is there, and is no directory; what is written does not
            fit on the disk; or another writer has made something else meanwhile.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is no directory; give another --output.")
    output.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(output.parent)
    before = _identity(output) if overwrite else None
    partial = temporary_name(output)
    partial.mkdir()
    try:
        yield partial
        for path in partial.iterdir():
            # safetensors lets only their owner read the files it writes.
            if path.is_file():
                path.chmod(partial.stat().st_mode & 0o666)
            sync(path)
        sync(partial)
        if not _put(partial, output, before):
            _check_same(partial, output, record)
    except BaseException as error:
        remove(partial)
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise InputError(
                f"{output}: cannot be written: {os.strerror(error.errno)}; make room"
                " there or give another --output."
            ) from error
        raise
    remove(partial)
    sync(output.parent)


def _put(partial: Path, output: Path, before: Identity) -> bool:
    """Rename ``partial`` to ``output``; return False where another one has done so.

    Args:
        partial: The new directory.
        output: Its name.
        before: What may be replaced.
    """
    old = temporary_name(output)
    try:
        if before is not None and _identity(output) == before:
            # It is gone where another writer has just taken it away.
            with contextlib.suppress(FileNotFoundError):
                output.rename(old)
            if _identity(old) not in (None, before):
                old.rename(output)  # It was another writer's, put there meanwhile.
                return False
        partial.rename(output)
    except OSError as error:
        if error.errno not in TAKEN:
            raise
        return False
    finally:
        remove(old)
    return True


def _identity(path: Path) -> Identity:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino


def _check_same(dropped: Path, output: Path, record: str | None) -> None:
    """Say that another writer was first; raise ``InputError`` if it made other files.

    Args:
        dropped: What this writer has made.
        output: What the other one has.
        record: A file that says what each is.
    """
    here, there = ({record} if record else _files(x) for x in (dropped, output))
    same = here == there and all(
        (output / name).is_file() and cmp(dropped / name, output / name, shallow=False)
        for name in here
    )
    if not same:
        raise InputError(
            f"{output}: another run has put a different result there meanwhile, which"
            " stays; give another --output, or run again with --overwrite."
        )
    print(f"{output}: was there already, from another run meanwhile.", file=sys.stderr)


def _files(directory: Path) -> set[str]:
    """Return the names of all files in and below a directory."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)) for path in files}


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it becomes ``path`` at the end.

    When the block fails, nothing is left and an older ``path`` is as it was. Of several
    writers each replaces what the one before has put there.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "deep" / "text"
    >>> with whole_file(target) as part:
    ...     _ = part.write_text("all of it")
    >>> target.read_text(), [file.name for file in target.parent.iterdir()]
    ('all of it', ['text'])
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(path.parent)
    part = temporary_name(path)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def one_writer(directory: Path) -> Iterator[None]:
    """Write files that belong together while no other process writes such files there.

    So all are of one writer at last: of the one that came last.

    Raises:
        InputError: the file system has no locks.
    """
    directory.mkdir(parents=True, exist_ok=True)
    # Not .lock, which a running recipe holds on its directory of experiments.
    lock = directory / ".writing"
    with hold(lock):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until ``path`` is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
