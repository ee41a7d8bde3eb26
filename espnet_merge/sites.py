"""What a method sees of a tensor: the tensors of all experts, base subtracted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from espnet_merge.checkpoint import Adapter, Checkpoint
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.checkpoint.roles import layer_of, role_of
from espnet_merge.errors import InputError
from espnet_merge.methods import Array, Method, Site

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Entries of an elementwise piece: base, experts and result together stay in cache.
PIECE = 1 << 17


@dataclass(frozen=True)
class Sites:
    """All float tensors of a merge; iterate as often as a survey needs them.

    Args:
        method: Says in which form it takes tensors.
        base: Checkpoint that all experts started from.
        experts: Models and adapters that belong to it.
        compute: Type of the arithmetic: float32 or float64.
    """

    method: Method
    base: Checkpoint
    experts: Sequence[Checkpoint | Adapter]
    compute: str

    def __iter__(self) -> Iterator[tuple[Site, list[Array]]]:
        for name, entry in self.base.entries.items():
            if entry.is_float:
                for piece in self.pieces(name):
                    yield self.at(name, piece)

    def pieces(self, name: str) -> Iterator[slice]:
        """Yield the pieces in which the method sees the tensor ``name``."""
        size = self.base.entries[name].size
        step = PIECE if self.method.elementwise else max(1, size)
        for start in range(0, size, step):
            yield slice(start, start + step)

    def at(self, name: str, piece: slice = slice(None)) -> tuple[Site, list[Array]]:
        """Return what the method sees of the tensor ``name``, or of a flat piece."""
        shape = self.base.entries[name].shape
        base = self._read(self.base, name, piece)
        tensors = [self._expert(expert, name, piece, base) for expert in self.experts]
        stack, layer = layer_of(name)
        site = Site(
            name=name,
            role=role_of(name, shape),
            base=self._form(base, shape),
            start=piece.start or 0,
            layer=layer,
            depth=self._depths.get(stack, 0),
        )
        return site, [self._form(tensor, shape) for tensor in tensors]

    @cached_property
    def _depths(self) -> dict[str, int]:
        """Number of layers by the name of their stack, such as model.encoder.layers."""
        depths: dict[str, int] = {}
        for stack, layer in map(layer_of, self.base.entries):
            if layer is not None:
                depths[stack] = max(layer + 1, depths.get(stack, 0))
        return depths

    def delta(self, adapter: Adapter, name: str) -> Factored:
        """Return the delta of a tensor that the adapter changes, as factors."""
        delta = adapter.delta(name, self.compute)
        for letter, factor in (("B", delta.b), ("A", delta.a)):
            _check_finite(factor, f"{adapter.path}: lora_{letter} of {name}")
        return delta

    def _expert(
        self,
        expert: Checkpoint | Adapter,
        name: str,
        piece: slice,
        base: "NDArray[Any]",
    ) -> Array:
        import numpy as np

        deltas = self.method.space == "deltas"
        if isinstance(expert, Checkpoint):
            values = self._read(expert, name, piece)
            return values - base if deltas else values
        if name not in expert.scales:
            return np.zeros_like(base) if deltas else base
        delta = self.delta(expert, name)
        if deltas and getattr(self.method, "factored", False):
            return delta
        dense = delta.piece(piece)
        return dense if deltas else base + dense

    def _form(self, array: Array, shape: tuple[int, ...]) -> Array:
        torch = self.method.arrays == "torch"
        if isinstance(array, Factored):
            b, a = (_as_torch(x) if torch else x for x in (array.b, array.a))
            return Factored(b, a, array.scale)
        if not self.method.elementwise:
            array = array.reshape(shape)
        return _as_torch(array) if torch else array

    def _read(self, source: Checkpoint, name: str, piece: slice) -> "NDArray[Any]":
        values = source.read(name, self.compute, piece)
        _check_finite(values, f"{source.entries[name].file}: tensor {name}")
        return values


def _check_finite(values: "NDArray[Any]", what: str) -> None:
    import numpy as np

    # The sum is one quick pass, and only a NaN, an Inf or an overflow spoils it.
    with np.errstate(all="ignore"):
        suspicious = not np.isfinite(values.sum())
    if suspicious and not np.isfinite(values).all():
        raise InputError(
            f"{what} holds NaN or Inf; the training diverged, use an earlier"
            " checkpoint."
        )


def _as_torch(array: "NDArray[Any]") -> Array:
    """Return a tensor that may be written to, unlike a view of a read-only file."""
    import numpy as np
    import torch

    return torch.from_numpy(array if array.flags.writeable else np.array(array))
