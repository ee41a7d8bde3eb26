"""NuSLERP: walk along the arc from one task vector to the other."""

import math
from dataclasses import dataclass
from typing import ClassVar

from espnet_merge.errors import InputError
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Stream,
    TwoPass,
    check_finite,
    expert_weights,
    weighted_sum,
)
from espnet_merge.methods._sphere import arc, dot_products, norms_and_cosines

# Sine below which the arc is a line: cosines in float64 tell sines to 2e-8.
COLLINEAR = 1e-7


@dataclass(frozen=True, kw_only=True)
class NuSlerp(TwoPass):
    r"""Interpolate two task vectors along the arc between their directions.

    .. math::
        \Delta = \frac{\sin((1-t)\,\omega)}{\sin\omega} \tau_1
        + \frac{\sin(t\,\omega)}{\sin\omega} \tau_2, \quad
        \cos\omega = \frac{\tau_1 \cdot \tau_2}{\|\tau_1\| \|\tau_2\|}, \quad
        t = \frac{w_2}{w_1 + w_2}

    Source: Goddard, *NuSLERP*, 2024, as in mergekit with a base model [code]: each
    tensor is one vector (``nuslerp_flatten``), the lengths are left in, and where the
    sine is below 1e-8 the line :math:`(1-t)\,\tau_1 + t\,\tau_2` replaces the arc.
    Without a base model mergekit interpolates the weights: that is ``slerp``.
    Departures from it: the angle comes from dot products in float64, and the line
    begins at a sine of 1e-7; a zero tensor, which has no direction, is on it too, and
    weights in sum 0 are refused, where mergekit takes a right angle and t = 1/2 [ours].

    Args:
        weights: One weight for each of the two experts, no unit, finite, in sum not 0;
            equal by default.

    Raises:
        InputError: a weight is not finite, or the weights sum to zero.

    Example:
        >>> import numpy as np
        >>> NuSlerp()(np.array([[1.0, 0.0], [0.0, 1.0]])).round(4).tolist()
        [0.7071, 0.7071]
    """

    min_experts: ClassVar[int] = 2
    max_experts: ClassVar[int | None] = 2

    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the weights."""
        check_finite("weights", *self.weights or ())
        if self.weights and math.isclose(sum(self.weights), 0.0, abs_tol=1e-12):
            raise InputError(
                f"weights must not sum to 0, got {self.weights}; change them."
            )

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Measure the angle between the two task vectors."""
        norms, cosines = norms_and_cosines(dot_products(stream))
        first, second = expert_weights(self.weights, len(norms))
        t = second / (first + second)
        cosine = float(cosines[0, 1])
        line = not norms.all() or 1 - cosine**2 < COLLINEAR**2
        coefficients = (1 - t, t) if line else arc(cosine, t)
        return lambda deltas, _: weighted_sum(coefficients, deltas)
