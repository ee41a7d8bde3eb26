"""Where downloads are kept, so that a second clone need not repeat them."""

import os
from pathlib import Path


def default_cache() -> Path:
    """Return ``$ESPNET_MERGE_CACHE``, else a directory of the user's own."""
    named = os.environ.get("ESPNET_MERGE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "espnet_merge"
