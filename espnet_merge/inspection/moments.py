"""Sums over entries, from which norms, angles and conflicts of sign follow."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Moments:
    r"""Sums over the entries of tensors; those of several tensors add up.

    All but ``base`` are (experts, experts): row i and column j are about the task
    vectors :math:`\tau_i` and :math:`\tau_j`. What random signs would give is exact
    for any magnitudes, if the signs of the entries are independent of each other.

    Args:
        base: :math:`\sum \theta_0^2`.
        dots: :math:`\sum \tau_i \tau_j`.
        products: :math:`\sum |\tau_i \tau_j|`.
        squares: :math:`\sum \tau_i^2 \tau_j^2`.
        signs: :math:`\sum \mathrm{sgn}\,\tau_i \; \mathrm{sgn}\,\tau_j`.
        both: Number of entries that both experts move.

    Example:
        >>> tau = np.array([[3.0, 4.0, 0.0], [4.0, -3.0, 0.0]])
        >>> moments = moments_of(np.ones(3), tau)
        >>> moments.norms.tolist(), moments.conflict[0].tolist()
        ([5.0, 5.0], [0.0, 0.5])
    """

    base: float
    dots: "NDArray[Any]"
    products: "NDArray[Any]"
    squares: "NDArray[Any]"
    signs: "NDArray[Any]"
    both: "NDArray[Any]"

    def __add__(self, other: "Moments") -> "Moments":
        names = [field.name for field in fields(self)]
        return Moments(*(getattr(self, n) + getattr(other, n) for n in names))

    @property
    def norms(self) -> "NDArray[Any]":
        """Length of each task vector, in the unit of the weights."""
        return np.sqrt(np.diagonal(self.dots))

    @property
    def relative(self) -> "NDArray[Any]":
        """Length of each task vector as a fraction of that of the base."""
        return ratio(self.norms, np.full(len(self.norms), self.base) ** 0.5)

    @property
    def cosine(self) -> "NDArray[Any]":
        """Cosine between task vectors, in [-1, 1]; NaN where one is zero."""
        return ratio(self.dots, np.outer(self.norms, self.norms))

    @property
    def cosine_spread(self) -> "NDArray[Any]":
        """Standard deviation of ``cosine`` under random signs, whose mean is 0."""
        return ratio(np.sqrt(self.squares), np.outer(self.norms, self.norms))

    @property
    def conflict(self) -> "NDArray[Any]":
        """Fraction, of the entries that both move, of those moved apart, in [0, 1]."""
        return ratio(self.both - self.signs, 2 * self.both)

    @property
    def conflict_spread(self) -> "NDArray[Any]":
        """Standard deviation of ``conflict`` under random signs, whose mean is 1/2."""
        return ratio(np.ones_like(self.both), 2 * np.sqrt(self.both))

    @property
    def weighted_conflict(self) -> "NDArray[Any]":
        """``conflict`` with each entry weighted by the product of both magnitudes."""
        return ratio(self.products - self.dots, 2 * self.products)

    @property
    def weighted_spread(self) -> "NDArray[Any]":
        """Standard deviation of ``weighted_conflict`` under random signs."""
        return ratio(np.sqrt(self.squares), 2 * self.products)


def moments_of(base: "NDArray[Any]", deltas: "NDArray[Any]") -> Moments:
    """Return the sums over the flat ``base`` and ``deltas``, (experts, entries)."""
    base, deltas = base.astype(np.float64), deltas.astype(np.float64)
    sizes, signs = abs(deltas), np.sign(deltas)
    squares, moved = deltas**2, abs(signs)
    pairs = (x @ x.T for x in (deltas, sizes, squares, signs, moved))
    return Moments(float(base @ base), *pairs)


def ratio(above: "NDArray[Any]", below: "NDArray[Any]") -> "NDArray[Any]":
    """Divide; NaN where ``below`` is zero."""
    unknown: NDArray[Any] = np.full(np.shape(below), np.nan)
    np.divide(above, below, out=unknown, where=below > 0)
    return unknown
