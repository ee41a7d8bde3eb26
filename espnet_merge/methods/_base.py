"""The interface of every merge method, and the checks that methods share.

Modules of this package import numpy and torch inside functions: listing the methods
or rejecting a parameter must not cost an import of either.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.checkpoint.roles import Role
from espnet_merge.errors import InputError

type Scope = Literal["entry", "tensor", "model"]


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """What a method may know of a tensor besides its values in the experts.

    Args:
        name: Name of the tensor in the checkpoint.
        role: What the tensor does in the network; spectral methods ask for it.
        base: The tensor in the base model, or the chunk of it that is merged.
        shape: Shape of the whole tensor.
        start: Index of the first entry of a flat chunk.
        layer: Number of the layer in its stack, from 0; None outside the layers.
        depth: Number of layers in that stack.
        stored: Type in the file of each expert, such as F16; None for an adapter, whose
            delta no rounding has raised in rank. Empty: float32.
        cache: Where ``memoise`` keeps its values; None keeps nothing.
    """

    name: str = ""
    role: Role = "linear"
    base: Float[Array, "..."] | None = None
    shape: tuple[int, ...] = ()
    start: int = 0
    layer: int | None = None
    depth: int = 0
    stored: tuple[str | None, ...] = ()
    cache: dict[Hashable, Any] | None = field(
        default_factory=dict, compare=False, repr=False
    )

    def memoise[T](self, key: Hashable, make: Callable[[], T]) -> T:
        """Return ``make()``, computed once per tensor for all methods of one pass.

        Args:
            key: Names the computation and all of its parameters.
            make: Computes it from this tensor of all experts.
        """
        if self.cache is None:
            return make()
        if key not in self.cache:
            self.cache[key] = make()
        value: T = self.cache[key]
        return value


# For a call of which nothing is known. It keeps nothing for the next one.
NO_INFO = TensorInfo(cache=None)


def row_length(shape: Sequence[int]) -> int:
    """Return the number of entries in a row: a slice of the first axis, or a vector.

    Example:
        >>> row_length((8, 4, 3)), row_length((5,))
        (12, 5)
    """
    return math.prod(shape[1:] if len(shape) > 1 else shape)


type Stream = Iterable[tuple[TensorInfo, ByExpert]]


def map_chunks[R](
    stream: Iterable[tuple[TensorInfo, Any]],
    function: Callable[[TensorInfo, Any], R],
    one_in: int = 1,
) -> Iterator[R]:
    """Yield ``function(info, tensors)`` for each chunk, in threads if the stream can.

    Args:
        stream: Chunks of tensors.
        function: It must be pure, for it may run in many threads.
        one_in: Read only the first ``1 / one_in`` of each chunk.
    """
    if hasattr(stream, "map"):
        yield from stream.map(function, one_in)
    elif one_in == 1:
        yield from (function(*chunk) for chunk in stream)
    else:
        for info, tensors in stream:
            flat = [tensor.ravel() for tensor in tensors]
            yield function(info, [x[: -(-x.size // one_in)] for x in flat])


type ElementwiseMerge = Callable[[ByExpert, TensorInfo], Float[Array, "*shape"]]


class Method(ABC):
    """A pure function from one tensor of all experts to one tensor.

    Subclasses are frozen dataclasses of their hyper-parameters: a bad value fails
    before anything is read, and the fields are the provenance. A paper writes its
    fields and the call; what else is here has an answer that suits most of them.

    Attributes:
        space: ``deltas``: expert minus base in, merged delta out. ``weights``: the
            weights as they are in, merged weight out.
        arrays: ``torch``: torch's on any device but the CPU. ``numpy``: always numpy's.
        base: Whether ``info.base`` is looked at in weight space; if not, and all
            experts are models, the file of the base is not read.
        propagates_nan: Whether a NaN or Inf of an input is always in the result, so
            that it is looked for there alone.
        factored: Whether the delta of an adapter may come as ``Factored`` where
            ``is_matrix``.
        min_experts: Least number of experts, >= 1.
        max_experts: Largest number of experts; None for any.
    """

    space: ClassVar[Literal["deltas", "weights"]] = "deltas"
    arrays: ClassVar[Literal["numpy", "torch"]] = "numpy"
    base: ClassVar[bool] = True
    propagates_nan: ClassVar[bool] = False
    factored: ClassVar[bool] = False
    min_experts: ClassVar[int] = 1
    max_experts: ClassVar[int | None] = None

    @abstractmethod
    def __call__(
        self, tensors: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``tensors[i]`` of expert ``i``; the inputs stay as they are.

        Where ``is_matrix``, they are whole matrices, each made when it is asked for;
        elsewhere flat chunks of whole rows.
        """

    @property
    def plain(self) -> "Method":
        """What merges, without a step after it."""
        return self

    @property
    def has_step(self) -> bool:
        """Whether a step comes after ``plain``."""
        return self.plain is not self

    def after(self, merge: ElementwiseMerge) -> ElementwiseMerge:
        """Return ``merge``, by which ``plain`` merges, and the step after it."""
        return merge

    @property
    def params(self) -> dict[str, Any]:
        """The parameters by name: with the class of ``plain``, all there is to know."""
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return {name: getattr(self, name) for name in names}

    def is_matrix(self, info: TensorInfo) -> bool:
        """Tell whether the tensor at ``info`` must come whole, to be decomposed."""
        del info
        return False

    def check_experts(self, count: int) -> None:
        """Raise ``InputError`` where ``count`` experts do not suit the parameters."""
        if count < self.min_experts:
            raise InputError(
                f"experts: the method needs at least {self.min_experts}, got {count};"
                " add experts."
            )
        if self.max_experts is not None and count > self.max_experts:
            raise InputError(
                f"experts: the method takes at most {self.max_experts}, got {count};"
                " leave some out."
            )
        expert_weights(getattr(self, "weights", None), count)


