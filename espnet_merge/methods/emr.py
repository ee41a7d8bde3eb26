"""EMR-Merging: one task vector for all, masked and rescaled for each expert."""

from dataclasses import dataclass

from espnet_merge.arrays import Array, ByExpert, Float, Float64
from espnet_merge.errors import InputError
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Scope,
    Stream,
    TensorInfo,
    TwoPass,
    check_range,
    map_chunks,
)


@dataclass(frozen=True, kw_only=True)
class Emr(TwoPass):
    r"""Elect one task vector, and restore an expert of it by a mask and a factor.

    .. math::
        \gamma = \mathrm{sgn} \sum_i \tau_i, \quad
        \tau = \gamma \odot \max_i \, (\gamma \odot \tau_i)_+, \quad
        \Delta_t = \lambda_t \, [\gamma \odot \tau_t > 0] \odot \tau, \quad
        \lambda_t = \frac{\|\tau_t\|_1}{\|[\gamma \odot \tau_t > 0] \odot \tau\|_1}

    The result is the model of one expert, not of all: choose among them as a route
    does. What the method saves, the masks in place of the experts, is not written:
    each result is a whole model.

    Source: Huang et al., *EMR-Merging*, NeurIPS 2024, Sec. 3,
    https://arxiv.org/abs/2405.17461 [paper]; the sign is minus where the sum is zero,
    as in FusionBench [code].
    Departures from it: lengths are those of the whole task vector, as the paper writes
    them, where code divides each tensor's by its size; an expert of which the mask
    leaves nothing becomes the base [ours].

    Args:
        expert: t, number of the expert that is restored, from 1, in their order.

    Raises:
        InputError: ``expert`` is below 1, or exceeds the number of experts.

    Example:
        >>> import numpy as np
        >>> deltas = np.array([[1.0, 2.0, -1.0], [3.0, -1.0, 4.0]])
        >>> Emr(expert=1)(deltas).round(6).tolist()
        [2.4, 1.6, 0.0]
    """

    expert: int = 1

    def __post_init__(self) -> None:
        """Check the number."""
        check_range("expert", self.expert, 1, float("inf"))

    @property
    def scope(self) -> Scope:
        """The factor is of the whole task vector."""
        return "model"

    def check_experts(self, count: int) -> None:
        """Raise ``InputError`` where there is no such expert."""
        super().check_experts(count)
        check_expert(self.expert, count)

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Measure the expert, and what its mask leaves of the common task vector."""
        own, left = sum(map_chunks(stream, self._lengths))
        factor = own / left if left else 0.0
        return lambda deltas, _: self._masked(deltas) * deltas[0].dtype.type(factor)

    def _lengths(self, info: TensorInfo, deltas: ByExpert) -> Float64[Array, "2"]:
        import numpy as np

        del info
        vectors = deltas[self.expert - 1], self._masked(deltas)
        return np.array([abs(x).sum(dtype=np.float64) for x in vectors])

    def _masked(self, deltas: ByExpert) -> Float[Array, "*shape"]:
        """Return the entries of the common task vector that the expert agrees with."""
        import numpy as np

        total = deltas[0] * 0
        for delta in deltas:
            total += delta
        sign = np.where(total > 0, 1, -1).astype(total.dtype)
        largest = total * 0
        for delta in deltas:
            np.maximum(largest, sign * delta, out=largest)
        return sign * largest * (sign * deltas[self.expert - 1] > 0)


def check_expert(expert: int, count: int) -> None:
    """Raise ``InputError`` for the number of an expert, from 1, that is not there."""
    if expert > count:
        raise InputError(
            f"expert {expert} needs as many experts, got {count}; give a number from 1"
            f" to {count}."
        )
