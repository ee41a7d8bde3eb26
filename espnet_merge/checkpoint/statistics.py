"""Statistics on disk: tensors under the names of the model's, and whose they are."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.safetensors import (
    read_header,
    read_metadata,
    write_header,
)
from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "statistics.safetensors"


@dataclass(frozen=True)
class Statistics:
    """Statistics of one expert, read by memory map.

    Args:
        path: The directory as the user named it.
        tensors: What is in it.
        expert: Digest of the expert, see :func:`checkpoint.identity.expert_digest`.
        facts: What else the kind says of itself.
    """

    path: Path
    tensors: Checkpoint
    expert: str
    facts: dict[str, Any]

    def read(
        self, name: str, compute: str, chunk: slice = slice(None)
    ) -> "NDArray[Any]":
        """Return a flat chunk of the tensor ``name``; do not write to it.

        Raises:
            InputError: there is none.
        """
        if name not in self.tensors.entries:
            raise InputError(
                f"{self.path}: tensor {name} is missing; collect the statistics of"
                " this expert with 'espnet-merge statistics'."
            )
        return self.tensors.read(name, compute, chunk)


def open_statistics(path: Path, kind: str) -> Statistics:
    """Open the directory ``path``; only the header is read.

    Raises:
        InputError: there is none, it is damaged, or of another kind.
    """
    file = path / FILE
    if not file.is_file():
        raise InputError(
            f"{path}: statistics are a directory with {FILE}; make one with"
            f" 'espnet-merge statistics --kind {kind}'."
        )
    tensors = Checkpoint(path, read_header(file), {}, (file,))
    metadata = read_metadata(file)
    found = metadata.get("kind")
    if found != kind or "expert" not in metadata or "facts" not in metadata:
        raise InputError(
            f"{path}: statistics of kind {kind} are needed, got {found}; collect them"
            f" with 'espnet-merge statistics --kind {kind}'."
        )
    return Statistics(path, tensors, metadata["expert"], json.loads(metadata["facts"]))


def write_tensors(
    file: Path,
    shapes: Mapping[str, tuple[int, ...]],
    tensors: Iterable["NDArray[Any]"],
    metadata: Mapping[str, str],
) -> None:
    """Write float32 ``tensors`` in the order of ``shapes``: same input, same bytes."""
    with file.open("wb") as out:
        plan = {name: ("F32", shape) for name, shape in shapes.items()}
        write_header(out, plan, metadata)
        for tensor in tensors:
            out.write(tensor.data)
