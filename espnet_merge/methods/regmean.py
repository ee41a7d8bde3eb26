"""RegMean: the linear layer whose outputs are nearest to those of all experts."""

from dataclasses import dataclass
from typing import ClassVar

from espnet_merge.arrays import Array, ByExpert, Float, Float64
from espnet_merge.checkpoint.statistics import Statistics
from espnet_merge.methods._base import NO_INFO, TensorInfo, check_range
from espnet_merge.methods._statistics import StatisticsMethod


@dataclass(frozen=True, kw_only=True)
class RegMean(StatisticsMethod):
    r"""Solve the regression of each linear layer on the outputs of its experts.

    .. math::
        \Delta^\top = \bar\tau^\top + \Bigl(\sum_i w_i \tilde G_i + \delta I\Bigr)^{-1}
            \sum_i w_i \tilde G_i (\tau_i - \bar\tau)^\top, \quad
        \tilde G = \alpha G + (1 - \alpha) \operatorname{diag} G

    with tau as it is stored, (out, in), and G the mean of x xᵀ over the inputs of the
    layer, which :mod:`espnet_merge.statistics.gram` collects. Where alpha is 1 and
    delta 0 it minimises :math:`\sum_i w_i \|X_i (\theta - \theta_i)^\top\|^2`. Tensors
    that are no linear layer's weight get the mean.

    Source: Jin et al., *Dataless Knowledge Fusion by Merging Weights of Language
    Models*, ICLR 2023, Sec. 3, https://arxiv.org/abs/2212.09849 [paper]; weights
    multiply G as in the authors' code [code].
    Departures from it: a step from the mean, the same in exact arithmetic where delta
    is 0; the ridge delta, which leaves directions that hardly any input has at the mean
    [ours]. Some inputs in Whisper have a billionth of the energy of others, and without
    a ridge their weights move by dozens of times the distance of the experts. The
    output projection is the token embedding and gets the mean [ours].

    Args:
        statistics: Directories of kind gram, one an expert.
        weights: w, one an expert, no unit, >= 0, not all 0; ones by default.
        off_diagonal: alpha, no unit, in [0, 1]; 0.1 in nine of the ten configurations
            of the authors that give a number [code], 0.9 in the other and in the paper.
        ridge: delta as a fraction of the mean diagonal of the sum, no unit, in (0, 1];
            1e-3 [ours].

    Raises:
        InputError: a value is out of its range.

    Example:
        With inputs of energy 3 and 1 for one column, its deltas 4 and 0 become 3.
    """

    statistics_kind: ClassVar[str] = "gram"

    off_diagonal: float = 0.1
    ridge: float = 1e-3

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        check_range("off_diagonal", self.off_diagonal, 0, 1)
        check_range("ridge", self.ridge, 0, 1, open_low=True)

    def is_matrix(self, info: TensorInfo) -> bool:
        """Tell whether the tensor is the weight of a linear layer."""
        return info.role == "linear"

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[i]``: matrices at a linear layer, chunks elsewhere."""
        import numpy as np

        weights = self.normalised_weights(len(deltas))
        mean = np.zeros_like(deltas[0])
        for delta, weight in zip(deltas, weights, strict=True):
            mean += weight * delta
        if not self.is_matrix(info) or mean.ndim != 2:
            return mean
        inputs = mean.shape[1]
        left, right = np.zeros((inputs, inputs)), np.zeros(mean.shape[::-1])
        parts = zip(deltas, weights, self.opened, strict=True)
        for delta, weight, statistics in parts:
            gram = weight * self._gram(statistics, info.name, inputs)
            left += gram
            right += gram @ (delta - mean).T
        # Where there was no input at all, any ridge leads to the mean.
        left += (self.ridge * left.trace() / inputs or 1.0) * np.eye(inputs)
        mean += np.linalg.solve(left, right).T
        return mean

    def _gram(
        self, statistics: Statistics, name: str, inputs: int
    ) -> Float64[Array, "inputs inputs"]:
        """Return the Gram matrix of ``name``, its other entries scaled down."""
        import numpy as np

        shared = statistics.facts["inputs"].get(name, name)
        gram = statistics.read(shared, "float64").reshape(inputs, inputs)
        scaled = self.off_diagonal * gram
        np.fill_diagonal(scaled, gram.diagonal())
        return scaled
