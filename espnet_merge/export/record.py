"""The record beside what was exported, which other commands read, and its card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from espnet_merge.card.card import write_card
from espnet_merge.card.provenance import CONVERTED, provenance_of
from espnet_merge.checkpoint.labels import KEY, SPACED, UNSPACED, label_formats
from espnet_merge.checkpoint.origin import source_of
from espnet_merge.checkpoint.padding import PUBLISHED, padding_of
from espnet_merge.checkpoint.stored import SUFFIXES, sizes_of
from espnet_merge.disk.digest import sha256
from espnet_merge.files import EXPORT_YAML, MERGE_YAML
from espnet_merge.version import __version__

# What the record of a merge or a training says of where it came from.
ORIGIN = ("base", "experts", "method", "params", "relation")


def write_record(
    directory: Path, source: Path, trained_from: Path, more: Mapping[str, str | None]
) -> None:
    """Write ``export.yaml`` and the card into a directory that is otherwise complete.

    Args:
        directory: what was exported.
        source: what it was made of, whose records say how it was trained.
        trained_from: the base of an adapter or a training; else ``source``.
        more: what else to say.
    """
    labels = UNSPACED if UNSPACED in label_formats(source) else SPACED
    written = [file for file in directory.rglob("*") if file.is_file()]
    record = {
        "source": str(source),
        **more,
        **_origin(source, trained_from),
        "espnet_merge": __version__,
        KEY: labels,
        **(padding_of(source) or PUBLISHED)._asdict(),
        **sizes_of(directory),
        "files": sorted(str(file.relative_to(directory)) for file in written),
    }
    (directory / EXPORT_YAML).write_text(yaml.safe_dump(record), encoding="utf-8")
    write_card(directory, provenance_of(record, directory))


def _origin(source: Path, trained_from: Path) -> dict[str, Any]:
    """Return base, experts and method, as a record beside the source says them."""
    directory = source if source.is_dir() else source.parent
    for name in (MERGE_YAML, EXPORT_YAML):
        if (directory / name).is_file():
            record = yaml.safe_load((directory / name).read_bytes())
            return {key: record[key] for key in ORIGIN if key in record}
    weights = (
        [file for file in sorted(trained_from.iterdir()) if file.suffix in SUFFIXES]
        if trained_from.is_dir()
        else [trained_from]
    )
    base = source_of(trained_from, {file.name: sha256(file) for file in weights})
    return {"base": base, **({"relation": CONVERTED} if source == trained_from else {})}
