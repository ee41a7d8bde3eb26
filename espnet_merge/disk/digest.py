"""SHA-256 of files, each computed once and remembered."""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from espnet_merge.disk.atomic import whole_file
from espnet_merge.disk.cache import default_cache

# Smaller files are read again: that costs less than to remember them.
SMALL = 1 << 20
# A file changed so shortly ago, in ns, may change again at the same time of the clock.
FRESH = 2 * 10**9

# What tells one state of a file from another: device, inode, size and times of its last
# change, which nobody but the system sets.
type State = tuple[int, int, int, int, int]


def sha256(path: Path) -> str:
    """Return the digest of the file ``path``.

    It is kept in the user's cache, beside the state of the file.
    """
    if path.stat().st_size < SMALL:
        return _read(path)
    return _remembered([path], lambda: _read(path))


def sha256_of_all(paths: Iterable[Path]) -> str:
    """Return one digest of the content of many files, in their order.

    It is kept as that of one file is: to look at the states of ten thousand files takes
    less than a tenth of a second, to read them takes many.
    """
    files = list(paths)

    def read() -> str:
        digests = "\n".join(map(sha256, files))
        return hashlib.sha256(digests.encode()).hexdigest()

    return _remembered(files, read)


def _remembered(paths: list[Path], compute: Callable[[], str]) -> str:
    """Return what is remembered of the files in this state, computed if nothing is."""
    states = [_state(path) for path in paths]
    state = _digest(states)
    # Links in a path are not followed: what they lead to is in the state.
    memo = (
        default_cache() / "sha256" / _digest([str(path.absolute()) for path in paths])
    )
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(memo.read_text("ascii"))
        if known["state"] == state:
            return str(known["sha256"])
    digest = compute()
    last = max((max(state[-2:]) for state in states), default=0)
    settled = time.time_ns() - last > FRESH
    if settled and states == [_state(path) for path in paths]:
        with contextlib.suppress(OSError), whole_file(memo) as part:
            part.write_text(json.dumps({"state": state, "sha256": digest}), "ascii")
    return digest


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state(path: Path) -> State:
    stat = path.stat()
    times = stat.st_mtime_ns, stat.st_ctime_ns
    return stat.st_dev, stat.st_ino, stat.st_size, *times


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
