"""Where downloads and converted models are kept, so that nothing is done twice."""

import os
from collections.abc import Callable
from pathlib import Path

from espnet_merge.disk.lock import hold


def default_cache() -> Path:
    """Return ``$ESPNET_MERGE_CACHE``, else a directory of the user's own."""
    named = os.environ.get("ESPNET_MERGE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "espnet_merge"


def made_once(directory: Path, make: Callable[[Path], object]) -> Path:
    """Return the directory, made if it is not there; other processes wait meanwhile.

    Args:
        directory: A place in the cache.
        make: Writes it, all or nothing.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    with hold(directory.parent / "lock"):
        if not directory.is_dir():
            make(directory)
    return directory
