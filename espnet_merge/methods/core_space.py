"""Core Space: merge adapters as the small matrices that tell them apart."""

from dataclasses import dataclass

from espnet_merge.arrays import Array, Float, Float64, Matrices
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import double, library, like
from espnet_merge.linalg.decompose import svd
from espnet_merge.methods._base import TensorInfo
from espnet_merge.methods._rounding import floors
from espnet_merge.methods._spectral import TiesInBasis


@dataclass(frozen=True, kw_only=True)
class CoreSpace(TiesInBasis):
    r"""Project adapters to the space of all their factors, and merge by TIES there.

    .. math::
        [B_1 \dots B_n] = U \, \cdot \, \cdot^\top, \quad
        [A_1^\top \dots A_n^\top] = V \, \cdot \, \cdot^\top, \quad
        M_i = U^\top B_i A_i V, \quad
        \Delta = \lambda \, U \, \mathrm{TIES}(M_1, \dots, M_n) \, V^\top

    with U and V the left singular vectors, so that nothing is lost: :math:`\tau_i = U
    M_i V^\top`, and all work is on matrices of n r rows.

    Source: Panariello et al., *Accurate and Efficient Low-Rank Model Merging in Core
    Space*, NeurIPS 2025, https://arxiv.org/abs/2509.17786 [paper, code]. Of the
    methods that they carry into this space, summing and those that see singular
    values alone (``tsv_m``, ``iso_c``) give what they give outside, and do so here on
    the factors; TIES depends on the basis.
    Departures from it [ours]: directions below 1e-5 of the largest are dropped from U
    and V, and alpha / r is in M, not in B or A. An expert that is no adapter has
    :math:`B = U_i S_i^{1/2}`, :math:`A = S_i^{1/2} V_i^\top`, without directions that
    may be rounding alone (``tsv_m``). Where a tensor is not decomposed, the mean is
    taken.

    Args:
        scale: :math:`\lambda`, no unit, finite; the authors search it.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).
        density: Fraction of entries kept of a task, in (0, 1]; 0.1 in the code.
        consensus: ``mean`` over the agreeing experts or their ``sum``.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> adapters = [np.diag([4.0, 0.0]), np.diag([2.0, 1.0])]
        >>> CoreSpace(density=1.0)(adapters).round(6)
        array([[3., 0.],
               [0., 1.]])
    """

    density: float = 0.1

    def merged(self, deltas: Matrices, info: TensorInfo) -> Factored:
        """Merge the core matrices; ``info`` keeps them."""
        first = deltas[0]
        u, cores, v = info.memoise(("core_space",), lambda: _cores(deltas, info))
        return Factored(like(u @ self.ties(cores), first), like(v.T, first), 1.0)


def _cores(
    deltas: Matrices, info: TensorInfo
) -> tuple[
    Float64[Array, "rows k"], list[Float64[Array, "k l"]], Float64[Array, "columns l"]
]:
    """Return U, the core matrix of each task, and V."""
    pairs = zip(deltas, floors(info, len(deltas)), strict=True)
    tasks = [_factors(delta, floor) for delta, floor in pairs]
    concatenate = library(tasks[0].b).concatenate
    u = svd(concatenate([task.b for task in tasks], 1)).u
    v = svd(concatenate([task.a.T for task in tasks], 1)).u
    return u, [task.scale * (u.T @ task.b) @ (task.a @ v) for task in tasks], v


def _factors(delta: Float[Array, "rows columns"], floor: float) -> Factored:
    if isinstance(delta, Factored):
        return Factored(double(delta.b), double(delta.a), delta.scale)
    part = svd(delta).above(floor)
    root = part.s**0.5
    return Factored(part.u * root, (part.v * root).T, 1.0)
