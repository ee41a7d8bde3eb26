"""Model Stock: how far to trust the mean of the experts, told by their angles."""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from espnet_merge.methods._base import SITE, Method, Site, check_range

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ModelStock(Method):
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

    def __call__(
        self, deltas: Sequence["NDArray[Any]"], site: Site = SITE, /
    ) -> "NDArray[Any]":
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        first = deltas[0]
        width = first.shape[-1] if self.filter_wise and first.ndim else first.size
        ratio = self._ratio([delta.reshape(-1, width) for delta in deltas], site)
        mean = sum(deltas[1:], start=first) / first.dtype.type(len(deltas))
        rows = mean.reshape(-1, width) * ratio[:, None].astype(first.dtype)
        merged: NDArray[Any] = rows.reshape(first.shape)
        return merged

    def _ratio(self, rows: Sequence["NDArray[Any]"], site: Site) -> "NDArray[Any]":
        """Return t for each row."""
        import numpy as np

        def dots(a: "NDArray[Any]", b: "NDArray[Any]") -> "NDArray[Any]":
            return np.asarray(np.einsum("ij,ij->i", a, b, dtype=np.float64))

        norms = [np.sqrt(dots(row, row)) for row in rows]
        cosines = []
        for i, j in itertools.combinations(range(len(rows)), 2):
            product = np.maximum(norms[i] * norms[j], self.floor)
            product[product == 0] = 1
            cosines.append(np.clip(dots(rows[i], rows[j]) / product, -1, 1))
        cosine = np.mean(cosines, axis=0)
        count = len(rows)
        if self.clamp:
            below = int(np.count_nonzero(cosine < 0))
            if below:
                logging.getLogger(__name__).warning(
                    "model_stock: %s: t clamped to 0 in %d of %d rows, where the task"
                    " vectors point apart",
                    site.name,
                    below,
                    len(cosine),
                )
            cosine = np.maximum(cosine, 0)
        return np.asarray(count * cosine / (1 + (count - 1) * cosine))
