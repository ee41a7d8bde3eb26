"""Names of models on the hub: what looks like one, and that of a copy in the cache."""

import re
from pathlib import Path

from espnet_merge.checkpoint.stored import SUFFIXES

HUB = "hub:"  # begins the origin of what was fetched from there
ON_HUB = "OWNER/NAME[@REVISION] on the hub"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
# Where the hub's own client keeps a copy. No owner has "--" in the name.
_COPY = re.compile(r"models--((?:(?!--).)+)--([^/]+)/snapshots/([0-9a-f]{40})$")


def is_hub_name(source: str) -> bool:
    """Return whether a text can be ``OWNER/NAME``, with or without ``@REVISION``.

    >>> is_hub_name("openai/whisper-base@main"), is_hub_name("./exp/base")
    (True, False)
    >>> is_hub_name("exp/full_es/model"), is_hub_name("models/base.pt")
    (False, False)
    """
    return bool(_NAME.fullmatch(source)) and not source.endswith(SUFFIXES)


def name_of(model: Path, digits: int = 40) -> str:
    """Return the name that others can get a model by; without one, its path.

    Args:
        model: directory or file; a directory of the cache of the hub's client has a
            name.
        digits: of its commit, 1 to 40.

    >>> copy = Path("hub/models--openai--whisper-base/snapshots", "e3" * 20)
    >>> name_of(copy)
    'openai/whisper-base@e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3'
    >>> name_of(Path("exp/base"))
    'exp/base'
    """
    copy = _COPY.search(model.as_posix())
    return f"{copy[1]}/{copy[2]}@{copy[3][:digits]}" if copy else str(model)
