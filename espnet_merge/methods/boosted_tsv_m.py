"""BoostedTSV-M: lift the weak singular values of each task before TSV-M."""

from dataclasses import dataclass
from typing import Literal

from espnet_merge.arrays import Array, Float64
from espnet_merge.methods._base import check_range
from espnet_merge.methods.tsv_m import TsvM


@dataclass(frozen=True, kw_only=True)
class BoostedTsvM(TsvM):
    r"""Raise the tail of each task's spectrum to a floor, then merge as TSV-M does.

    .. math::
        c_j = \frac{\sum_{i \le j} e(\sigma_i)}{\sum_i e(\sigma_i)}, \quad
        j^* = \min \{j : c_j \ge \beta\}, \quad
        \tilde\sigma_j = \max(\sigma_j, \sigma_{j^*})

    for each task and matrix; then TSV-M with these singular values.

    Source: *BoostedTSV-M*, 2026, https://arxiv.org/abs/2603.05354 [paper], with
    Newton-Schulz for the polar factor [paper; coefficients ours].
    Departures from it [ours]: :math:`e(\sigma) = \sigma`, or its square, over the whole
    spectrum, before it is truncated. Only directions above 1e-5 of the largest and
    above rounding are boosted, so that an adapter of rank r keeps rank r; what TSV-M
    here does with rounding, deficient ranks and coinciding columns holds as well
    (``tsv_m``).

    Args:
        scale: :math:`\alpha`, no unit, finite; 1 in the paper.
        spectral: As for ``tsv_m``: ``linear`` or ``all_2d``.
        orthogonalise: As for ``tsv_m``: ``svd``, ``eigh`` or ``newton_schulz``.
        rank_fraction: As for ``tsv_m``, in (0, 1]; 1/n by default.
        beta: :math:`\beta`, fraction of the energy above the floor, in (0, 1]; the
            paper searches [0.1, 1] and takes 0.3. 1 boosts nothing.
        energy: e, ``linear`` or ``squared``.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> boosted = BoostedTsvM(beta=0.5, orthogonalise="svd")
        >>> boosted([np.diag([3.0, 2.0, 1.0])]).round(4)
        array([[3., 0., 0.],
               [0., 3., 0.],
               [0., 0., 3.]])
    """

    orthogonalise: Literal["svd", "eigh", "newton_schulz"] = "newton_schulz"
    beta: float = 0.3
    energy: Literal["linear", "squared"] = "linear"

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        check_range("beta", self.beta, 0, 1, open_low=True)

    def spectrum(self, s: Float64[Array, " rank"]) -> Float64[Array, " rank"]:
        """Lift the singular values of a task to the floor."""
        if not len(s):
            return s
        energy = s if self.energy == "linear" else s**2
        cumulative = energy.cumsum(0) / energy.sum()
        # In floating point the last may miss 1: then the last value is the floor.
        floor = min(int((cumulative < self.beta).sum()), len(s) - 1)
        return s.clip(float(s[floor]))
