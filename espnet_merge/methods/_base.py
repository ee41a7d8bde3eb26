"""The interface of every merge method, and the checks they share.

Modules of this package import numpy and torch inside functions: listing the methods
or rejecting a parameter must not cost an import of either.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from espnet_merge.errors import InputError

# numpy.ndarray or torch.Tensor, as ``Method.arrays`` says.
type Array = Any
type Role = Literal["linear", "embedding", "conv", "norm", "bias", "other"]


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where a tensor sits: what a method may know beside the tensors it merges.

    Args:
        name: Name of the tensor in the checkpoint.
        role: What the tensor does in the network; spectral methods ask for it.
        base: The tensor in the base model, for methods in weight space.
        start: Index of the first entry, where the tensor comes in flat pieces.
        layer: Number of the layer in its stack, from 0; None outside the layers.
        depth: Number of layers of that stack.
    """

    name: str = ""
    role: Role = "linear"
    base: Array | None = None
    start: int = 0
    layer: int | None = None
    depth: int = 0


SITE = Site()

type Rule = Callable[[Sequence[Array], Site], Array]


class Method(ABC):
    """A pure function from the tensors of all experts at one site to one tensor.

    Subclasses are frozen dataclasses of their hyper-parameters: a bad value fails
    before anything is read, and the fields are the provenance.
    """

    # "deltas": expert minus base in, merged delta out. "weights": the weights as
    # they are in, merged weight out.
    space: ClassVar[Literal["deltas", "weights"]] = "deltas"
    # torch costs a second to import: only where there are matrices to decompose.
    arrays: ClassVar[Literal["numpy", "torch"]] = "numpy"
    # Each entry depends on the same entry only: a tensor may come in pieces, flat.
    elementwise: ClassVar[bool] = False
    min_experts: ClassVar[int] = 1
    max_experts: ClassVar[int | None] = None

    @abstractmethod
    def __call__(self, tensors: Sequence[Array], site: Site = SITE, /) -> Array:
        """Merge ``tensors[i]`` of expert ``i``; the inputs stay as they are."""

    def survey(self, stream: Iterable[tuple[Site, Sequence[Array]]]) -> Rule:
        """Look at the whole model first; return the rule to apply tensor by tensor.

        ``stream`` may be iterated several times, each time through all tensors. Most
        methods need no look and return themselves, which reads nothing.
        """
        del stream
        return self

    @property
    def kind(self) -> "type[Method]":
        """Class of the method, as the table of methods has it."""
        return type(self)

    @property
    def params(self) -> dict[str, Any]:
        """Hyper-parameters by name: with ``kind``, all there is to know."""
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return {name: getattr(self, name) for name in names}

    def check_names(self, names: Sequence[str]) -> None:
        """Raise ``InputError`` where the parameters do not suit tensors so called."""
        del names

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
