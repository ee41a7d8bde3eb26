"""What a method sees of a tensor: the tensors of all experts, base subtracted."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from espnet_merge.checkpoint import Adapter, Checkpoint
from espnet_merge.checkpoint.roles import layer_of, role_of
from espnet_merge.checkpoint.safetensors import to_float
from espnet_merge.errors import InputError
from espnet_merge.methods import Array, Method, Rule, Site
from espnet_merge.methods._base import row_length
from espnet_merge.methods._factored import Factored

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Entries of a piece: base, experts and result together stay in cache.
PIECE = 1 << 17

type Reader = Callable[[slice], NDArray[Any]]
# The same of an expert, given the same piece of the base.
type ExpertReader = Callable[[slice, NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Experts(Sequence[Array]):
    """One array an expert, made when it is asked for and not kept.

    Args:
        make: Makes the array of an expert, by its number.
        size: Number of experts.
    """

    make: Callable[[int], Array]
    size: int

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> "list[Array]": ...
    def __getitem__(self, index: int | slice) -> "Array | list[Array]":
        numbers = range(self.size)[index]
        if isinstance(numbers, range):
            return [self.make(number) for number in numbers]
        return self.make(numbers)


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

    def __iter__(self) -> Iterator[tuple[Site, Sequence[Array]]]:
        for name, entry in self.base.entries.items():
            if entry.is_float:
                yield from self.pieces(name)

    def rule(self, name: str) -> Rule:
        """Return what merges the pieces of the tensor ``name``."""
        method = self.method.at(name)
        match method.scope:
            case "entry":
                return method
            case "tensor":
                return method.survey(_Pieces(self, name))
            case "model":
                return self.surveyed[method]

    @cached_property
    def surveyed(self) -> dict[Method, Rule]:
        """Rules of the methods that look at the whole model, found once."""
        names = [name for name, entry in self.base.entries.items() if entry.is_float]
        methods = {self.method.at(name) for name in names}
        return {m: m.survey(self) for m in methods if m.scope == "model"}

    def pieces(
        self, name: str, cache: dict[Hashable, Any] | None = None
    ) -> Iterator[tuple[Site, Sequence[Array]]]:
        """Yield the tensor ``name`` as the method sees it.

        Args:
            name: A float tensor of the base.
            cache: What methods before this one have computed of it, to be shared.
        """
        entry = self.base.entries[name]
        site = replace(self._site(name), cache={} if cache is None else cache)
        read = self._reader(self.base, name)
        experts = [self._expert(expert, name) for expert in self.experts]
        if self.method.at(name).is_matrix(site):
            yield self._matrix(site, read(slice(None)), experts)
            return
        step = _step(site)
        for start in range(0, entry.size, step):
            piece = slice(start, start + step)
            base = read(piece)
            tensors = [self._form(expert(piece, base)) for expert in experts]
            yield replace(site, base=self._form(base), start=start), tensors

    def largest(self, name: str) -> int:
        """Return the number of entries of the largest piece of the tensor ``name``."""
        site, size = self._site(name), self.base.entries[name].size
        if self.method.at(name).is_matrix(site):
            return size
        return min(size, _step(site))

    def _site(self, name: str) -> Site:
        stack, layer = layer_of(name)
        shape = self.base.entries[name].shape
        return Site(
            name=name,
            role=role_of(name, shape),
            shape=shape,
            layer=layer,
            depth=self._depths.get(stack, 0),
            cache=None,
        )

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

    def _matrix(
        self, site: Site, base: "NDArray[Any]", experts: Sequence[ExpertReader]
    ) -> tuple[Site, Experts]:
        def make(number: int) -> Array:
            expert = self.experts[number]
            if (
                self.method.factored
                and isinstance(expert, Adapter)
                and site.name in expert.scales
            ):
                delta = self.delta(expert, site.name)
                b, a = self._form(delta.b), self._form(delta.a)
                return Factored(b, a, delta.scale)
            return self._form(experts[number](slice(None), base).reshape(site.shape))

        whole = self._form(base.reshape(site.shape))
        return replace(site, base=whole), Experts(make, len(experts))

    def _expert(self, expert: Checkpoint | Adapter, name: str) -> ExpertReader:
        """Return what reads pieces of an expert's tensor, or of its delta."""
        import numpy as np

        deltas = self.method.space == "deltas"
        if isinstance(expert, Checkpoint):
            read = self._reader(expert, name)
            if deltas:
                return lambda piece, base: read(piece) - base
            return lambda piece, base: read(piece)
        if name not in expert.scales:
            return lambda piece, base: np.zeros_like(base) if deltas else base
        delta = self.delta(expert, name)
        if deltas:
            return lambda piece, base: delta.piece(piece)
        return lambda piece, base: base + delta.piece(piece)

    def _form(self, array: "NDArray[Any]") -> Array:
        return _as_torch(array) if self.method.arrays == "torch" else array

    def _reader(self, source: Checkpoint, name: str) -> Reader:
        """Return what reads flat pieces of the tensor ``name``."""
        entry, stored = source.entries[name], source.stored(name)

        def read(piece: slice) -> "NDArray[Any]":
            values = to_float(stored[piece], entry.dtype, self.compute)
            _check_finite(values, f"{entry.file}: tensor {name}")
            return values

        return read


@dataclass(frozen=True)
class _Pieces:
    """The pieces of one tensor; iterate as often as a survey needs them."""

    sites: Sites
    name: str

    def __iter__(self) -> Iterator[tuple[Site, Sequence[Array]]]:
        return self.sites.pieces(self.name)


def _step(site: Site) -> int:
    """Return the entries of a piece: as many whole rows as fit, at least one."""
    row = max(1, row_length(site.shape))
    return row * max(1, PIECE // row)


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
