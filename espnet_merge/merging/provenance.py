"""The record of a merge: what determines its bytes, written with the result."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from espnet_merge.checkpoint.origin import source_of
from espnet_merge.checkpoint.padding import KEY, common_padding
from espnet_merge.disk.digest import sha256
from espnet_merge.errors import InputError
from espnet_merge.files import MERGE_YAML
from espnet_merge.merging.merge import Merge
from espnet_merge.methods import METHODS
from espnet_merge.version import __version__
from espnet_merge.workers import Workers

# What determines the bytes of a result, as merge.yaml holds it.
type Record = dict[str, Any]


def digests(merge: Merge, workers: Workers) -> list[dict[str, str]]:
    """Return the SHA-256 of every file of the base and of each expert, by name."""
    inputs = [merge.base, *merge.experts]
    files = {file: "" for checkpoint in inputs for file in checkpoint.files}
    files = dict(zip(files, workers.map(sha256, files), strict=True))
    return [{file.name: files[file] for file in x.files} for x in inputs]


def record_of(merge: Merge, inputs: list[dict[str, str]]) -> Record:
    """Return the record of a merge before it is run: no time, no host.

    It also says how the experts were trained, for the result is decoded in that way.

    Args:
        merge: The merge.
        inputs: Digests of base and experts.
    """
    import numpy as np

    versions = {"espnet_merge": __version__, "numpy": np.__version__}
    if merge.decomposes:
        # Merging does not need torch, unless it is told to use a GPU.
        installed = filter(find_spec, ("scipy", "torch"))
        versions |= {name: version(name) for name in installed}
    names = {kind: name for name, kind in METHODS.items()}
    files = {str(path): sha256(path) for path in merge.files}
    copied = {str(path): sha256(path) for path in merge.written.side_files}
    padding = common_padding([expert.path for expert in merge.experts])
    trained = {} if padding is None else {KEY: padding._asdict()}
    return {
        "method": names[merge.kind],
        "params": {
            k: list(v) if isinstance(v, tuple) else v
            for k, v in merge.by_tensor.params.items()
        },
        "format": merge.written.format,
        "dtype": merge.dtype,
        "compute_dtype": merge.compute_dtype,
        "base": source_of(merge.base.path, inputs[0]),
        "experts": [
            source_of(expert.path, hashes)
            for expert, hashes in zip(merge.experts, inputs[1:], strict=True)
        ],
        "versions": versions,
        **trained,
        **merge.notes,
    } | {
        name: digests
        for name, digests in (("files", files), ("copied", copied))
        if digests
    }


def result_of(crc32: int) -> Record:
    """Return the part of a record on the result: a checksum of all stored tensors."""
    return {"result": {"crc32": f"{crc32:08x}"}}


def check_result(path: Path, crc32: int, record: Record) -> None:
    """Raise ``InputError`` where the tensors are not those of the record."""
    expected = record.get("result")
    if expected != result_of(crc32)["result"]:
        raise InputError(
            f"{path}: the tensors are not those of its {MERGE_YAML}: checksum"
            f" {crc32:08x}, expected {(expected or {}).get('crc32')}; make it anew."
        )


def write_record(directory: Path, record: Record) -> None:
    """Write ``record`` into the directory of a result, and the model card after it."""
    # Imported here: the hub's classes for cards are slow to import.
    from espnet_merge.card.card import write_card
    from espnet_merge.card.provenance import provenance_of

    text = yaml.safe_dump(record, sort_keys=False, allow_unicode=True)
    (directory / MERGE_YAML).write_text(text, encoding="utf-8")
    write_card(directory, provenance_of(record, directory))


def read_record(path: Path) -> Record:
    """Return the record in the file ``path``, or in the directory that it names.

    Raises:
        InputError: there is none, or it is no record of a merge.
    """
    file = path / MERGE_YAML if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file}: no such file; give the {MERGE_YAML} of a merge.")
    try:
        record = yaml.safe_load(file.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not valid YAML ({error}); copy it again.") from error
    needed = {"method", "params", "format", "dtype", "compute_dtype", "base", "experts"}
    if not isinstance(record, dict) or not needed <= record.keys():
        raise InputError(f"{file}: is no record of a merge; give a {MERGE_YAML}.")
    return record
