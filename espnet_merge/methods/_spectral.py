"""The base of methods that decompose matrices, and average all other tensors."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from espnet_merge.arrays import Array, ByExpert, Float, Float64, Matrices
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.methods._base import (
    NO_INFO,
    Method,
    TensorInfo,
    check_finite,
    check_range,
)
from espnet_merge.methods.ties import Ties


@dataclass(frozen=True, kw_only=True)
class Spectral(Method):
    """A merge of whole matrices, factored or not; the mean everywhere else.

    Args:
        scale: What the merged delta is multiplied by, no unit, finite.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).

    Raises:
        InputError: ``scale`` is not finite.
    """

    arrays: ClassVar[Literal["numpy", "torch"]] = "torch"
    factored: ClassVar[bool] = True

    scale: float = 1.0
    spectral: Literal["linear", "all_2d"] = "linear"

    def __post_init__(self) -> None:
        """Check the scale."""
        check_finite("scale", self.scale)

    def is_matrix(self, info: TensorInfo) -> bool:
        """Tell whether the tensor at ``info`` is decomposed, and held whole for it."""
        return self.decomposes(info)

    def decomposes(self, info: TensorInfo) -> bool:
        """Tell whether the tensor at ``info`` is decomposed."""
        if self.spectral == "all_2d":
            return len(info.shape) == 2 and "text_projection" not in info.name
        return len(info.shape) == 2 and info.role == "linear"

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[i]``, expert ``i`` minus base; factored if the first is."""
        first = deltas[0]
        if not info.shape:
            info = replace(info, shape=tuple(first.shape))
        if not self.decomposes(info):
            return self.scale * sum(deltas) / len(deltas)
        merged = self.merged(deltas, info)
        merged = replace(merged, scale=self.scale * merged.scale)
        return merged if isinstance(first, Factored) else merged.dense()

    @abstractmethod
    def merged(self, deltas: Matrices, info: TensorInfo) -> Factored:
        """Merge matrices, in the type of the deltas, before they are scaled."""


@dataclass(frozen=True, kw_only=True)
class TiesInBasis(Spectral):
    """A merge by TIES of the tasks' coordinates in a common basis.

    Args:
        density: Fraction of entries kept of a task, in (0, 1].
        consensus: ``mean`` over the agreeing experts or their ``sum``.

    Raises:
        InputError: a value is out of its range.
    """

    # Entries are selected by numba, on the CPU.
    arrays: ClassVar[Literal["numpy", "torch"]] = "numpy"

    density: float = 0.2
    consensus: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        check_range("density", self.density, 0, 1, open_low=True)

    def ties(self, tasks: Sequence[Float64[Array, "k l"]]) -> Float64[Array, "k l"]:
        """Merge the tasks' coordinates."""
        ties = Ties(density=self.density, consensus=self.consensus, trim="tensor")
        return ties(tasks)
