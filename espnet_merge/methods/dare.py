"""DARE: drop entries of the task vectors at random and rescale the rest."""

from dataclasses import dataclass
from typing import Literal

from espnet_merge.arrays import Array, Bool, ByExpert, Float
from espnet_merge.errors import InputError
from espnet_merge.methods._base import (
    NO_INFO,
    Method,
    TensorInfo,
    check_finite,
    check_range,
    expert_weights,
)
from espnet_merge.methods._random import random_bits
from espnet_merge.methods._select import merge_agreeing


@dataclass(frozen=True, kw_only=True)
class Dare(Method):
    r"""Drop entries at random, rescale what is left, and sum, or merge as TIES does.

    .. math::
        \Delta = \lambda \sum_i w_i \frac{m_i \odot \tau_i}{d}, \quad
        m_i \sim \mathrm{Bernoulli}(d)

    or, with a ``consensus``, the sum or mean of those entries that have the sign of
    this sum (``dare_ties`` of mergekit and PEFT).

    Source: Yu et al., *Language Models are Super Mario*, ICML 2024, Sec. 3.2,
    https://arxiv.org/abs/2311.03099 [paper]: drop rate 1 - d, factor 1/d, then task
    arithmetic. The mean over seeds is task arithmetic. The paper also drops before
    TIES; here the sign is elected as in ``ties``, and nothing is trimmed [code].
    Departures from it: optional weights per expert, as in mergekit [code]; the masks
    come from a counter keyed by seed, number of the expert, tensor and entry [ours].
    mergekit rescales each tensor to its old L1 norm instead of by 1/d.

    Args:
        density: d, fraction of entries kept, in (0, 1]; 0.1 [ours].
        scale: :math:`\lambda`, no unit, finite, to be tuned; 0.5 as for
            ``task_arithmetic`` [ours].
        seed: Any whole number; another seed gives other masks.
        consensus: ``none`` sums all entries, ``sum`` those that have the elected sign;
            ``mean`` divides by the sum of their weights. mergekit's ``dare_ties`` sums,
            PEFT's takes the mean.
        weights: One weight an expert, no unit, finite, >= 0 with a consensus; ones by
            default.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> Dare(density=0.5, scale=1.0)(np.ones((1, 6))).tolist()
        [2.0, 0.0, 0.0, 2.0, 0.0, 0.0]
    """

    density: float = 0.1
    scale: float = 0.5
    seed: int = 0
    consensus: Literal["none", "mean", "sum"] = "none"
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("density", self.density, 0, 1, open_low=True)
        check_finite("scale", self.scale)
        check_finite("weights", *self.weights or ())
        if self.consensus != "none" and self.weights and min(self.weights) < 0:
            raise InputError(
                f"weights must be >= 0 for a consensus, got {min(self.weights)};"
                " use task_arithmetic to subtract a task."
            )

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        weights = expert_weights(self.weights, len(deltas))
        factor = self.scale / self.density
        if self.consensus != "none":
            kept = [x * self._keeps(x, info, i) for i, x in enumerate(deltas)]
            mean = self.consensus == "mean"
            return factor * merge_agreeing(kept, weights, mean=mean)
        total = deltas[0] * 0
        for i, (weight, delta) in enumerate(zip(weights, deltas, strict=True)):
            total += (weight * factor) * delta * self._keeps(delta, info, i)
        return total

    def _keeps(
        self, delta: Float[Array, "*shape"], info: TensorInfo, expert: int
    ) -> Bool[Array, "*shape"]:
        bits = random_bits(self.seed, info, expert, delta.size)
        return (bits < round(self.density * 2**32)).reshape(delta.shape)
