"""What a method sees of a tensor: the tensors of all experts, base subtracted."""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, overload

from espnet_merge.arrays import Array
from espnet_merge.checkpoint import Adapter, Checkpoint
from espnet_merge.checkpoint.dtypes import is_finite, to_float
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.checkpoint.roles import layer_of, role_of
from espnet_merge.errors import InputError
from espnet_merge.methods import ElementwiseMerge, Method, TensorInfo, TwoPass
from espnet_merge.methods._base import row_length
from espnet_merge.workers import Workers

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Entries of a chunk: 1 MB of float32, so that base, experts and result of a chunk stay
# in the cache of a core together.
CHUNK_ENTRIES = 1 << 18

# Reads a flat chunk of a stored tensor as floats, and subtracts others if given.
type Reader = Callable[[slice, Any], NDArray[Any]]
# Reads a chunk of an expert, given the same chunk of the base if needed: the task
# vector if asked for, else the weights.
type ExpertReader = Callable[[slice, Any, bool], NDArray[Any]]


@dataclass(frozen=True)
class LazyArrays(Sequence[Array]):
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
class OpenTensor:
    """One tensor of all inputs, opened.

    Args:
        info: What is known of it before it is read.
        base: Reads it in the base.
        experts: Read it in the experts.
        factors: The deltas of those experts that are adapters and change it.
        models: Whether no expert is an adapter; the weights of one need the base.
        device: Where torch's arrays are made.
    """

    info: TensorInfo
    base: Reader
    experts: Sequence[ExpertReader]
    factors: Mapping[int, Factored]
    models: bool
    device: str

    def chunks(self) -> list[slice]:
        """Return the flat chunks in which the tensor is read."""
        step, size = chunk_size(self.info.shape), math.prod(self.info.shape)
        starts = range(0, size, step)
        return [slice(start, min(size, start + step)) for start in starts]

    def chunk(self, chunk: slice, method: Method) -> tuple[TensorInfo, list[Array]]:
        """Read a chunk of all inputs, in the form that ``method`` takes."""
        deltas = method.space == "deltas"
        needed = deltas or method.base or not self.models
        base = self.base(chunk, None) if needed else None
        form = self._form(method)
        tensors = [form(read(chunk, base, deltas)) for read in self.experts]
        there = None if base is None else form(base)
        return replace(self.info, base=there, start=chunk.start), tensors

    def matrix(
        self, method: Method, cache: dict[Hashable, Any]
    ) -> tuple[TensorInfo, LazyArrays]:
        """Read the base whole. The experts are read one by one when asked for.

        Args:
            method: Its class says in which form it takes arrays.
            cache: Where ``TensorInfo.memoise`` keeps results for other methods.
        """
        whole, form = slice(None), self._form(method)
        deltas, base = method.space == "deltas", self.base(whole, None)

        def make(number: int) -> Array:
            if method.factored and number in self.factors:
                delta = self.factors[number]
                return Factored(form(delta.b), form(delta.a), delta.scale)
            values = self.experts[number](whole, base, deltas)
            return form(values.reshape(self.info.shape))

        there = form(base.reshape(self.info.shape))
        info = replace(self.info, base=there, cache=cache)
        return info, LazyArrays(make, len(self.experts))

    def _form(self, method: Method) -> "Callable[[NDArray[Any]], Array]":
        if method.arrays == "numpy" or self.device == "cpu":
            return lambda array: array
        return lambda array: _as_torch(array, self.device)


