"""PCB: weigh each entry by its size and by its agreement with the other experts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from espnet_merge.arrays import Array, ByExpert, Float, Number
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Scope,
    Stream,
    TensorInfo,
    TwoPass,
    check_finite,
    check_range,
)
from espnet_merge.methods._order_statistics import Mapped, order_statistics

# Fraction of the magnitudes that is clipped at either end.
CLIPPED = {"language": 0.0001, "vision": 0.01}


@dataclass(frozen=True, kw_only=True)
class Pcb(TwoPass):
    r"""Balance the experts entry by entry, and keep only what scores best.

    .. math::
        P_i = e^{n \hat\tau_i^2} \tanh\Big(\tau_i \sum_j \tau_j\Big), \quad
        s_i = \mathrm{minmax}(\max(P_i, q_{1-d}(P_i))), \quad
        \Delta = \lambda \frac{\sum_i s_i \tilde\tau_i}{\max(\sum_i s_i, 10^{-12})}

    with :math:`\tilde\tau_i` clipped at two quantiles of the magnitude, and
    :math:`\hat\tau_i = \mathrm{minmax}\,|\tilde\tau_i|`, all of the whole task vector.

    Source: Du et al., *Parameter Competition Balancing for Model Merging*, NeurIPS
    2024, Sec. 3, https://arxiv.org/abs/2410.02396, and the authors' two scripts [code]:
    ``language`` clips the outer 0.01 % at each end; ``vision`` clips 1 % and takes
    :math:`\sum_j \mathrm{sgn}(\tau_j) \hat\tau_j` for the sum inside tanh.
    Departures from it: a factor :math:`e^{-n}`, which cancels, keeps many experts from
    overflow; a constant is 0 after minmax [ours].

    Args:
        density: d, fraction of entries that score above zero, in (0, 1].
        scale: :math:`\lambda`, no unit, finite; 1.2 in the authors' scripts.
        variant: The script that is followed, ``language`` or ``vision``.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> tau = np.array([[4.0, 1.0, 2.0, 0.0], [3.0, 1.0, -2.0, 0.0]])
        >>> Pcb(density=0.5, scale=1.0)(tau).round(3).tolist()
        [2.0, 0.0, 0.0, 0.0]
    """

    density: float = 0.05
    scale: float = 1.2
    variant: Literal["language", "vision"] = "language"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("density", self.density, 0, 1, open_low=True)
        check_finite("scale", self.scale)

    @property
    def scope(self) -> Scope:
        """Quantiles are of the whole task vector."""
        return "model"

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Find the quantiles of each expert's magnitudes and of its scores."""
        import numpy as np

        limits = order_statistics(stream, self._clipping, magnitudes=True)
        scores = Mapped(stream, lambda deltas: self._scores(deltas, limits))
        ends = order_statistics(
            scores, lambda size: [int(size * (1 - self.density)), size - 1]
        )

        def merge(deltas: ByExpert, info: TensorInfo) -> Float[Array, "*shape"]:
            total = deltas[0] * 0
            divisor = deltas[0] * 0
            parts = zip(deltas, self._scores(deltas, limits), limits, ends, strict=True)
            for delta, score, limit, end in parts:
                weight = _minmax(score, *end)
                total += weight * np.sign(delta) * abs(delta).clip(*limit)
                divisor += weight
            total *= self.scale / divisor.clip(1e-12)
            return total

        return merge

    def _clipping(self, size: int) -> list[int]:
        clipped = CLIPPED[self.variant]
        low = int(size * clipped)
        return [low, max(low, int(size * (1 - clipped) - 1))]

    def _scores(
        self, deltas: ByExpert, limits: Sequence[Sequence[Any]]
    ) -> Iterator[Float[Array, "*shape"]]:
        import numpy as np

        sizes = [_minmax(abs(d), *ends) for d, ends in zip(deltas, limits, strict=True)]
        others: Any = sum(deltas)
        if self.variant == "vision":
            others = sum(np.sign(d) * s for d, s in zip(deltas, sizes, strict=True))
        for delta, size in zip(deltas, sizes, strict=True):
            intra = np.exp(len(deltas) * (size * size - 1))
            yield intra * np.tanh(delta * others)


def _minmax(
    x: Float[Array, "*shape"], low: Number, high: Number
) -> Float[Array, "*shape"]:
    """Clip to the limits, then map them to 0 and 1."""
    return (x.clip(low, high) - low) / (high - low or 1)
