"""BoostedTSV-M: lift the weak singular values of each task before TSV-M."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from espnet_merge.methods._base import SITE, Method, Site, check_finite, check_range
from espnet_merge.methods._linalg import (
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
class BoostedTsvM(Method):
    r"""Raise the tail of each task's spectrum to a floor, then merge as TSV-M does.

    .. math::
        c_j = \frac{\sum_{i \le j} e(\sigma_i)}{\sum_i e(\sigma_i)}, \quad
        j^* = \min \{j : c_j \ge \beta\}, \quad
        \tilde\sigma_j = \max(\sigma_j, \sigma_{j^*})

    for each task and matrix; then TSV-M with these singular values.

    Source: *BoostedTSV-M*, 2026, https://arxiv.org/abs/2603.05354 [paper], with
    Newton-Schulz for the polar factor [paper; coefficients ours].
    Departures from it [ours]: :math:`e(\sigma) = \sigma`, or its square, over the whole
    spectrum, before it is truncated. Only directions above 1e-5 of the largest are
    boosted, so that an adapter of rank r keeps rank r; what TSV-M here does with
    deficient ranks and with coinciding columns holds as well (``tsv_m``).

    Args:
        beta: :math:`\beta`, share of the energy above the floor, in (0, 1]; the paper
            searches [0.1, 1] and takes 0.3. 1 boosts nothing.
        energy: e, ``linear`` or ``squared``.
        scale: :math:`\alpha`, no unit, finite; 1 in the paper.
        orthogonalise: As for ``tsv_m``: ``svd``, ``eigh`` or ``newton_schulz``.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).
        rank_fraction: Share of the full rank kept for a task, in (0, 1]; 1/n by
            default.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import torch
        >>> boosted = BoostedTsvM(beta=0.5, orthogonalise="svd")
        >>> boosted([torch.diag(torch.tensor([3.0, 2.0, 1.0]))]).round(decimals=4)
        tensor([[3., 0., 0.],
                [0., 3., 0.],
                [0., 0., 3.]])
    """

    arrays: ClassVar[Literal["numpy", "torch"]] = "torch"

    beta: float = 0.3
    energy: Literal["linear", "squared"] = "linear"
    scale: float = 1.0
    orthogonalise: Literal["svd", "eigh", "newton_schulz"] = "newton_schulz"
    spectral: Literal["linear", "all_2d"] = "linear"
    rank_fraction: float | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("beta", self.beta, 0, 1, open_low=True)
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
        parts = leading([self._boost(svd(delta)) for delta in deltas], max(1, each))
        return (self.scale * recombine(parts, self.orthogonalise)).to(first.dtype)

    def _boost(self, part: Svd) -> Svd:
        if not len(part.s):
            return part
        energy = part.s if self.energy == "linear" else part.s**2
        shares = energy.cumsum(dim=0) / energy.sum()
        # In floating point the last share may miss 1: then the last is the floor.
        floor = min(int((shares < self.beta).sum()), len(part.s) - 1)
        return part._replace(s=part.s.clamp(min=float(part.s[floor])))
