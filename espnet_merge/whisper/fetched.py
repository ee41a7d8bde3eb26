"""What a model's files say of it; read before anything heavy is imported."""

import hashlib
import json
from pathlib import Path

from espnet_merge import __version__
from espnet_merge.checkpoint.stored import RECORDS
from espnet_merge.disk.atomic import check_output
from espnet_merge.disk.cache import made_once
from espnet_merge.errors import InputError

RECORD = "fetch.json"
CT2_FILE = "model.bin"


def is_ct2(path: Path) -> bool:
    """Return whether a directory is CTranslate2's."""
    return (path / CT2_FILE).is_file()


def as_directory(model: Path, cache: Path) -> Path:
    """Return a model as a Hugging Face directory.

    Args:
        model: such a directory, which is returned, one of CTranslate2, or an OpenAI
            file; these are converted once.
        cache: where what was converted is kept, by the digest of what was read.

    Raises:
        InputError: the weights cannot be read, or are quantised.
    """
    file = model / CT2_FILE if is_ct2(model) else model
    if not file.is_file():
        return model
    # Nothing is read where the options alone are shown.
    from espnet_merge.disk.digest import sha256

    def make(place: Path) -> None:
        from espnet_merge.whisper.fetch import fetch

        fetch(str(model), place, cache)

    config = model / "config.json"
    parts = [__version__, *(sha256(part) for part in (file, config) if part.is_file())]
    key = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    return made_once(cache / "models" / key, make)


def is_fetched(source: str, output: Path) -> bool:
    """Return whether ``output`` holds ``source`` already.

    Raises:
        InputError: it holds something else.
    """
    if not output.exists():
        return False
    held = "something else" if _is_derived(output) else _source(output)
    if held != source:
        raise InputError(
            f"{output}: exists and holds {held}, not {source}; give another --output "
            "or --overwrite."
        )
    return True


def check_overwrite(output: Path) -> None:
    """Raise ``InputError`` where ``output`` is there, and was not fetched."""
    check_output(output, overwrite=True, mark=RECORD)
    if _is_derived(output):
        raise InputError(
            f"{output}: was trained or merged, not fetched, and is not overwritten;"
            " remove it yourself."
        )


def _is_derived(directory: Path) -> bool:
    """Return whether a directory with the record of a fetch was made of what it names.

    Earlier versions copied the record into experts and merges.
    """
    return any((directory / name).is_file() for name in RECORDS if name != RECORD)


def _source(output: Path) -> str:
    try:
        return str(json.loads((output / RECORD).read_text())["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return "something else"
