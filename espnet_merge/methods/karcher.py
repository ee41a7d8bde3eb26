"""Karcher: the mean of the experts' directions on the sphere."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from espnet_merge.arrays import Array, Float64
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Stream,
    TwoPass,
    check_range,
    weighted_sum,
)
from espnet_merge.methods._sphere import all_equal, dot_products, norms_and_cosines


@dataclass(frozen=True, kw_only=True)
class Karcher(TwoPass):
    r"""Take the Riemannian mean of the directions, and the mean of the lengths.

    .. math::
        \theta = \bar\ell \, \arg\min_{\|u\|=1} \sum_i \arccos(u \cdot u_i)^2, \quad
        u_i = \theta_i / \|\theta_i\|, \quad \bar\ell = \frac1n \sum_i \|\theta_i\|

    by :math:`u \leftarrow \exp_u(\frac1n \sum_i \log_u u_i)` from the normalised mean.

    Source: Karcher, *Riemannian center of mass*, Comm. Pure Appl. Math. 30, 1977,
    Sec. 1 [paper]; tensor by tensor, with these limits of the iteration, as in
    mergekit [code].
    Departures from it: the iteration runs on dot products in float64, since u is a
    combination of the experts; a zero tensor has no direction and counts for its
    length only [ours]. Where the directions cancel, the walk starts at the first
    expert, as in mergekit, and the order of experts matters.

    Args:
        max_iter: Number of steps at most, >= 0; 10 as in mergekit [code].
        tol: Length of the step, in radians, below which the walk ends, > 0; 1e-5 as in
            mergekit [code].

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> merged = Karcher()(np.array([[3.0, 0.0], [0.0, 1.0]]))
        >>> merged.round(4).tolist()
        [1.4142, 1.4142]
    """

    space: ClassVar[Literal["deltas", "weights"]] = "weights"
    base: ClassVar[bool] = False

    max_iter: int = 10
    tol: float = 1e-5

    def __post_init__(self) -> None:
        """Check the limits."""
        check_range("max_iter", self.max_iter, 0, float("inf"))
        check_range("tol", self.tol, 0, 1, open_low=True)

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Find the coefficients of the experts; the base is not used."""
        import numpy as np

        if all_equal(stream):
            return lambda experts, _: weighted_sum([1.0], experts[:1])
        norms, cosines = norms_and_cosines(dot_products(stream))
        directions = norms > 0
        mean = np.zeros(len(norms))
        mean[directions] = self._mean(cosines[np.ix_(directions, directions)])
        mean[directions] /= norms[directions]
        coefficients = mean * norms.mean()
        return lambda experts, _: weighted_sum(coefficients, experts)

    def _mean(
        self, cosines: Float64[Array, "experts experts"]
    ) -> Float64[Array, " experts"]:
        """Return the coefficients of the mean of unit vectors, given their cosines."""
        import numpy as np

        def length(c: Float64[Array, " experts"]) -> float:
            return float(np.sqrt(max(0.0, c @ cosines @ c)))

        count = len(cosines)
        mean = np.full(count, 1 / count)
        if length(mean) <= self.tol:
            mean = np.eye(count)[0]
        mean = mean / length(mean)
        for _ in range(self.max_iter):
            dots = np.clip(cosines @ mean, -1, 1)
            sines = np.sqrt(1 - dots**2)
            # At the antipode all directions are equally short: it has no influence.
            ratio = np.where(sines > self.tol, np.arccos(dots), dots > 0)
            ratio = ratio / np.where(sines > self.tol, sines, 1) / count
            step = ratio - (ratio @ dots) * mean
            angle = length(step)
            if angle < self.tol:
                break
            mean = np.cos(angle) * mean + np.sin(angle) / angle * step
            mean = mean / length(mean)
        return mean
