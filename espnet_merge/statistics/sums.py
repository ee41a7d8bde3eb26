"""Running sums over utterances, which a killed run can resume from."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from espnet_merge.checkpoint.opened import Checkpoint
from espnet_merge.checkpoint.safetensors import read_header, read_metadata
from espnet_merge.checkpoint.statistics import write_tensors
from espnet_merge.disk.atomic import whole_file
from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Sums:
    """A sum for each tensor, in float32.

    The relative error of N terms of one sign is at most N * 6e-8.

    Attributes:
        totals: The sums.
        counts: Number of terms in each sum.
        batches: Number of batches in all sums.
    """

    totals: dict[str, Tensor]
    counts: dict[str, int]
    batches: int = 0

    @classmethod
    def of(cls, shapes: dict[str, tuple[int, ...]], device: torch.device) -> "Sums":
        """Return sums of no terms."""
        totals = {n: torch.zeros(shape, device=device) for n, shape in shapes.items()}
        return cls(totals, dict.fromkeys(shapes, 0))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor."""
        return {name: tuple(total.shape) for name, total in self.totals.items()}

    def means(self) -> dict[str, Tensor]:
        """Turn the sums into means, in place."""
        for name, total in self.totals.items():
            total /= self.counts[name]
        return self.totals

    def save(self, path: Path, job: str) -> None:
        """Write the sums and counts, for ``resume`` to read."""
        state = {"counts": self.counts, "batches": self.batches}
        metadata = {"job": job, "state": json.dumps(state)}
        with whole_file(path) as part:
            write_tensors(
                part, self.shapes, map(as_array, self.totals.values()), metadata
            )

    def resume(self, path: Path, job: str) -> None:
        """Read the sums in ``path`` if it exists and is of the same job."""
        try:
            entries, metadata = read_header(path), read_metadata(path)
        except InputError:
            return
        if metadata.get("job") != job:
            return
        stored = Checkpoint(path, entries, {}, (path,))
        for name, total in self.totals.items():
            total.copy_(torch.tensor(stored.read(name)).view_as(total))
        state = json.loads(metadata["state"])
        self.counts, self.batches = state["counts"], state["batches"]


def as_array(tensor: Tensor) -> "NDArray[Any]":
    """Return the tensor as a numpy array."""
    array: NDArray[Any] = tensor.cpu().contiguous().numpy()
    return array
