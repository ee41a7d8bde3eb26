"""Multi-SLERP: the mean of many directions in one step."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from espnet_merge.arrays import Array, ByExpert, Float, Float64
from espnet_merge.errors import InputError
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Stream,
    TensorInfo,
    TwoPass,
    check_finite,
    expert_weights,
    weighted_sum,
)
from espnet_merge.methods._sphere import all_equal, dot_products, norms_and_cosines


@dataclass(frozen=True, kw_only=True)
class MultiSlerp(TwoPass):
    r"""Average the directions of the experts and, apart from them, their lengths.

    .. math::
        \theta = \Big(\sum_i w_i \|\theta_i\|\Big) \frac{m}{\|m\|}, \quad
        m = \sum_i w_i \frac{\theta_i}{\|\theta_i\|}, \quad \sum_i w_i = 1

    Source: Goddard, *Multi-SLERP*, 2024, as in mergekit [code]: barycentric
    interpolation in the tangent space at m, then the exponential map. mergekit takes
    :math:`u_i - (u_i \cdot \hat m)\,\hat m` for the logarithm; these sum to exactly
    zero at the weighted mean, so the formula above is what is computed there.
    Departures from it: the step that moves nothing is left out; a zero tensor has no
    direction and counts for its length only; where the directions cancel the result
    is zero (mergekit refuses both, with three experts) [ours].

    Args:
        weights: One weight an expert, no unit, finite, divided by their sum, which
            must not be zero; equal by default.
        on: What the directions are of: the ``weights`` of the experts, or the
            ``deltas`` from the base, to which the result is added.

    Raises:
        InputError: a weight is not finite, or the weights sum to zero.

    Example:
        >>> import numpy as np
        >>> merged = MultiSlerp()(np.array([[3.0, 0.0], [0.0, 1.0]]))
        >>> merged.round(4).tolist()
        [1.4142, 1.4142]
    """

    space: ClassVar[Literal["deltas", "weights"]] = "weights"

    weights: tuple[float, ...] | None = None
    on: Literal["weights", "deltas"] = "weights"

    def __post_init__(self) -> None:
        """Check the weights."""
        if self.weights is None:
            return
        check_finite("weights", *self.weights)
        if math.isclose(sum(self.weights), 0.0, abs_tol=1e-12):
            raise InputError(
                f"weights must not sum to 0, got {self.weights}; change them."
            )

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Find the coefficients of the experts, or of their deltas from the base."""
        coefficients = self._coefficients(stream)

        def merge(experts: ByExpert, info: TensorInfo) -> Float[Array, "*shape"]:
            merged = weighted_sum(coefficients, self._vectors(info, experts))
            if self._on_deltas(info):
                merged += info.base
            return merged

        return merge

    def _on_deltas(self, info: TensorInfo) -> bool:
        return self.on == "deltas" and info.base is not None

    def _vectors(self, info: TensorInfo, experts: ByExpert) -> ByExpert:
        if self._on_deltas(info):
            return [expert - info.base for expert in experts]
        return experts

    def _coefficients(self, stream: Stream) -> Float64[Array, " experts"]:
        """Return the coefficient of each vector."""
        import numpy as np

        dots = dot_products(stream, self._vectors)
        if all_equal(stream, self._vectors):
            return np.asarray(np.eye(len(dots))[0])
        weights = np.array(expert_weights(self.weights, len(dots)), float)
        weights /= weights.sum()
        norms, cosines = norms_and_cosines(dots)
        length = math.sqrt(max(0.0, weights @ cosines @ weights))
        if length < 1e-8:
            return np.zeros(len(dots))
        units = weights / np.where(norms > 0, norms, 1)
        return np.asarray(units * (weights @ norms) / length)
