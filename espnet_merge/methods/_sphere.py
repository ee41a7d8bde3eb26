"""Geometry of the experts as directions, which follows from their dot products.

A mean of directions is a linear combination of the experts. One Gram matrix in float64
gives its coefficients, whatever the size of the tensor.
"""

import math
from collections.abc import Callable

from espnet_merge.arrays import Array, ByExpert, Float64
from espnet_merge.methods._base import Stream, TensorInfo, map_chunks

type Vectors = Callable[[TensorInfo, ByExpert], ByExpert]


def dot_products(
    stream: Stream, vectors: Vectors = lambda info, tensors: tensors
) -> Float64[Array, "experts experts"]:
    """Return the dot products of flat tensors that come in chunks, in float64.

    In float32 the angle between two experts of one base, often 1e-3, would be noise.

    Args:
        stream: The chunks.
        vectors: Makes what is multiplied of a chunk.
    """
    import numpy as np

    def part(info: TensorInfo, tensors: ByExpert) -> Float64[Array, "experts experts"]:
        rows = np.stack(vectors(info, tensors)).astype(np.float64)
        return np.asarray(rows @ rows.T)

    return sum(map_chunks(stream, part))


def norms_and_cosines(
    dots: Float64[Array, "experts experts"],
) -> tuple[Float64[Array, " experts"], Float64[Array, "experts experts"]]:
    """Split a Gram matrix; a zero tensor has no direction, its cosines are 0."""
    import numpy as np

    norms = np.sqrt(dots.diagonal())
    divisor = np.where(norms > 0, norms, 1)
    return norms, dots / divisor / divisor[:, None]


def arc(cosine: float, t: float) -> tuple[float, float]:
    """Return the coefficients of two vectors, the part ``t`` of the arc between them.

    Args:
        cosine: Of the angle between them, in (-1, 1).
        t: 0 is the first, 1 the second.
    """
    angle = math.acos(cosine)
    sine = math.sin(angle)
    return math.sin((1 - t) * angle) / sine, math.sin(t * angle) / sine


def all_equal(stream: Stream, vectors: Vectors = lambda info, tensors: tensors) -> bool:
    """Tell whether all experts have the same tensor, which then needs no arithmetic."""
    chunks = (vectors(info, tensors) for info, tensors in stream)
    return all(
        bool((tensor == chunk[0]).all()) for chunk in chunks for tensor in chunk[1:]
    )
