"""Consensus: keep what several tasks need, and drop what one or none does."""

from dataclasses import dataclass

from espnet_merge.arrays import Array, Bool, ByExpert, Float
from espnet_merge.errors import InputError
from espnet_merge.methods._base import (
    NO_INFO,
    Method,
    TensorInfo,
    check_finite,
    check_range,
)
from espnet_merge.methods.emr import check_expert


@dataclass(frozen=True, kw_only=True)
class Consensus(Method):
    r"""Sum the task vectors where enough tasks find themselves in the sum.

    .. math::
        \tau = \sum_i \tau_i, \quad
        m_i = [\, |\tau_i| > \rho \, |\tau - \tau_i| \,], \quad
        \Delta = \lambda \, \tau \odot \Big[\sum_i m_i \ge k\Big]

    Source: Wang et al., *Localizing Task Information for Improved Model Merging and
    Compression*, ICML 2024, Sec. 3.2 and 4.2, https://arxiv.org/abs/2405.07813: TALL
    masks and Consensus Task Arithmetic [paper]; the inequality is strict [code].
    With ``expert`` the mask is :math:`m_t` of one task alone, by which the paper
    restores that task of the sum: a model of one expert, not of all.
    Departures from it: one ratio for all tasks, where the authors tune one a task on
    development data [ours].

    Args:
        ratio: :math:`\rho`, lambda of the TALL masks, >= 0; the paper searches
            0.2 to 0.6, of which 0.4 is the middle.
        agreement: k, least number of tasks that an entry must serve, >= 1; 2 in the
            paper.
        scale: :math:`\lambda`, no unit, finite, to be tuned; 0.5 as for
            ``task_arithmetic`` [ours]. 1 restores one expert.
        expert: t, number of the expert that is restored, from 1, in their order; none
            by default.

    Raises:
        InputError: a value is out of its range, or k or t exceeds the number of
            experts.

    Example:
        >>> import numpy as np
        >>> Consensus(ratio=0.4)(np.array([[1.0, 1.0, 0.0], [1.0, 9.0, 0.0]])).tolist()
        [1.0, 0.0, 0.0]
    """

    ratio: float = 0.4
    agreement: int = 2
    scale: float = 0.5
    expert: int | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("ratio", self.ratio, 0, float("inf"))
        check_range("agreement", self.agreement, 1, float("inf"))
        check_finite("scale", self.scale)
        if self.expert is not None:
            check_range("expert", self.expert, 1, float("inf"))

    def check_experts(self, count: int) -> None:
        """Raise ``InputError`` where ``count`` experts can never agree."""
        super().check_experts(count)
        if self.expert is not None:
            check_expert(self.expert, count)
        elif count < self.agreement:
            raise InputError(
                f"agreement of {self.agreement} needs as many experts, got {count};"
                " lower it or add experts."
            )

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        total = deltas[0] * 0
        for delta in deltas:
            total += delta
        if self.expert is not None:
            served = self._serves(deltas[self.expert - 1], total)
        else:
            votes = sum(self._serves(delta, total).astype(int) for delta in deltas)
            served = votes >= self.agreement
        return self.scale * total * served

    def _serves(
        self, delta: Float[Array, "*shape"], total: Float[Array, "*shape"]
    ) -> Bool[Array, "*shape"]:
        return abs(delta) > self.ratio * abs(total - delta)
