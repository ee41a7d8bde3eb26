"""Breadcrumbs: drop the smallest and the largest entries of the task vectors."""

from dataclasses import dataclass

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Stream,
    TensorInfo,
    TwoPass,
    check_finite,
    check_range,
    expert_weights,
    weighted_sum,
)
from espnet_merge.methods._select import cuts, merge_agreeing


@dataclass(frozen=True, kw_only=True)
class Breadcrumbs(TwoPass):
    r"""Keep the entries of medium magnitude and sum them.

    .. math::
        \Delta = \lambda \sum_i w_i \, (m_i \odot \tau_i)

    where :math:`m_i` keeps, in each tensor of N entries, the int(d N) that follow the
    int(gamma N) of largest magnitude.

    Source: Davari and Belilovsky, *Model Breadcrumbs*, ECCV 2024, Sec. 3,
    https://arxiv.org/abs/2312.06795 [paper]; the defaults are those with which the
    authors' search begins, their beta, gamma and alpha [code]. The counts, the weights
    and the election of a sign (``breadcrumbs_ties``) follow mergekit 0.1.5: where
    d + gamma > 1 fewer of the largest are dropped [code].
    Departures from it: entries are counted over the tensor, as in mergekit, where the
    authors' code counts in each row of its last axis; a tensor keeps at least one entry
    [ours].

    Args:
        density: d, fraction of entries kept, in (0, 1]; the authors search 0.05 to 0.2.
        gamma: Fraction of entries, the largest, that are dropped, in [0, 1]; the
            authors search 0.001 to 0.01.
        sign_consensus: Drop the entries against the sign of the weighted sum.
        scale: :math:`\lambda`, no unit, finite; the authors search 0.01 to 1.
        weights: One weight an expert, no unit, finite; ones by default.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> tau = np.array([[9.0, -3.0, 2.0, 0.5]])
        >>> Breadcrumbs(density=0.5, gamma=0.25, scale=1.0)(tau).tolist()
        [0.0, -3.0, 2.0, 0.0]
    """

    density: float = 0.15
    gamma: float = 0.006
    sign_consensus: bool = False
    scale: float = 0.2
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("density", self.density, 0, 1, open_low=True)
        check_range("gamma", self.gamma, 0, 1)
        check_finite("scale", self.scale)
        check_finite("weights", *self.weights or ())

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Find the entries of medium magnitude of each expert."""
        limits = cuts(stream, self._counts)

        def merge(deltas: ByExpert, info: TensorInfo) -> Float[Array, "*shape"]:
            weights = expert_weights(self.weights, len(deltas))
            kept = []
            for delta, (largest, stay) in zip(deltas, limits, strict=True):
                size = abs(delta)
                middle = stay.keeps(size, info.start) > largest.keeps(size, info.start)
                kept.append(delta * middle)
            if self.sign_consensus:
                return self.scale * merge_agreeing(kept, weights, mean=False)
            return self.scale * weighted_sum(weights, kept)

        return merge

    def _counts(self, size: int) -> list[int]:
        """Return how many entries are too large, and how many those and the kept."""
        count = max(1, int(self.density * size))
        top = min(int(self.gamma * size), size - count)
        return [top, top + count]
