"""DARE: drop entries of the task vectors at random and rescale the rest."""

from dataclasses import dataclass

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.methods._base import (
    NO_INFO,
    Method,
    TensorInfo,
    check_finite,
    check_range,
    expert_weights,
)
from espnet_merge.methods._random import random_bits


@dataclass(frozen=True, kw_only=True)
class Dare(Method):
    r"""Drop entries at random, rescale what is left, and sum.

    .. math::
        \Delta = \lambda \sum_i w_i \frac{m_i \odot \tau_i}{d}, \quad
        m_i \sim \mathrm{Bernoulli}(d)

    Source: Yu et al., *Language Models are Super Mario*, ICML 2024, Sec. 3.2,
    https://arxiv.org/abs/2311.03099 [paper]: drop rate 1 - d, factor 1/d, then task
    arithmetic. The mean over seeds is task arithmetic.
    Departures from it: optional weights per expert, as in mergekit [code]; the masks
    come from a counter keyed by seed, number of the expert, tensor and entry [ours].
    mergekit rescales each tensor to its old L1 norm instead of by 1/d.

    Args:
        density: d, fraction of entries kept, in (0, 1]; 0.1 [ours].
        scale: :math:`\lambda`, no unit, finite, to be tuned; 0.5 as for
            ``task_arithmetic`` [ours].
        seed: Any whole number; another seed gives other masks.
        weights: One weight an expert, no unit, finite; ones by default.

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
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("density", self.density, 0, 1, open_low=True)
        check_finite("scale", self.scale)
        check_finite("weights", *self.weights or ())

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        weights = expert_weights(self.weights, len(deltas))
        limit = round(self.density * 2**32)
        total = deltas[0] * 0
        for i, (weight, delta) in enumerate(zip(weights, deltas, strict=True)):
            bits = random_bits(self.seed, info, i, delta.size).reshape(delta.shape)
            total += (weight * self.scale / self.density) * delta * (bits < limit)
        return total
