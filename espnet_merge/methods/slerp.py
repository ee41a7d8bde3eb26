"""SLERP: walk along the arc from one expert to the other."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Stream,
    TensorInfo,
    TwoPass,
    check_range,
    weighted_sum,
)
from espnet_merge.methods._sphere import arc, dot_products, norms_and_cosines

# Beyond this cosine the arc is a line, and the sine too small to divide by.
COLLINEAR = 0.9995


@dataclass(frozen=True, kw_only=True)
class Slerp(TwoPass):
    r"""Interpolate two experts along the arc between their directions.

    .. math::
        \theta = \frac{\sin((1-t)\,\omega)}{\sin\omega} \theta_1
        + \frac{\sin(t\,\omega)}{\sin\omega} \theta_2, \quad
        \cos\omega = \frac{\theta_1 \cdot \theta_2}{\|\theta_1\| \|\theta_2\|}

    Source: Shoemake, *Animating rotation with quaternion curves*, SIGGRAPH 1985,
    Sec. 3.3; tensor by tensor as in mergekit [code]: each tensor is one vector, the
    lengths are left in, and where :math:`|\cos\omega| > 0.9995` the line
    :math:`(1-t)\,\theta_1 + t\,\theta_2` replaces the arc.
    Departures from it: the angle comes from dot products in float64, and a zero
    tensor, which has no direction, is on the line too [ours].

    Args:
        t: Place on the arc, in [0, 1]: 0 is the first expert, 1 the second.

    Raises:
        InputError: ``t`` is out of its range.

    Example:
        >>> import numpy as np
        >>> merged = Slerp(t=0.5)(np.array([[1.0, 0.0], [0.0, 1.0]]))
        >>> merged.round(4).tolist()
        [0.7071, 0.7071]
    """

    space: ClassVar[Literal["deltas", "weights"]] = "weights"
    base: ClassVar[bool] = False
    min_experts: ClassVar[int] = 2
    max_experts: ClassVar[int | None] = 2

    t: float = 0.5

    def __post_init__(self) -> None:
        """Check the parameter."""
        check_range("t", self.t, 0, 1)

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Measure the angle between the two experts; the base is not used."""
        norms, cosines = norms_and_cosines(dot_products(stream))
        cosine = float(cosines[0, 1])
        if abs(cosine) > COLLINEAR or not norms.all():
            return self._line
        coefficients = arc(cosine, self.t)
        return lambda experts, _: weighted_sum(coefficients, experts)

    def _line(self, experts: ByExpert, _: TensorInfo) -> Float[Array, "*shape"]:
        # Where the experts are equal, this form keeps the value to the last bit.
        first, second = experts
        return first + self.t * (second - first)
