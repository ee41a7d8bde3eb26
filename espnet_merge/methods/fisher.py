"""Fisher: the mean of the experts, weighted by how much each entry matters to each."""

from dataclasses import dataclass
from typing import ClassVar

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.methods._base import NO_INFO, TensorInfo, check_range
from espnet_merge.methods._statistics import StatisticsMethod


@dataclass(frozen=True, kw_only=True)
class FisherMean(StatisticsMethod):
    r"""Average each entry, weighted by the Fisher information of each expert.

    .. math::
        \Delta = \frac{\sum_i w_i \tilde F_i \tau_i}{\sum_i w_i \tilde F_i}, \quad
        \tilde F_i = \frac{\max(F_i, \epsilon \bar F_i)}{\|F_i\|_2}

    with F the diagonal that :mod:`espnet_merge.statistics.fisher` collects, and its
    mean and its norm over the whole model. The same holds of the weights in place of
    the task vectors, since the coefficients of an entry sum to 1.

    Source: Matena and Raffel, *Merging Models with Fisher-Weighted Averaging*, NeurIPS
    2022, Sec. 2, https://arxiv.org/abs/2111.09832 [paper]; the norm as in the authors'
    code [code].
    Departures from it: the floor is a fraction of the mean of each expert's own F, and
    of every expert alike; the authors' code takes 1e-6 as it is, for the first expert
    only. So neither the scale of the loss nor the order of experts matters [ours].

    Args:
        statistics: Directories of kind fisher, one an expert.
        weights: w, one an expert, no unit, >= 0, not all 0; ones by default.
        floor: epsilon, no unit, in (0, 1]; what matters to no expert is averaged.
        normalize: Divide each F by its norm, so that no expert counts for its larger
            gradients.

    Raises:
        InputError: a value is out of its range.

    Example:
        With F of 3 and 1 for some entry, the deltas 4 and 0 become 3.
    """

    statistics_kind: ClassVar[str] = "fisher"

    floor: float = 1e-6
    normalize: bool = True

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        check_range("floor", self.floor, 0, 1, open_low=True)

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[i]``, or the chunk of them that begins at ``info.start``."""
        import numpy as np

        weights = self.normalised_weights(len(deltas))
        chunk = slice(info.start, info.start + deltas[0].size)
        merged, total = np.zeros_like(deltas[0]), np.zeros_like(deltas[0])
        for delta, weight, statistics in zip(deltas, weights, self.opened, strict=True):
            fisher = statistics.read(info.name, delta.dtype.name, chunk)
            mean, norm = statistics.facts["mean"], statistics.facts["norm"]
            scale = weight / norm if self.normalize else weight
            entries = np.maximum(fisher, self.floor * mean).reshape(delta.shape) * scale
            merged += entries * delta
            total += entries
        merged /= total
        return merged
