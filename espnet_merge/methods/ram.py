"""RAM: average what several experts changed, keep whole what one alone did."""

from dataclasses import dataclass
from typing import Literal

from espnet_merge.arrays import Array, Bool, ByExpert, Float, Int
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Scope,
    Stream,
    TensorInfo,
    TwoPass,
    check_finite,
    check_range,
    map_chunks,
)


@dataclass(frozen=True, kw_only=True)
class Ram(TwoPass):
    r"""Average entries that several experts changed, and stretch those of one alone.

    .. math::
        m_i = [\, |\tau_i| > \epsilon \,], \quad c = \sum_i m_i, \quad
        \Delta = \sum_i m_i \odot \tau_i \odot
        \begin{cases} \lambda_i & c = 1 \\ 1 / c & c > 1 \end{cases}, \quad
        \lambda_i = 1 + r \min\Big(\alpha,
        \frac{\#\{m_i = 1, c > 1\}}{\#\{m_i = 1, c = 1\}}\Big)

    Source: Yuan et al., *Behavior Knowledge Merge in Reinforced Agentic Models*, 2026,
    https://arxiv.org/abs/2601.13572 (RAM+, and with r = 0 RAM), as in mergekit [code]:
    its ``ramplus_tl`` counts within each tensor (``count="tensor"``), ``ram`` has no
    lambda. Made for reinforcement learning, which leaves most entries as they are.
    Departures from it: the counts are of the whole task vector, which mergekit's name
    for its own, tensor-local, implies of the paper [ours].

    Args:
        rescale: r, no unit, finite; 0.1 in mergekit [code].
        limit: alpha, the most that counts of the ratio, >= 0; 0.2 in mergekit [code].
        threshold: epsilon, what an entry that was changed exceeds, in units of weights,
            >= 0; 1e-5 in mergekit [code].
        count: What is counted over: all tensors (``global``) or each ``tensor``.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> tau = np.array([[4.0, 1.0, 0.0], [2.0, 0.0, 0.0]])
        >>> Ram(rescale=0.1, limit=2.0)(tau).round(6).tolist()
        [3.0, 1.1, 0.0]
    """

    rescale: float = 0.1
    limit: float = 0.2
    threshold: float = 1e-5
    count: Literal["global", "tensor"] = "global"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_finite("rescale", self.rescale)
        check_range("limit", self.limit, 0, float("inf"))
        check_range("threshold", self.threshold, 0, float("inf"))

    @property
    def scope(self) -> Scope:
        """What is counted over; without a rescaling nothing is."""
        if not self.rescale:
            return "entry"
        return "model" if self.count == "global" else "tensor"

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Count what each expert changed alone, and what with others."""
        import numpy as np

        factors = 1.0
        if self.rescale:
            shared, alone = sum(map_chunks(stream, self._counts))
            ratio = shared / np.maximum(alone, 1)
            factors = 1 + self.rescale * np.minimum(self.limit, ratio)

        def merge(deltas: ByExpert, _: TensorInfo) -> Float[Array, "*shape"]:
            changed, count = self._changed(deltas)
            total = deltas[0] * 0
            for delta, own, factor in zip(
                deltas, changed, np.broadcast_to(factors, len(deltas)), strict=True
            ):
                weight = np.where(count == 1, factor, 1 / np.maximum(count, 1))
                total += own * delta * weight.astype(delta.dtype)
            return total

        return merge

    def _changed(
        self, deltas: ByExpert
    ) -> tuple[list[Bool[Array, "*shape"]], Int[Array, "*shape"]]:
        """Return for each expert what it changed, and how many changed each entry."""
        changed = [abs(delta) > self.threshold for delta in deltas]
        return changed, sum(own.astype(int) for own in changed)

    def _counts(self, info: TensorInfo, deltas: ByExpert) -> Int[Array, "2 experts"]:
        import numpy as np

        del info
        changed, count = self._changed(deltas)
        parts = [(own & (count > 1), own & (count == 1)) for own in changed]
        return np.array([[np.count_nonzero(part) for part in pair] for pair in parts]).T
