"""Soup: the weighted mean of the experts' weights."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.errors import InputError
from espnet_merge.methods._base import (
    NO_INFO,
    Method,
    TensorInfo,
    check_finite,
    expert_weights,
    weighted_sum,
)


@dataclass(frozen=True, kw_only=True)
class Soup(Method):
    r"""Average the weights of the experts.

    .. math:: \theta = \frac{\sum_i w_i \theta_i}{\sum_i w_i}

    Source: Wortsman et al., *Model soups*, ICML 2022, Sec. 2, the uniform soup,
    https://arxiv.org/abs/2203.05482 [paper].
    Departures from it: weights per expert, as mergekit's ``linear`` [code].

    Args:
        weights: One weight an expert, no unit, finite; equal by default.
        normalize: Divide by the sum of the weights, which must not be zero.

    Raises:
        InputError: a weight is not finite, or the sum to divide by is zero.

    Example:
        >>> import numpy as np
        >>> Soup()([np.array([1.0, 2.0]), np.array([3.0, 6.0])]).tolist()
        [2.0, 4.0]
    """

    space: ClassVar[Literal["deltas", "weights"]] = "weights"
    base: ClassVar[bool] = False
    propagates_nan: ClassVar[bool] = True
    weights: tuple[float, ...] | None = None
    normalize: bool = True

    def __post_init__(self) -> None:
        """Check the weights."""
        if self.weights is None:
            return
        check_finite("weights", *self.weights)
        if self.normalize and math.isclose(sum(self.weights), 0.0, abs_tol=1e-12):
            raise InputError(
                f"weights must not sum to 0 when normalize is true, got {self.weights};"
                " change them or set normalize=false."
            )

    def __call__(
        self, experts: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Average ``experts[i]``, the weights themselves; the base is not used."""
        weights = expert_weights(self.weights, len(experts))
        total = weighted_sum(weights, experts)
        if self.normalize:
            # Dividing last returns identical experts to the last bit or two.
            total /= sum(weights)
        return total
