"""SHA-256 of files, each computed once and remembered."""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path

from espnet_merge.disk.cache import default_cache

# Smaller files are read again: that costs less than to remember them.
SMALL = 1 << 20
# A file changed so shortly ago, in ns, may change again at the same time of the clock.
FRESH = 2 * 10**9


def sha256(path: Path) -> str:
    """Return the digest of the file ``path``.

    It is kept in the user's cache, beside what tells one state of a file from another:
    device, inode, size and times of its last change, which nobody but the system sets.
    """
    state = _state(path)
    memo = (
        default_cache() / "sha256" / hashlib.sha256(bytes(path.resolve())).hexdigest()
    )
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(memo.read_text("ascii"))
        if known["state"] == state:
            return str(known["sha256"])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    *_, size, modified, changed = state
    settled = time.time_ns() - max(modified, changed) > FRESH
    if size >= SMALL and settled and state == _state(path):
        with contextlib.suppress(OSError):
            memo.parent.mkdir(parents=True, exist_ok=True)
            part = memo.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps({"state": state, "sha256": digest}), "ascii")
            part.replace(memo)
    return digest


def _state(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
