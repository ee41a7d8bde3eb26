"""LiNeS: scale the task vectors up from shallow to deep layers."""

from dataclasses import dataclass
from typing import ClassVar

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.methods._base import (
    NO_INFO,
    Method,
    TensorInfo,
    check_finite,
    expert_weights,
    sum_scale,
    weighted_sum,
)


@dataclass(frozen=True, kw_only=True)
class Lines(Method):
    r"""Sum the task vectors with a scale that grows linearly with the layer.

    .. math::
        \Delta^{(l)} = \Big(\alpha + \beta \frac{l - 1}{L - 1}\Big)
        \sum_i w_i \tau_i^{(l)}, \quad l = 1 \dots L

    Source: Wang et al., *LiNeS: Post-training Layer Scaling Prevents Forgetting and
    Enhances Model Merging*, ICLR 2025, Sec. 4, https://arxiv.org/abs/2410.17146
    [paper]; tensors outside the layers take alpha, which is
    :math:`\|\sum_i \tau_i\|_1 / (n \|\tau\|_1)` for a merged vector :math:`\tau`, so
    1/n for the sum; beta is searched in [0, 1] on development data [code].
    Departures from it: encoder and decoder count their own layers, since their number
    may differ; a stack of one layer takes alpha; optional weights per expert, which
    leave alpha as it is [ours].

    Args:
        scale: :math:`\alpha`, scale of the first layer, no unit, finite; 1/n by
            default.
        beta: :math:`\beta`, what the last layer has more, no unit, finite, to be tuned;
            0.4 [ours].
        weights: One weight an expert, no unit, finite; ones by default.

    Raises:
        InputError: a value is not finite.

    Example:
        >>> import numpy as np
        >>> method = Lines(scale=0.2, beta=0.6)
        >>> places = [TensorInfo(layer=layer, depth=4) for layer in (0, 1, 3)]
        >>> [method(np.ones((1, 1)), place).item() for place in places]
        [0.2, 0.4, 0.8]
    """

    propagates_nan: ClassVar[bool] = True

    scale: float | None = None
    beta: float = 0.4
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the coefficients."""
        if self.scale is not None:
            check_finite("scale", self.scale)
        check_finite("beta", self.beta)
        check_finite("weights", *self.weights or ())

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        weights = expert_weights(self.weights, len(deltas))
        total = weighted_sum(weights, deltas)
        scale = sum_scale(self.scale, len(deltas))
        if info.layer is not None and info.depth > 1:
            scale += self.beta * info.layer / (info.depth - 1)
        total *= scale
        return total
