"""Task arithmetic: the scaled sum of the task vectors."""

from dataclasses import dataclass
from typing import ClassVar

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.methods._base import (
    NO_INFO,
    Method,
    TensorInfo,
    check_finite,
    expert_weights,
    weighted_sum,
)


@dataclass(frozen=True, kw_only=True)
class TaskArithmetic(Method):
    r"""Sum the task vectors and scale the sum.

    .. math:: \Delta = \lambda \sum_{i=1}^{n} w_i (\theta_i - \theta_0)

    Source: Ilharco et al., *Editing Models with Task Arithmetic*, ICLR 2023, Sec. 2,
    https://arxiv.org/abs/2212.04089 [paper].
    Departures from it: optional weights per expert, not normalised, as in mergekit
    [code].

    Args:
        scale: :math:`\lambda`, no unit, finite; chosen on development data. Negative
            values subtract the tasks. 0.5 [ours] suits three experts better than their
            mean, 1/3.
        weights: One weight an expert, no unit, finite; ones by default.

    Raises:
        InputError: ``scale`` or a weight is not finite.

    Example:
        >>> import numpy as np
        >>> TaskArithmetic(scale=0.5)(np.array([[2.0, 0.0], [0.0, 4.0]])).tolist()
        [1.0, 2.0]
    """

    propagates_nan: ClassVar[bool] = True

    scale: float = 0.5
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the coefficients."""
        check_finite("scale", self.scale)
        check_finite("weights", *self.weights or ())

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        weights = expert_weights(self.weights, len(deltas))
        total = weighted_sum(weights, deltas)
        total *= self.scale
        return total
