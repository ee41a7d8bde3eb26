"""Singular subspaces of task vectors: their stable rank, and their overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.decompose import svd

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Subspaces:
    """The leading singular directions of one matrix.

    Args:
        left: (rows, k), orthonormal columns.
        right: (columns, k), orthonormal columns.
        stable_rank: Sum of the squared singular values over the largest of them, >= 1;
            NaN for a zero matrix, or one that may be rounding alone.
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


def subspaces_of(
    matrix: "NDArray[Any] | Factored", rank: int, floor: float = 0.0
) -> Subspaces:
    """Return up to ``rank`` leading directions of ``matrix``, dense or factored.

    Args:
        matrix: A task vector.
        rank: Number of directions at most.
        floor: Singular values up to it are dropped: they may be rounding alone.

    Example:
        >>> found = subspaces_of(np.diag([3.0, 1.0, 0.0]), rank=3)
        >>> found.left.shape, round(found.stable_rank, 3)
        ((3, 2), 1.111)
    """
    found = svd(matrix, rank).above(floor)
    squares = found.s**2
    stable = float(squares.sum() / squares[0]) if len(squares) else np.nan
    return Subspaces(found.u, found.v, stable)


def compare(found: Sequence[Subspaces]) -> Spectrum:
    """Return the overlap of the subspaces of every two experts."""
    left, left_random = _overlaps([subspaces.left for subspaces in found])
    right, right_random = _overlaps([subspaces.right for subspaces in found])
    ranks = np.array([subspaces.stable_rank for subspaces in found])
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
