"""Iso-CTS: Iso-C with room for what only one task needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from espnet_merge.methods._base import SITE, Method, Site, check_finite, check_range
from espnet_merge.methods._linalg import (
    RANK_TOLERANCE,
    Svd,
    is_spectral,
    leading,
    mean,
    recombine,
    svd,
)

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class IsoCts(Method):
    r"""Join the common directions of the tasks with some of each task's own.

    .. math::
        \sum_i \tau_i \approx U_c S_c V_c^\top, \quad
        \tau_i - U_c U_c^\top \tau_i \approx U_i S_i V_i^\top, \quad
        \Delta = \alpha \, \bar\sigma \, \mathrm{polar}([U_1 \dots U_n \, U_c]) \,
        \mathrm{polar}([V_1 \dots V_n \, V_c])^\top

    with :math:`\bar\sigma` the mean of the singular values of all parts.

    Source: Marczak et al., *No Task Left Behind*, ICML 2025, Sec. 4.2,
    https://arxiv.org/abs/2502.04959, and the authors' code [code]: int(f R) common
    directions of R, and round((R - int(f R)) / n), halves to even, for each task; what
    is left over by rounding is common again. Tensors that are not matrices take the
    mean. ``newton_schulz`` as in https://arxiv.org/abs/2603.05354 [paper].
    Departures from it [ours]: embeddings take the mean too (``spectral="linear"``).
    Directions below 1e-5 of the norm of the longest task vector, and those in which
    columns coincide, are dropped as in ``tsv_m``; rank freed by one task goes to the
    others, and the mean is over the directions that are kept.

    Args:
        scale: :math:`\alpha`, no unit, finite; 1 in the paper.
        common_fraction: f, share of common directions, in [0, 1]; 0.8 in the paper.
        orthogonalise: As for ``tsv_m``: ``svd``, ``eigh`` or ``newton_schulz``.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import torch
        >>> one, two = torch.diag(torch.tensor([4.0, 0])), torch.zeros(2, 2)
        >>> two[1, 1] = 2
        >>> IsoCts()([one, two])
        tensor([[3., 0.],
                [0., 3.]])
    """

    arrays: ClassVar[Literal["numpy", "torch"]] = "torch"

    scale: float = 1.0
    common_fraction: float = 0.8
    orthogonalise: Literal["svd", "eigh", "newton_schulz"] = "svd"
    spectral: Literal["linear", "all_2d"] = "linear"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_finite("scale", self.scale)
        check_range("common_fraction", self.common_fraction, 0, 1)

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
        floor = RANK_TOLERANCE * float(torch.linalg.matrix_norm(matrices).max())
        full, count = min(first.shape), len(deltas)
        each = round((full - int(full * self.common_fraction)) / count)
        each = min(each, full // count)
        common = svd(matrices.sum(dim=0)).above(floor).cut(full - each * count)
        parts = [
            svd(tau - common.u @ (common.u.T @ tau)).above(floor) for tau in matrices
        ]
        kept = [*leading(parts, each), common]
        s = torch.cat([part.s for part in kept])
        if not len(s):
            return torch.zeros_like(first)
        flat = [Svd(u, s.mean().expand(len(own)), v) for u, own, v in kept]
        return (self.scale * recombine(flat, self.orthogonalise)).to(first.dtype)