class TwoPass(Method):
    """A method that is elementwise once it knows numbers of a whole tensor or model."""

    @property
    def scope(self) -> Scope:
        """What the statistics pass looks at; ``entry`` where none is needed."""
        return "tensor"

    @abstractmethod
    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Look at all chunks within ``scope``; return what merges each of them.

        Args:
            stream: The chunks. It may be iterated several times.
        """

    def __call__(
        self, tensors: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``tensors[i]`` of expert ``i`` as if they were all there is."""
        shape = tensors[0].shape
        if 0 in shape:
            return tensors[0] * 0
        base = None if info.base is None else info.base.ravel()
        info = replace(info, base=base, shape=info.shape or tuple(shape))
        flat = [tensor.ravel() for tensor in tensors]
        return self.statistics_pass([(info, flat)])(flat, info).reshape(shape)


def scope_of(method: Method) -> Scope:
    """Return what the method must look at before it can merge an entry."""
    plain = method.plain
    return plain.scope if isinstance(plain, TwoPass) else "entry"


def weighted_sum(weights: Iterable[float], tensors: ByExpert) -> Float[Array, "*shape"]:
    """Return the sum of ``weights[i] * tensors[i]``, an array of its own.

    Example:
        >>> import numpy as np
        >>> weighted_sum((0.5, 2), np.array([[2.0, 4.0], [1.0, 0.0]])).tolist()
        [3.0, 2.0]
    """
    first, *rest = map(float, weights)
    total = first * tensors[0]
    for weight, tensor in zip(rest, tensors[1:], strict=True):
        # A product less, of which a sum has many, for the usual weights.
        total += tensor if weight == 1 else weight * tensor
    return total


def expert_weights(weights: Sequence[float] | None, count: int) -> Sequence[float]:
    """Return one weight an expert, ones by default."""
    if weights is None:
        return (1.0,) * count
    if len(weights) != count:
        raise InputError(
            f"weights: one an expert is needed, got {len(weights)} for {count}"
            " experts; give as many as experts."
        )
    return weights


def sum_scale(scale: float | None, count: int) -> float:
    """Return what a sum over ``count`` experts is multiplied by, 1/n by default."""
    return 1 / count if scale is None else scale


def check_finite(name: str, *values: float) -> None:
    """Raise ``InputError`` for the first of ``values`` that is NaN or infinite."""
    for value in values:
        if not math.isfinite(value):
            raise InputError(f"{name} must be finite, got {value}; give a number.")


def check_range(
    name: str, value: float, low: float, high: float, *, open_low: bool = False
) -> None:
    """Raise ``InputError`` unless ``value`` lies in [low, high] or (low, high]."""
    if not (low < value if open_low else low <= value) or not value <= high:
        bracket = "(" if open_low else "["
        raise InputError(
            f"{name} must lie in {bracket}{low:g}, {high:g}], got {value};"
            " choose a value inside."
        )
