"""TSV-M: concatenate the leading singular vectors of the tasks and decorrelate them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from espnet_merge.methods._base import SITE, Method, Site, check_finite, check_range
from espnet_merge.methods._linalg import (
    is_spectral,
    leading,
    mean,
    recombine,
    svd,
)

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class TsvM(Method):
    r"""Keep the leading singular vectors of each task and orthogonalise them jointly.

    .. math::
        \tau_i \approx U_i S_i V_i^\top, \quad
        \hat U = [U_1 \dots U_n], \quad
        \Delta = \alpha \, \mathrm{polar}(\hat U) \, \mathrm{diag}(S_1 \dots S_n) \,
        \mathrm{polar}(\hat V)^\top

    Source: Gargiulo et al., *Task Singular Vectors*, CVPR 2025, Sec. 4.2,
    https://arxiv.org/abs/2412.00081, and the authors' code [code]: min(m, n') // n
    vectors a task; tensors that are not matrices take the mean of the task vectors.
    Departures from it [ours]: embeddings take the mean too (``spectral="linear"``).
    Directions below 1e-5 of the largest singular value over the tasks are dropped
    first, and the rank they free is shared: with budget k n, each task keeps
    min(rank, L) for the largest L within budget. Directions in which the columns
    coincide (singular value below 1e-6) are dropped from the polar factor. The
    published rule lets arbitrary null vectors in there; this one is a function of its
    input. Full-rank tasks in general position are not affected. ``newton_schulz`` is
    the five-step schedule of BoostedTSV-M (https://arxiv.org/abs/2603.05354)
    [paper; coefficients ours], exact to about 5 %.

    Args:
        scale: :math:`\alpha`, no unit, finite; 1 in the paper.
        orthogonalise: How the polar factor is computed: ``svd``, ``eigh`` of the Gram
            matrix, or ``newton_schulz``.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).
        rank_fraction: Share of the full rank kept for a task, in (0, 1]; 1/n by
            default. Above 1/n the columns cannot stay orthonormal: tune scale again.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import torch
        >>> one, two = torch.diag(torch.tensor([2.0, 0])), torch.zeros(2, 2)
        >>> two[1, 1] = 3
        >>> TsvM()([one, two])
        tensor([[2., 0.],
                [0., 3.]])
    """

    arrays: ClassVar[Literal["numpy", "torch"]] = "torch"

    scale: float = 1.0
    orthogonalise: Literal["svd", "eigh", "newton_schulz"] = "svd"
    spectral: Literal["linear", "all_2d"] = "linear"
    rank_fraction: float | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_finite("scale", self.scale)
        if self.rank_fraction is not None:
            check_range("rank_fraction", self.rank_fraction, 0, 1, open_low=True)

    def is_matrix(self, site: Site) -> bool:
        """Tell whether the tensor at ``site`` is decomposed."""
        return is_spectral(len(site.shape), site, self.spectral)

    def __call__(self, deltas: Sequence["Tensor"], site: Site = SITE, /) -> "Tensor":
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        first = deltas[0]
        if not is_spectral(first.dim(), site, self.spectral):
            return self.scale * mean(deltas)
        full = min(first.shape)
        fraction = self.rank_fraction
        each = full // len(deltas) if fraction is None else int(full * fraction)
        parts = leading([svd(delta) for delta in deltas], max(1, each))
        return (self.scale * recombine(parts, self.orthogonalise)).to(first.dtype)
