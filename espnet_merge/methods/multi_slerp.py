"""Multi-SLERP: the mean of many directions in one step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from espnet_merge.errors import InputError
from espnet_merge.methods._base import SITE, Method, Site, check_finite, expert_weights
from espnet_merge.methods._sphere import all_equal, combine, gram, norms_and_cosines

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class MultiSlerp(Method):
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

    def __call__(
        self, experts: Sequence["NDArray[Any]"], site: Site = SITE, /
    ) -> "NDArray[Any]":
        """Average ``experts[i]``, the weights; ``site.base`` serves ``on="deltas"``."""
        if self.on == "weights" or site.base is None:
            return self._mean(experts)
        deltas = [expert - site.base for expert in experts]
        merged: NDArray[Any] = site.base + self._mean(deltas)
        return merged

    def _mean(self, vectors: Sequence["NDArray[Any]"]) -> "NDArray[Any]":
        import numpy as np

        if all_equal(vectors):
            return combine([1.0], vectors[:1])
        weights = np.array(expert_weights(self.weights, len(vectors)), float)
        weights /= weights.sum()
        norms, cosines = norms_and_cosines(gram(vectors))
        length = math.sqrt(max(0.0, weights @ cosines @ weights))
        if length < 1e-8:
            return combine([0.0], vectors[:1])
        units = weights / np.where(norms > 0, norms, 1)
        return combine(units * (weights @ norms) / length, vectors)