@dataclass(frozen=True)
class Inputs:
    """The float tensors of base and experts, as methods see them.

    Args:
        base: Checkpoint that all experts started from.
        experts: Models and adapters that belong to it.
        compute: Type of the arithmetic: float32 or float64.
        device: Where torch's arrays are made.
        workers: Threads that read the model in a statistics pass.
    """

    base: Checkpoint
    experts: Sequence[Checkpoint | Adapter]
    compute: str = "float32"
    device: str = "cpu"
    workers: Workers = field(default_factory=Workers)
    _after_statistics: dict[Method, ElementwiseMerge] = field(
        default_factory=dict, repr=False
    )

    @property
    def names(self) -> list[str]:
        """Names of the tensors that are merged."""
        return list(self.base.floats)

    @cached_property
    def alone(self) -> "Inputs":
        """The same, with statistics passes in the calling thread."""
        return replace(self, workers=Workers())

    def elementwise(
        self, method: Method, name: str, cache: dict[Hashable, Any] | None = None
    ) -> ElementwiseMerge:
        """Return what merges the tensor ``name``, whole or chunk by chunk.

        Args:
            method: The plain method for it.
            name: One of ``names``.
            cache: Where ``TensorInfo.memoise`` keeps results for other methods.
        """
        if method.has_step:
            return method.after(self.elementwise(method.plain, name, cache))
        if not isinstance(method, TwoPass) or method.is_matrix(self.info(name)):
            return method
        match method.scope:
            case "tensor":
                return method.statistics_pass(Chunks(self, method, [name], cache))
            case "model":
                if method not in self._after_statistics:
                    whole = Chunks(self, method, self.names)
                    self._after_statistics[method] = method.statistics_pass(whole)
                return self._after_statistics[method]
        return method

    def open(self, name: str, *, checked: bool = True) -> OpenTensor:
        """Open the tensor ``name`` in all inputs.

        Args:
            name: One of ``names``.
            checked: Refuse NaN and Inf as they are read.
        """
        factors = {
            number: self.delta(expert, name)
            for number, expert in enumerate(self.experts)
            if isinstance(expert, Adapter) and name in expert.scales
        }
        experts = [
            self._expert(expert, name, factors.get(number), checked=checked)
            for number, expert in enumerate(self.experts)
        ]
        models = all(isinstance(expert, Checkpoint) for expert in self.experts)
        base = self._reader(self.base, name, checked=checked)
        return OpenTensor(self.info(name), base, experts, factors, models, self.device)

    def parts(
        self, method: Method, name: str
    ) -> Iterator[tuple[TensorInfo, Sequence[Array]]]:
        """Yield the tensor ``name`` as ``method`` takes it: a matrix, or chunks."""
        tensor = self.open(name)
        if method.is_matrix(tensor.info):
            yield tensor.matrix(method, {})
        else:
            yield from Chunks(self, method, [name])

    def info(self, name: str) -> TensorInfo:
        """Return what name and shape tell of the tensor ``name``."""
        stack, layer = layer_of(name)
        shape = self.base.entries[name].shape
        return TensorInfo(
            name=name,
            role=role_of(name, shape),
            shape=shape,
            layer=layer,
            depth=self._depths.get(stack, 0),
            stored=tuple(
                expert.entries[name].dtype if isinstance(expert, Checkpoint) else None
                for expert in self.experts
            ),
            cache=None,
        )

    def delta(self, adapter: Adapter, name: str) -> Factored:
        """Return the delta of a tensor that the adapter changes, as factors."""
        delta = adapter.delta(name, self.compute)
        for letter, factor in (("B", delta.b), ("A", delta.a)):
            _check_finite(factor, f"{adapter.path}: lora_{letter} of {name}")
        return delta

    @cached_property
    def _depths(self) -> dict[str, int]:
        """Number of layers by the name of their stack, such as model.encoder.layers."""
        depths: dict[str, int] = {}
        for stack, layer in map(layer_of, self.base.entries):
            if layer is not None:
                depths[stack] = max(layer + 1, depths.get(stack, 0))
        return depths

    def _expert(
        self,
        expert: Checkpoint | Adapter,
        name: str,
        delta: Factored | None,
        *,
        checked: bool,
    ) -> ExpertReader:
        import numpy as np

        if isinstance(expert, Checkpoint):
            read = self._reader(expert, name, checked=checked)
            return lambda chunk, base, deltas: read(chunk, base if deltas else None)
        if delta is None:
            return lambda chunk, base, deltas: np.zeros_like(base) if deltas else base
        return lambda chunk, base, deltas: (
            delta.chunk(chunk) if deltas else base + delta.chunk(chunk)
        )

    def _reader(self, source: Checkpoint, name: str, *, checked: bool) -> Reader:
        entry, stored = source.entries[name], source.stored(name)

        def read(chunk: slice, minus: "NDArray[Any] | None" = None) -> "NDArray[Any]":
            bits = stored[chunk]
            if checked:
                _check_finite(bits, f"{entry.file}: tensor {name}")
            return to_float(bits, entry.dtype, self.compute, minus)

        return read


@dataclass(frozen=True)
class Chunks:
    """The chunks of some tensors, which can be iterated several times.

    Args:
        inputs: All tensors.
        method: Its class says in which form it takes them.
        names: Names of the tensors.
        cache: Where ``TensorInfo.memoise`` keeps results for other methods.
    """

    inputs: Inputs
    method: Method
    names: Sequence[str]
    cache: dict[Hashable, Any] | None = None

    def __iter__(self) -> Iterator[tuple[TensorInfo, list[Array]]]:
        return (read() for read in self._reads())

    @property
    def entries(self) -> int:
        """Number of entries of all the tensors."""
        return sum(self.inputs.base.entries[name].size for name in self.names)

    def __len__(self) -> int:
        entries = self.inputs.base.entries
        return sum(
            -(-entries[name].size // chunk_size(entries[name].shape))
            for name in self.names
        )

    def map[R](
        self, function: Callable[[TensorInfo, Sequence[Array]], R], one_in: int = 1
    ) -> Iterator[R]:
        """Yield ``function(info, tensors)`` for each chunk, computed by the workers.

        Args:
            function: What to compute.
            one_in: Read only the first ``1 / one_in`` of each chunk.
        """
        reads = self._reads(one_in)
        return self.inputs.workers.map(lambda read: function(*read()), reads)

    def _reads(
        self, one_in: int = 1
    ) -> Iterator[Callable[[], tuple[TensorInfo, list[Array]]]]:
        for name in self.names:
            tensor = self.inputs.open(name)
            tensor = replace(tensor, info=replace(tensor.info, cache=self.cache))
            for chunk in tensor.chunks():
                stop = chunk.start - (chunk.start - chunk.stop) // one_in
                part = slice(chunk.start, stop)
                yield partial(tensor.chunk, part, self.method)


def chunk_size(shape: tuple[int, ...]) -> int:
    """Return the entries of a chunk: as many whole rows as fit, at least one."""
    row = max(1, row_length(shape))
    return row * max(1, CHUNK_ENTRIES // row)


def _check_finite(values: "NDArray[Any]", what: str) -> None:
    if not is_finite(values):
        raise InputError(
            f"{what} holds NaN or Inf; the training diverged, use an earlier"
            " checkpoint."
        )


def _as_torch(array: "NDArray[Any]", device: str) -> Array:
    """Return a tensor that may be written to, unlike a view of a read-only file."""
    import numpy as np
    import torch

    own = array if array.flags.writeable else np.array(array)
    return torch.from_numpy(own).to(device)
