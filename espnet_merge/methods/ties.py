"""TIES: trim, elect a sign, and merge what agrees with it."""

from dataclasses import dataclass
from typing import Literal

from espnet_merge.arrays import Array, ByExpert, Float
from espnet_merge.errors import InputError
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Scope,
    Stream,
    TensorInfo,
    TwoPass,
    check_finite,
    check_range,
    expert_weights,
)
from espnet_merge.methods._select import Cut, cuts, merge_agreeing, thresholds


@dataclass(frozen=True, kw_only=True)
class Ties(TwoPass):
    r"""Trim small entries, elect a sign for each entry, merge those that agree.

    .. math::
        \tilde\tau_i = \mathrm{top}_{d}(\tau_i), \quad
        \gamma = \mathrm{sgn} \sum_i w_i \tilde\tau_i, \quad
        \Delta = \lambda \, \frac{\sum_{i \in A} w_i \tilde\tau_i}{\sum_{i \in A} w_i},
        \quad A = \{i : \mathrm{sgn}\,\tilde\tau_i = \gamma\}

    Source: Yadav et al., *TIES-Merging*, NeurIPS 2023, Sec. 3,
    https://arxiv.org/abs/2306.01708 [paper]. ``trim="global"`` follows the authors'
    code: the threshold is entry number int(d D) + 1 of the whole task vector, and
    entries equal to it stay. ``trim="tensor"`` follows mergekit: exactly int(d numel)
    entries of each tensor [code], at least one [ours].
    Departures from it: where the kept entries cancel to exactly zero the elected sign
    is plus, as in mergekit; the authors take the majority sign of the model.

    Args:
        density: d, fraction of entries kept, in (0, 1]; the paper takes 0.2.
        scale: :math:`\lambda`, no unit, finite; 1 in the paper where none is tuned.
        trim: The vector that is trimmed: all tensors as one (``global``), as in the
            paper, or each ``tensor``.
        consensus: ``mean`` over the agreeing experts or their ``sum``.
        weights: One weight an expert, no unit, >= 0; ones by default.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> tau = np.array([[4.0, 1.0, 2.0, 0.0], [2.0, 0.0, -3.0, 1.0]])
        >>> Ties(density=0.5, trim="tensor")(tau).tolist()
        [3.0, 0.0, -3.0, 0.0]
    """

    density: float = 0.2
    scale: float = 1.0
    trim: Literal["global", "tensor"] = "global"
    consensus: Literal["mean", "sum"] = "mean"
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("density", self.density, 0, 1, open_low=True)
        check_finite("scale", self.scale)
        check_finite("weights", *self.weights or ())
        if self.weights and min(self.weights) < 0:
            raise InputError(
                f"weights must be >= 0 for ties, got {min(self.weights)};"
                " use task_arithmetic to subtract a task."
            )

    @property
    def scope(self) -> Scope:
        """The vector that is trimmed."""
        return "model" if self.trim == "global" else "tensor"

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Find the entries of each expert that stay."""
        if self.trim == "global":
            kept = [Cut(threshold) for threshold in thresholds(stream, self.density)]
        else:
            count = cuts(stream, lambda size: [max(1, int(self.density * size))])
            kept = [cut for (cut,) in count]

        def merge(deltas: ByExpert, info: TensorInfo) -> Float[Array, "*shape"]:
            weights, mean = expert_weights(self.weights, len(deltas)), self.consensus
            return self.scale * merge_agreeing(
                deltas, weights, mean=mean == "mean", kept=kept, start=info.start
            )

        return merge
