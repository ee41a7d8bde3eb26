"""What a fetched directory says of itself; read before anything heavy is imported."""

import json
from pathlib import Path

from espnet_merge.errors import InputError

RECORD = "fetch.json"


def is_fetched(source: str, output: Path) -> bool:
    """Return whether ``output`` holds ``source`` already.

    Raises:
        InputError: it holds something else.
    """
    if not output.exists():
        return False
    try:
        held = json.loads((output / RECORD).read_text())["source"]
    except (OSError, ValueError, KeyError, TypeError):
        held = "something else"
    if held != source:
        raise InputError(
            f"{output}: exists and holds {held}, not {source}; give another --output "
            "or --overwrite."
        )
    return True
