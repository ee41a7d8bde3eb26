"""Iso-CTS: Iso-C that keeps directions of single tasks."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from espnet_merge.arrays import Array, Float, Float64, Matrices
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import double, like
from espnet_merge.linalg.decompose import RANK_TOLERANCE, Svd, add, norm, polar, svd
from espnet_merge.methods._align import leading
from espnet_merge.methods._base import TensorInfo, check_range
from espnet_merge.methods._rounding import floors
from espnet_merge.methods._spectral import Spectral


@dataclass(frozen=True, kw_only=True)
class IsoCts(Spectral):
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
    Directions below 1e-5 of the norm of the longest task vector, those that may be
    rounding alone, and those in which columns coincide, are dropped as in ``tsv_m``;
    rank freed by one task goes to the others, and the mean is over the directions that
    are kept. R is the rank of the sum that is left then, not the smaller side of the
    matrix: of adapters the sum has less rank than int(f R) of that, all of it would be
    common, and the result that of ``iso_c``. At full rank the two are one.

    Args:
        scale: :math:`\alpha`, no unit, finite; 1 in the paper.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).
        orthogonalise: As for ``tsv_m``: ``svd``, ``eigh`` or ``newton_schulz``.
        common_fraction: f, fraction of common directions, in [0, 1]; 0.8 in the paper.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> IsoCts()([np.diag([4.0, 0.0]), np.diag([0.0, 2.0])]).round(6)
        array([[3., 0.],
               [0., 3.]])
    """

    orthogonalise: Literal["svd", "eigh", "newton_schulz"] = "svd"
    common_fraction: float = 0.8

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        check_range("common_fraction", self.common_fraction, 0, 1)

    def merged(self, deltas: Matrices, info: TensorInfo) -> Factored:
        """Level common and own directions; ``info`` keeps them for other scales."""
        key = ("iso_cts", self.orthogonalise, self.common_fraction)
        return info.memoise(key, lambda: self._level(deltas, info))

    def _level(self, deltas: Matrices, info: TensorInfo) -> Factored:
        first, count = deltas[0], len(deltas)
        floor = RANK_TOLERANCE * max(norm(delta) for delta in deltas)
        rounding = floors(info, count)
        total = svd(add(deltas)).above(max(floor, math.hypot(*rounding)))
        own = round((total.rank - int(total.rank * self.common_fraction)) / count)
        own = min(own, total.rank // count)
        common = total.cut(total.rank - own * count)

        def decompose(task: int, count: int) -> Svd:
            rest = svd(without(deltas[task], common.u), count)
            return rest.above(max(floor, rounding[task]))

        parts = leading(decompose, count, own)
        kept = [*parts, common]
        values = [float(part.kept.sum()) for part in kept]
        mean = sum(values) / max(1, sum(part.rank for part in kept))
        u = polar([part.u for part in kept], self.orthogonalise)
        v = polar([part.v for part in kept], self.orthogonalise)
        return Factored(like(mean * u, first), like(v.T, first), 1.0)


def without(
    delta: Float[Array, "rows columns"], u: Float64[Array, "rows k"]
) -> Float[Array, "rows columns"]:
    """Project the columns of ``delta`` to what is orthogonal to those of ``u``."""
    if isinstance(delta, Factored):
        return replace(delta, b=without(delta.b, u))
    x = double(delta)
    return x - u @ (u.T @ x)
