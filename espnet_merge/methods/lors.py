"""LoRS-Merging: a low-rank part and a sparse rest of each task vector."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from espnet_merge.methods._base import SITE, Method, Site, check_finite, check_range
from espnet_merge.methods._linalg import svd

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Lors(Method):
    r"""Compress each task vector to low rank plus sparse, then add them up.

    .. math::
        L_i = \mathrm{svd}_r(\tau_i), \quad S_i = \mathrm{top}_d(\tau_i - L_i), \quad
        \Delta = \lambda \sum_i (L_i + S_i)

    Source: Zhao et al., *LoRS-Merging*, 2025, Sec. 3, https://arxiv.org/abs/2502.17380
    and the authors' scripts [code]: only attention and feed-forward weights are
    compressed, all other tensors add their plain task vectors; exactly int(d numel)
    entries of the residual stay, not rescaled; r = int(ratio d_model), the same for
    the feed-forward weights.
    Departures from it: d_model is read off the tensor as its smaller side, equal in
    Whisper [ours].

    Args:
        scale: :math:`\lambda`, no unit, finite; 1/n in the paper.
        rank_ratio: r as a share of the smaller side, in [0, 1]; 0 keeps the sparse
            part alone.
        rank: r itself, >= 0; overrides ``rank_ratio``.
        density: d, share of the residual's entries kept, in [0, 1].
        compress: ``lors``, or an ablation: ``svp`` low rank only, ``mp`` the largest
            entries of the task vector only, ``none`` neither.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import torch
        >>> tau = torch.tensor([[9.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
        >>> Lors(rank=1, density=0.12)([tau])
        tensor([[9., 0., 0.],
                [0., 2., 0.],
                [0., 0., 0.]])
    """

    arrays: ClassVar[Literal["numpy", "torch"]] = "torch"

    scale: float = 1.0
    rank_ratio: float = 0.01
    rank: int | None = None
    density: float = 0.2
    compress: Literal["lors", "mp", "svp", "none"] = "lors"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_finite("scale", self.scale)
        check_range("rank_ratio", self.rank_ratio, 0, 1)
        check_range("density", self.density, 0, 1)
        if self.rank is not None:
            check_range("rank", self.rank, 0, float("inf"))

    def is_matrix(self, site: Site) -> bool:
        """Tell whether the task vectors at ``site`` are compressed."""
        return len(site.shape) == 2 and site.role == "linear"

    def __call__(self, deltas: Sequence["Tensor"], site: Site = SITE, /) -> "Tensor":
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        import torch

        total = torch.zeros_like(deltas[0])
        matrix = total.dim() == 2 and site.role == "linear"
        for delta in deltas:
            # In float64, so that the order of the residual's entries is right.
            total += self._compressed(delta.double()) if matrix else delta
        return self.scale * total

    def _compressed(self, delta: "Tensor") -> "Tensor":
        if self.compress == "none":
            return delta
        if self.compress == "mp":
            return largest(delta, self.density)
        full = min(delta.shape)
        rank = int(full * self.rank_ratio) if self.rank is None else self.rank
        if rank >= full:
            return delta
        low = svd(delta).cut(rank).dense()
        if self.compress == "svp":
            return low
        return low + largest(delta - low, self.density)


def largest(x: "Tensor", density: float) -> "Tensor":
    """Zero all but the ``int(density * numel)`` entries of largest magnitude."""
    import torch

    from espnet_merge.methods._select import keep_largest

    count = int(density * x.numel())
    return torch.from_numpy(keep_largest(x.cpu().numpy(), count)).to(x.device)
