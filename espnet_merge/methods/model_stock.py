"""Model Stock: how far to trust the mean of the experts, told by their angles."""

import logging
from dataclasses import dataclass
from typing import ClassVar

from espnet_merge.arrays import Array, ByExpert, Float, Float64
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Scope,
    Stream,
    TensorInfo,
    TwoPass,
    check_range,
)
from espnet_merge.methods._sphere import dot_products


@dataclass(frozen=True, kw_only=True)
class ModelStock(TwoPass):
    r"""Move from the base towards the mean as far as the task vectors agree.

    .. math::
        \Delta = t \, \frac1n \sum_i \tau_i, \quad
        t = \frac{n \cos\theta}{1 + (n-1) \cos\theta}

    with :math:`\cos\theta` the mean cosine of the pairs of task vectors.

    Source: Jang et al., *Model Stock*, ECCV 2024, Sec. 4.2,
    https://arxiv.org/abs/2403.19522 [paper]; the mean over pairs, ``filter_wise`` by
    rows of the last axis, and products of norms raised to at least 1e-6, as in
    mergekit [code].
    Departures from it: t is clamped to [0, 1] with a warning, where the formula goes
    negative and explodes at :math:`\cos\theta = -1/(n-1)` [ours].

    Args:
        filter_wise: One t for each row instead of one for the tensor.
        clamp: Keep t in [0, 1].
        floor: Least product of two norms, >= 0. mergekit's 1e-6 pulls task vectors
            shorter than 1e-3 towards the base; 0 is the paper's formula.

    Raises:
        InputError: ``floor`` is negative.

    Example:
        >>> import numpy as np
        >>> ModelStock()(np.array([[1.0, 0.0], [1.0, 0.0]])).tolist()
        [1.0, 0.0]
        >>> ModelStock()(np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
        [0.0, 0.0]
    """

    min_experts: ClassVar[int] = 2

    filter_wise: bool = False
    clamp: bool = True
    floor: float = 1e-6

    def __post_init__(self) -> None:
        """Check the floor."""
        check_range("floor", self.floor, 0, float("inf"))

    @property
    def scope(self) -> Scope:
        """What t is of; the rows of a tensor are never cut."""
        return "entry" if self.filter_wise else "tensor"

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Find t of the tensor, or leave it to each of its rows."""
        if self.filter_wise:
            return lambda deltas, info: self._move(deltas, self._of_rows(deltas, info))
        dots = dot_products(stream)
        info, _ = next(iter(stream))
        ratio = self._ratio(dots[None], info)
        return lambda deltas, _: self._move(deltas, ratio)

    def _move(
        self, deltas: ByExpert, ratio: Float64[Array, " rows"]
    ) -> Float[Array, " entries"]:
        first = deltas[0]
        mean = sum(deltas[1:], start=first) / first.dtype.type(len(deltas))
        rows = mean.reshape(len(ratio), -1) * ratio[:, None].astype(first.dtype)
        return rows.ravel()

    def _of_rows(self, deltas: ByExpert, info: TensorInfo) -> Float64[Array, " rows"]:
        import numpy as np

        width = info.shape[-1] if info.shape else 1
        rows = np.stack([delta.reshape(-1, width) for delta in deltas], axis=1)
        dots = np.einsum("rik,rjk->rij", rows, rows, dtype=np.float64)
        return self._ratio(dots, info)

    def _ratio(
        self, dots: Float64[Array, "rows experts experts"], info: TensorInfo
    ) -> Float64[Array, " rows"]:
        """Return t for each Gram matrix of ``dots``."""
        import numpy as np

        count = dots.shape[1]
        i, j = np.triu_indices(count, 1)
        norms = np.sqrt(np.einsum("rii->ri", dots))
        product = np.maximum(norms[:, i] * norms[:, j], self.floor)
        product[product == 0] = 1
        cosine = np.clip(dots[:, i, j] / product, -1, 1).mean(axis=1)
        if self.clamp:
            below = int(np.count_nonzero(cosine < 0))
            if below:
                logging.getLogger(__name__).warning(
                    "model_stock: %s: t clamped to 0 in %d of %d rows, where the task"
                    " vectors point apart",
                    info.name,
                    below,
                    len(cosine),
                )
            cosine = np.maximum(cosine, 0)
        return np.asarray(count * cosine / (1 + (count - 1) * cosine))
