"""Iso-C: give all directions of the summed task vectors the same weight."""

import math
from dataclasses import dataclass
from typing import Literal

from espnet_merge.arrays import Matrices
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import like
from espnet_merge.linalg.decompose import add, newton_schulz, norm, svd
from espnet_merge.methods._base import TensorInfo
from espnet_merge.methods._rounding import floors
from espnet_merge.methods._spectral import Spectral

# Fraction of the largest singular value that a Gram matrix of float64 still resolves.
ROUNDING = 1e-7


@dataclass(frozen=True, kw_only=True)
class IsoC(Spectral):
    r"""Replace the singular values of the summed task vectors by their mean.

    .. math::
        \sum_i \tau_i = U \, \mathrm{diag}(\sigma_1 \dots \sigma_R) \, V^\top, \quad
        \Delta = \alpha \, \bar\sigma \, U V^\top

    Source: Marczak et al., *No Task Left Behind*, ICML 2025, Sec. 4.1,
    https://arxiv.org/abs/2502.04959, and the authors' code [code]: tensors that are not
    matrices take the mean of the task vectors.
    Departures from it [ours]: embeddings take the mean too (``spectral="linear"``).
    Directions are dropped that may be rounding alone, and the mean is over the others:
    the published rule gives arbitrary null vectors the same weight as what the experts
    learned, where the sum has less than full rank. Rounding is 1e-7 of the largest
    singular value or of the longest task vector, or what the types of the experts'
    files can do: the bounds of ``tsv_m``, squared and added. 1e-7 is lower than in
    ``tsv_m``, since here weak directions count as much as strong ones.

    Args:
        scale: :math:`\alpha`, no unit, finite; 1 in the paper.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).
        orthogonalise: U Vᵀ is exact (``svd`` or ``eigh``, here the same), or
            approached by ``newton_schulz``, which leaves weak directions weak.

    Raises:
        InputError: ``scale`` is not finite.

    Example:
        >>> import numpy as np
        >>> IsoC()([np.diag([4.0, 0.0]), np.diag([0.0, 2.0])]).round(6)
        array([[3., 0.],
               [0., 3.]])
    """

    orthogonalise: Literal["svd", "eigh", "newton_schulz"] = "svd"

    def merged(self, deltas: Matrices, info: TensorInfo) -> Factored:
        """Level the spectrum of the sum; ``info`` keeps it for other scales."""
        key = ("iso_c", self.orthogonalise)
        return info.memoise(key, lambda: self._level(deltas, info))

    def _level(self, deltas: Matrices, info: TensorInfo) -> Factored:
        first = deltas[0]
        floor = ROUNDING * max(norm(delta) for delta in deltas)
        # Errors of the experts are independent: their squares add up.
        floor = max(floor, math.hypot(*floors(info, len(deltas))))
        u, s, v = svd(add(deltas), tolerance=ROUNDING).above(floor)
        mean = float(s.sum()) / max(1, len(s))
        gains = (
            s * newton_schulz(s**2) if self.orthogonalise == "newton_schulz" else 1.0
        )
        return Factored(like(u * (mean * gains), first), like(v.T, first), 1.0)
