"""Iso-C: give all directions of the summed task vectors the same weight."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from espnet_merge.methods._base import SITE, Method, Site, check_finite
from espnet_merge.methods._linalg import is_spectral, mean, newton_schulz, svd

if TYPE_CHECKING:
    from torch import Tensor

# Share of the largest that float64 arithmetic on a Gram matrix still resolves.
ROUNDING = 1e-7


@dataclass(frozen=True, kw_only=True)
class IsoC(Method):
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
    singular value or of the longest task vector, or what float32 can do to n experts
    of this base, :math:`2^{-24} n \|\theta_0\|_F / \sqrt R`. The bound is lower than in
    ``tsv_m``, since here weak directions count as much as strong ones.

    Args:
        scale: :math:`\alpha`, no unit, finite; 1 in the paper.
        orthogonalise: How U Vᵀ is computed: ``svd``, ``eigh`` (here the same), or
            ``newton_schulz``, which leaves weak directions weak.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).

    Raises:
        InputError: ``scale`` is not finite.

    Example:
        >>> import torch
        >>> one, two = torch.diag(torch.tensor([4.0, 0])), torch.zeros(2, 2)
        >>> two[1, 1] = 2
        >>> IsoC()([one, two])
        tensor([[3., 0.],
                [0., 3.]])
    """

    arrays: ClassVar[Literal["numpy", "torch"]] = "torch"

    scale: float = 1.0
    orthogonalise: Literal["svd", "eigh", "newton_schulz"] = "svd"
    spectral: Literal["linear", "all_2d"] = "linear"

    def __post_init__(self) -> None:
        """Check the scale."""
        check_finite("scale", self.scale)

    def is_matrix(self, site: Site) -> bool:
        """Tell whether the tensor at ``site`` is decomposed."""
        return is_spectral(len(site.shape), site, self.spectral)

    def __call__(self, deltas: Sequence["Tensor"], site: Site = SITE, /) -> "Tensor":
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        import torch

        first = deltas[0]
        if not is_spectral(first.dim(), site, self.spectral):
            return self.scale * mean(deltas)
        matrices = torch.stack(list(deltas)).double()
        total = matrices.sum(dim=0)
        floor = ROUNDING * float(torch.linalg.matrix_norm(matrices).max())
        if site.base is not None:
            size = float(torch.linalg.matrix_norm(site.base.double()))
            share = len(deltas) / math.sqrt(min(total.shape))
            floor = max(floor, 2**-24 * share * size)
        part = svd(total, ROUNDING).above(floor)
        if not len(part.s):
            return torch.zeros_like(first)
        # The eigenvalues of a Gram matrix are not exact enough for weak directions.
        lengths = torch.linalg.vector_norm(part.u, dim=0)
        factor = (part.u / lengths) @ part.v.T
        if self.orthogonalise == "newton_schulz":
            wide = total.shape[0] <= total.shape[1]
            factor = newton_schulz(total) if wide else newton_schulz(total.T).T
        merged: Tensor = self.scale * (part.s * lengths).mean() * factor
        return merged.to(first.dtype)
