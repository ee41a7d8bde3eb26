"""DELLA: drop small entries more often than large ones, elect a sign, average."""

from dataclasses import dataclass
from typing import Literal

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.errors import InputError
from espnet_merge.methods._base import (
    NO_INFO,
    Method,
    TensorInfo,
    check_finite,
    check_range,
    expert_weights,
    row_length,
)
from espnet_merge.methods._random import random_bits
from espnet_merge.methods._select import merge_agreeing


@dataclass(frozen=True, kw_only=True)
class Della(Method):
    r"""Drop entries at random, small ones more often, and merge those that agree.

    .. math::
        \tilde\tau_{ij} = \frac{m_{ij}}{p_{ij}} \tau_{ij}, \quad
        m_{ij} \sim \mathrm{Bernoulli}(p_{ij}), \quad
        p_{ij} = d - \frac\epsilon2 + \epsilon \, \frac{r_{ij} + 1/2}{k}

    with :math:`r_{ij} = 0 \dots k-1` the rank of the entry by magnitude in its row of k
    entries; then the sign of the weighted sum is elected for each entry, and the
    entries of that sign are merged as in TIES.

    Source: Deep et al., *DELLA-Merging*, 2024, Sec. 3, https://arxiv.org/abs/2406.11617
    [paper]: probabilities linear in the rank, each entry rescaled by its own.
    Departures from it: the ranks are centred, so that the mean probability is d in
    rows of any length; a row is a slice of the first axis, and a vector is one row
    [ours]. mergekit rescales to the old L1 norm and takes a step of 2 epsilon.

    Args:
        density: d, mean fraction of entries kept, in (0, 1]; 0.5 [ours].
        epsilon: Span of the probabilities, >= 0, with d +- epsilon / 2 in (0, 1]; 0.2
            [ours].
        scale: lambda, no unit, finite; 1 [ours].
        seed: Any whole number; another seed gives other masks.
        consensus: ``mean`` over the agreeing experts or their ``sum``.
        weights: One weight an expert, no unit, >= 0; ones by default.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> tau = np.array([[3.0, 1.0], [1.0, -2.0]])
        >>> Della(density=1.0, epsilon=0.0)(tau).tolist()
        [2.0, -2.0]
    """

    density: float = 0.5
    epsilon: float = 0.2
    scale: float = 1.0
    seed: int = 0
    consensus: Literal["mean", "sum"] = "mean"
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("density", self.density, 0, 1, open_low=True)
        room = 2 * min(1 - self.density, self.density)
        check_range("epsilon", self.epsilon, 0, room + 1e-12)
        check_finite("scale", self.scale)
        check_finite("weights", *self.weights or ())
        if self.weights and min(self.weights) < 0:
            raise InputError(
                f"weights must be >= 0 for della, got {min(self.weights)};"
                " use task_arithmetic to subtract a task."
            )

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        weights = expert_weights(self.weights, len(deltas))
        kept = [self._drop(delta, info, i) for i, delta in enumerate(deltas)]
        mean = self.consensus == "mean"
        return self.scale * merge_agreeing(kept, weights, mean=mean)

    def _drop(
        self, delta: Float[Array, "*shape"], info: TensorInfo, expert: int
    ) -> Float[Array, "*shape"]:
        import numpy as np

        rows = delta.reshape(-1, row_length(info.shape or delta.shape))
        order = np.argsort(np.abs(rows), axis=1, kind="stable")
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(rows.shape[1])[None], axis=1)
        shift = self.epsilon * ((ranks + 0.5) / rows.shape[1] - 0.5)
        keep = np.maximum(self.density + shift, 2.0**-32)
        bits = random_bits(self.seed, info, expert, delta.size).reshape(rows.shape)
        factor = (bits < keep * 2.0**32) / keep
        return (rows * factor.astype(delta.dtype)).reshape(delta.shape)
