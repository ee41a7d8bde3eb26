"""Whether weights on disk are still what the record beside them says."""

from pathlib import Path
from typing import Any

from espnet_merge.errors import InputError
from espnet_merge.files import EXPORT_YAML, FETCH_JSON, MERGE_YAML

# What merge, export and fetch write beside a result, the sizes of weights in it.
RECORDS = (MERGE_YAML, EXPORT_YAML, FETCH_JSON)
# How a pointer of Git LFS begins. It stands for a file that was not downloaded.
POINTER = b"version https://git-lfs.github.com/spec/"
SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")


def sizes_of(directory: Path) -> dict[str, dict[str, int]]:
    """Return what a record says of the files of weights in ``directory``."""
    files = sorted(path for path in directory.iterdir() if path.suffix in SUFFIXES)
    return {"bytes": {path.name: path.stat().st_size for path in files}}


def check_stored(path: Path) -> None:
    """Raise ``InputError`` where weights are not there, or not as a record says.

    Args:
        path: A model: its directory, or a file in it. Without a record its sizes are
            not checked.
    """
    _check_downloaded(path)
    directory = path if path.is_dir() else path.parent
    for name in RECORDS:
        for file, size in _sizes_in(directory / name).items():
            there = directory / file
            if path not in (directory, there):
                continue
            found = there.stat().st_size if there.is_file() else 0
            if found != size:
                raise InputError(
                    f"{there}: must have {size} bytes, as {name} beside it says; it has"
                    f" {found}: copy it again, or make it anew."
                )


def _check_downloaded(path: Path) -> None:
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if not file.is_file():
            continue
        with file.open("rb") as content:
            if content.read(len(POINTER)) == POINTER:
                raise InputError(
                    f"{file}: must be the file itself; it is a Git LFS pointer to it: "
                    f"run 'git lfs pull' in {file.parent}."
                )


def _sizes_in(record: Path) -> dict[str, Any]:
    import yaml

    if not record.is_file():
        return {}
    try:
        # JSON is YAML, too.
        content = yaml.safe_load(record.read_bytes())
        return dict(content.get("bytes") or {})
    except (yaml.YAMLError, ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"{record}: must say what is beside it; it is damaged: remove it, if you"
            f" know what is ({type(error).__name__})."
        ) from error
