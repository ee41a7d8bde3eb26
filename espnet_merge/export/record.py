"""The record beside what was exported, which other commands read."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from espnet_merge.checkpoint.labels import KEY, SPACED, UNSPACED, label_formats
from espnet_merge.checkpoint.padding import PUBLISHED, padding_of
from espnet_merge.checkpoint.stored import sizes_of
from espnet_merge.files import EXPORT_YAML
from espnet_merge.version import __version__


def write_record(directory: Path, source: Path, more: Mapping[str, str | None]) -> None:
    """Write ``export.yaml`` into a directory that is otherwise complete.

    Args:
        directory: what was exported.
        source: what it was made of, whose records say how it was trained.
        more: what else to say.
    """
    labels = UNSPACED if UNSPACED in label_formats(source) else SPACED
    record = {
        "source": str(source),
        **more,
        "espnet_merge": __version__,
        KEY: labels,
        **(padding_of(source) or PUBLISHED)._asdict(),
        **sizes_of(directory),
    }
    (directory / EXPORT_YAML).write_text(yaml.safe_dump(record), encoding="utf-8")
