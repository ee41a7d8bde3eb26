"""Warnings of experts that are stored in 16 bits."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from espnet_merge.checkpoint import Checkpoint
from espnet_merge.errors import warn
from espnet_merge.linalg.rounding import deviation
from espnet_merge.merging.inputs import Chunks, Inputs
from espnet_merge.merging.merge import Merge
from espnet_merge.methods import TensorInfo
from espnet_merge.methods._base import map_chunks
from espnet_merge.methods.task_arithmetic import TaskArithmetic

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Types of 16 bits, as headers have them.
HALVES = ("F16", "BF16")
# The norms are estimated from the first 64th of each chunk, which takes no time.
SAMPLED_ONE_IN = 64


def warn_of_rounded_experts(merge: Merge) -> None:
    """Say of each expert in 16 bits how much of its task vector is rounding."""
    rounded = [
        isinstance(expert, Checkpoint)
        and any(entry.dtype in HALVES for entry in expert.floats.values())
        for expert in merge.experts
    ]
    if not any(rounded):
        return
    ratios = rounding_ratios(Inputs(merge.base, merge.experts))
    experts = zip(merge.experts, rounded, ratios, strict=True)
    for expert, is_rounded, ratio in experts:
        if is_rounded:
            warn(
                f"{expert.path}: is stored in 16 bits, and about {100 * ratio:.2g} % of"
                " the length of its task vector is rounding; save experts in float32."
            )


def rounding_ratios(inputs: Inputs) -> Sequence[float]:
    """Return the norm of the rounding over that of the task vector, for each expert.

    Both are of all tensors that are merged. The base is taken as exact.
    """
    import numpy as np

    def energies(info: TensorInfo, deltas: Sequence["NDArray[Any]"]) -> "NDArray[Any]":
        arrays = np.array([info.base, *deltas], np.float64)
        base, *moved = np.einsum("ij,ij->i", arrays, arrays)
        return np.array([[deviation(x) ** 2 * base for x in info.stored], moved])

    chunks = Chunks(inputs, TaskArithmetic(), inputs.names)
    parts = list(map_chunks(chunks, energies, SAMPLED_ONE_IN))
    rounding, moved = np.sum(parts, axis=0)
    return [float(x) for x in np.sqrt(rounding / np.where(moved, moved, np.inf))]
