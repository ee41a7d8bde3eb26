"""What a model's files say of it; read before anything heavy is imported."""

import json
from pathlib import Path

from espnet_merge.errors import InputError

RECORD = "fetch.json"
CT2_FILE = "model.bin"


def is_ct2(path: Path) -> bool:
    """Return whether a directory is CTranslate2's."""
    return (path / CT2_FILE).is_file()


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
