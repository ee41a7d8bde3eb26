"""The format of the labels that a model was trained on, by what its files say.

An older version of ours wrote labels without the space that Whisper writes before the
first word. A model that learnt them begins its texts otherwise than its base and than
experts of today; it is told by a record that lacks ``label_format``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from espnet_merge.checkpoint.adapter import WEIGHTS
from espnet_merge.checkpoint.espnet import read_config
from espnet_merge.checkpoint.safetensors import read_header, read_metadata
from espnet_merge.errors import InputError, warn
from espnet_merge.files import CONFIG_YAML, EXPORT_YAML, MERGE_YAML

KEY = "label_format"  # in export.yaml, config.yaml and an adapter's metadata
SPACED = "leading_space"  # as Whisper writes; see whisper.prompt.encode_text
UNSPACED = "no_space"
_NAMED = 3  # models in a warning


def label_formats(model: Path) -> set[str]:
    """Return the formats of the labels that a model was trained on.

    Args:
        model: directory or file of a model or adapter.

    Returns:
        One format, of a merge those of its experts that are still there; none where
        the files do not say that we trained it.
    """
    directory = model if model.is_dir() else model.parent
    if merged := read_config(directory / MERGE_YAML).get("experts"):
        paths = [Path(expert["path"]) for expert in merged]
        return set().union(*(label_formats(path) for path in paths if path.exists()))
    if (directory / EXPORT_YAML).is_file():
        return {format_in(read_config(directory / EXPORT_YAML))}
    if model.is_file() and "whisper" in (
        config := read_config(directory / CONFIG_YAML)
    ):
        return {format_in(config)}
    # Of all who write adapters, we alone name the base by its digest.
    metadata = _metadata(directory / WEIGHTS[0])
    return {format_in(metadata)} if "base_sha256" in metadata else set()


def format_in(record: dict[str, Any]) -> str:
    """Return the format that a record of our training says."""
    return str(record.get(KEY, UNSPACED))


def label_warnings(models: Sequence[Path], *, merged: bool = False) -> list[str]:
    """Return what to say of models that are loaded.

    Args:
        models: directories or files of models and adapters.
        merged: whether they become one model.

    Returns:
        A line where some learnt older labels; one more where those are merged with
        some that learnt today's.
    """
    found = {model: label_formats(model) for model in models}
    old = [model for model, formats in found.items() if UNSPACED in formats]
    new = [model for model, formats in found.items() if SPACED in formats]
    warnings = []
    if old:
        warnings.append(
            f"{_named(old)}: trained by an older version, on labels without the space"
            " that Whisper writes before the first word; train anew."
        )
    if old and new and merged:
        warnings.append(
            f"experts of older labels ({_named(old)}) are merged with experts of"
            f" today's ({_named(new)}), which begin a text with another token."
        )
    return warnings


def warn_of_labels(models: Sequence[Path], *, merged: bool = False) -> None:
    """Issue the warnings of ``label_warnings``."""
    for warning in label_warnings(models, merged=merged):
        warn(warning)


def _metadata(adapter: Path) -> dict[str, str]:
    if not adapter.is_file():
        return {}
    try:
        read_header(adapter)
    except InputError:  # whoever loads it says so
        return {}
    return read_metadata(adapter)


def _named(models: Sequence[Path]) -> str:
    more = len(models) - _NAMED
    names = ", ".join(map(str, models[:_NAMED]))
    return f"{names} and {more} more" if more > 0 else names
