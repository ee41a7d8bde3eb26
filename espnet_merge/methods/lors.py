"""LoRS-Merging: a low-rank part and a sparse rest of each task vector."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from espnet_merge.arrays import Array, ByExpert, Float, Matrices
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import double, library, like
from espnet_merge.linalg.decompose import Svd, add, svd
from espnet_merge.methods._base import (
    NO_INFO,
    Method,
    TensorInfo,
    check_finite,
    check_range,
    sum_scale,
)
from espnet_merge.methods._rounding import floors


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
    the feed-forward weights; ratio 0.01, d 0.2, and lambda 0.2 for five languages.
    Departures from it: d_model is read off the tensor as its smaller side, equal in
    Whisper; the low-rank part has no directions that may be rounding alone
    (``tsv_m``), and a task vector without further ones leaves no residual [ours].

    Args:
        scale: :math:`\lambda`, no unit, finite; 1/n by default.
        rank_ratio: r as a fraction of the smaller side, in [0, 1]; 0 keeps the sparse
            part alone.
        rank: r itself, >= 1; overrides ``rank_ratio``. ``mp`` keeps none.
        density: d, fraction of the residual's entries kept, in [0, 1].
        compress: ``lors``, or an ablation: ``svp`` low rank only, ``mp`` the largest
            entries of the task vector only, ``none`` neither.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> Lors(rank=1, density=0.12)([np.diag([9.0, 2.0, 1.0])]).round(6)
        array([[9., 0., 0.],
               [0., 2., 0.],
               [0., 0., 0.]])
    """

    arrays: ClassVar[Literal["numpy", "torch"]] = "torch"
    factored: ClassVar[bool] = True

    scale: float | None = None
    rank_ratio: float = 0.01
    rank: int | None = None
    density: float = 0.2
    compress: Literal["lors", "mp", "svp", "none"] = "lors"

    def __post_init__(self) -> None:
        """Check the parameters."""
        if self.scale is not None:
            check_finite("scale", self.scale)
        check_range("rank_ratio", self.rank_ratio, 0, 1)
        check_range("density", self.density, 0, 1)
        if self.rank is not None:
            check_range("rank", self.rank, 1, float("inf"))

    def is_matrix(self, info: TensorInfo) -> bool:
        """Tell whether the tensor at ``info`` is compressed."""
        linear = len(info.shape) == 2 and info.role == "linear"
        return linear and self.compress != "none"

    def __call__(
        self, deltas: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        if not info.shape:
            info = replace(info, shape=tuple(deltas[0].shape))
        scale = sum_scale(self.scale, len(deltas))
        if not self.is_matrix(info):
            return scale * sum(deltas)
        key = ("lors", self.rank_ratio, self.rank, self.density, self.compress)
        return scale * info.memoise(key, lambda: self._sum(deltas, info))

    def _sum(self, deltas: Matrices, info: TensorInfo) -> Float[Array, "rows columns"]:
        first = deltas[0]
        full = min(first.shape)
        rank = int(full * self.rank_ratio) if self.rank is None else self.rank
        if self.compress == "mp":
            rank = 0
        elif rank >= full:
            return like(dense(add(deltas)), first)
        # Other densities have the same low-rank parts.
        parts = info.memoise(("low_rank", rank), lambda: _low_rank(deltas, rank, info))
        total: Array = 0.0
        for delta, part in zip(deltas, parts, strict=True):
            low = part.dense()
            total = total + low
            # A task vector of no more rank leaves no residual but rounding. The factors
            # of an adapter are not multiplied out then.
            if self.compress != "svp" and rank < len(part.s):
                # In float64, so that the order of the residual's entries is right.
                total += sparse(double(dense(delta)) - low, self.density)
        return like(total, first)


def _low_rank(deltas: Matrices, rank: int, info: TensorInfo) -> list[Svd]:
    pairs = zip(deltas, floors(info, len(deltas)), strict=True)
    return [svd(delta, rank).above(floor) for delta, floor in pairs]


def dense(delta: Float[Array, "rows columns"]) -> Float[Array, "rows columns"]:
    """Multiply the factors, if there are any."""
    return delta.dense() if isinstance(delta, Factored) else delta


def sparse(x: Float[Array, "*shape"], density: float) -> Float[Array, "*shape"]:
    """Zero all but the ``int(density * size)`` entries of largest magnitude."""
    import numpy as np

    from espnet_merge.methods._select import keep_largest

    on_cpu = x if isinstance(x, np.ndarray) else x.cpu().numpy()
    kept = keep_largest(on_cpu, int(density * on_cpu.size))
    return library(x).asarray(kept, device=x.device)
