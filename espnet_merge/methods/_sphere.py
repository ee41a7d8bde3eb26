"""Geometry of experts as directions: all of it follows from their dot products.

A mean of directions is a linear combination of the experts, so that one Gram matrix
in float64, whatever the size of the tensor, gives its coefficients.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECE = 1 << 16


def gram(stream: Iterable[Sequence["NDArray[Any]"]]) -> "NDArray[Any]":
    """Return the dot products of flat tensors that come in pieces, in float64.

    In float32 the angle between two experts of one base, often 1e-3, would be noise.
    """
    import numpy as np

    total: Any = 0.0
    for tensors in stream:
        for start in range(0, tensors[0].size, PIECE):
            part = np.stack([x[start : start + PIECE] for x in tensors])
            rows = part.astype(np.float64)
            total = total + rows @ rows.T
    return np.asarray(total)


def norms_and_cosines(gram: "NDArray[Any]") -> tuple["NDArray[Any]", "NDArray[Any]"]:
    """Split a Gram matrix; a zero tensor has no direction, its cosines are 0."""
    import numpy as np

    norms = np.sqrt(gram.diagonal())
    divisor = np.where(norms > 0, norms, 1)
    return norms, gram / divisor / divisor[:, None]


def combine(
    coefficients: Iterable[float], tensors: Sequence["NDArray[Any]"]
) -> "NDArray[Any]":
    """Return the sum of ``coefficients[i] * tensors[i]`` in the type of the tensors."""
    total = tensors[0] * 0
    for coefficient, tensor in zip(coefficients, tensors, strict=True):
        total += float(coefficient) * tensor
    return total


def all_equal(stream: Iterable[Sequence["NDArray[Any]"]]) -> bool:
    """Tell whether there is but one tensor, which then needs no arithmetic."""
    return all(
        bool((tensor == tensors[0]).all())
        for tensors in stream
        for tensor in tensors[1:]
    )
