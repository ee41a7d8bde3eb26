"""Temporary names: one for each writer, and no other's while that writer lives."""

import contextlib
import functools
import os
import re
import secrets
import shutil
import socket
import time
from pathlib import Path

# Seconds without a change after which the writer is dead wherever it ran: no job that
# writes rests for a week.
OLD = 7 * 24 * 3600
# Letters of the target that a name repeats: with the writer's they fit into 255 bytes.
STEM = 40
NAME = re.compile(r"\..*\.(?P<place>[^.]+)-(?P<pid>\d+)-[0-9a-f]{8}\.partial(\..*)?")


def temporary_name(target: Path) -> Path:
    """Return a name beside ``target`` that no other writer has.

    It ends as the target does, because some writers choose a format by the suffix.
    """
    writer = f"{_place()}-{os.getpid()}-{secrets.token_hex(4)}"
    return target.with_name(f".{target.stem[:STEM]}.{writer}.partial{target.suffix}")


def remove(path: Path) -> None:
    """Remove a file or a directory, as far as that can be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def remove_stale(directory: Path) -> None:
    """Remove what writers that are dead have left in ``directory``.

    That is where the process is gone from this machine, or where nothing has changed
    for a week. A process looks once: to list a directory of a hundred thousand files
    for each that is written would take longer than to write them.
    """
    if directory.is_dir():
        _remove_stale(directory.resolve(), os.getpid())


@functools.cache
def _remove_stale(directory: Path, process: int) -> None:
    del process  # a part of the key: a fork looks again
    for path in directory.iterdir():
        match = NAME.fullmatch(path.name)
        if match and _is_dead(path, match["place"], int(match["pid"])):
            remove(path)


def _is_dead(path: Path, place: str, pid: int) -> bool:
    if place == _place() and not _runs(pid):
        return True
    try:
        changes = [x.lstat().st_mtime for x in (path, *path.rglob("*"))]
    except OSError:
        return False  # another one is just removing it
    return time.time() - max(changes) > OLD


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it runs, and is somebody else's
    return True


@functools.cache
def _place() -> str:
    """Return what numbers of processes mean something in: a machine, or a container."""
    namespace = Path("/proc/self/ns/pid")
    number = namespace.stat().st_ino if namespace.exists() else 0
    return f"{socket.gethostname().replace('.', '_')}-{number}"
