"""Singular subspaces of task vectors: how many directions, and whether shared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import eigh

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Directions below this share of the largest singular value are rounding.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Subspaces:
    """The leading singular directions of one matrix.

    Args:
        left: (rows, k), orthonormal columns.
        right: (columns, k), orthonormal columns.
        stable_rank: Sum of the squared singular values over the largest of them, >= 1;
            NaN for a zero matrix.
    """

    left: "NDArray[Any]"
    right: "NDArray[Any]"
    stable_rank: float


@dataclass(frozen=True)
class Spectrum:
    r"""What the subspaces of all experts say about one matrix.

    The overlap of two subspaces of dimensions k and l is the mean squared cosine of
    their principal angles, :math:`\|U_i^\top U_j\|_F^2 / \min(k, l)`: 0 if they are
    orthogonal, 1 if one holds the other. Independent uniform subspaces of a space of
    m dimensions have the mean overlap max(k, l) / m.

    Args:
        stable_rank: One an expert.
        left: Overlap of the left (output) subspaces, (experts, experts).
        right: Overlap of the right (input) subspaces.
        left_random: What independent uniform subspaces have.
        right_random: The same for the right ones.
    """

    stable_rank: "NDArray[Any]"
    left: "NDArray[Any]"
    right: "NDArray[Any]"
    left_random: "NDArray[Any]"
    right_random: "NDArray[Any]"


def leading(matrix: "NDArray[Any]", rank: int) -> Subspaces:
    """Return up to ``rank`` leading directions of ``matrix``.

    Through the smaller Gram matrix in float64, of which only these eigenvectors are
    computed.

    Example:
        >>> found = leading(np.diag([3.0, 1.0, 0.0]), rank=3)
        >>> found.left.shape, round(found.stable_rank, 3)
        ((3, 2), 1.111)
    """
    rows, columns = matrix.shape
    if rows < columns:
        turned = leading(matrix.T, rank)
        return Subspaces(turned.right, turned.left, turned.stable_rank)
    x = matrix.astype(np.float64)
    gram = x.T @ x
    rank = min(rank, columns)
    values, vectors = eigh(gram, subset_by_index=(columns - rank, columns - 1))
    largest = values[-1]
    keep = values > TOLERANCE**2 * largest if largest > 0 else values > 0
    right = vectors[:, keep][:, ::-1]
    left = x @ right / np.sqrt(values[keep][::-1])
    stable = float(np.trace(gram) / largest) if largest > 0 else np.nan
    return Subspaces(left, right, stable)


def leading_of_factors(b: "NDArray[Any]", a: "NDArray[Any]", rank: int) -> Subspaces:
    """Return up to ``rank`` leading directions of ``b @ a``, not multiplied out.

    Example:
        >>> b, a = np.array([[2.0], [0.0]]), np.array([[0.0, 3.0]])
        >>> abs(leading_of_factors(b, a, 4).right).tolist()
        [[0.0], [1.0]]
    """
    left, upper = np.linalg.qr(b.astype(np.float64))
    right, lower = np.linalg.qr(a.astype(np.float64).T)
    core = leading(upper @ lower.T, rank)
    return Subspaces(left @ core.left, right @ core.right, core.stable_rank)


def compare(found: Sequence[Subspaces]) -> Spectrum:
    """Return the overlap of the subspaces of every two experts."""
    left, left_random = _overlaps([each.left for each in found])
    right, right_random = _overlaps([each.right for each in found])
    ranks = np.array([each.stable_rank for each in found])
    return Spectrum(ranks, left, right, left_random, right_random)


def _overlaps(bases: Sequence["NDArray[Any]"]) -> "tuple[NDArray[Any], NDArray[Any]]":
    """Return the overlap of every two of ``bases``, and that of random ones."""
    found = np.full((len(bases), len(bases)), np.nan)
    random = np.full_like(found, np.nan)
    for i, one in enumerate(bases):
        for j, other in enumerate(bases):
            size, ranks = len(one), (one.shape[1], other.shape[1])
            if min(ranks):
                found[i, j] = np.linalg.norm(one.T @ other) ** 2 / min(ranks)
                random[i, j] = max(ranks) / size
    return found, random
