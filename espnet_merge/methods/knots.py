"""KnOTS: merge the tasks in a common basis of outputs."""

from dataclasses import dataclass

from espnet_merge.arrays import Array, Float64, Matrices
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import library, like
from espnet_merge.linalg.decompose import svd
from espnet_merge.methods._base import TensorInfo
from espnet_merge.methods._rounding import floors
from espnet_merge.methods._spectral import TiesInBasis


@dataclass(frozen=True, kw_only=True)
class Knots(TiesInBasis):
    r"""Align the tasks by one joint decomposition, then merge by TIES.

    .. math::
        [\tau_1 \dots \tau_n] = U \Sigma \, [V_1^\top \dots V_n^\top], \quad
        \Delta = \lambda \, U \, \mathrm{TIES}(\Sigma V_1^\top, \dots,
        \Sigma V_n^\top)

    Source: Stoica et al., *Model Merging with SVD to Tie the KnOTS*, ICLR 2025,
    https://arxiv.org/abs/2410.19735 [paper]; TIES on :math:`\Sigma V_i^\top`, 20 % of
    the entries, mean of the agreeing ones [code]. Meant for adapters, whose factors
    alone are decomposed; the update of a whole model has no joint basis smaller than
    itself. Summing instead of TIES would be task arithmetic, whatever the basis.
    Departures from it [ours]: entries are trimmed matrix by matrix, not over the whole
    model. Directions below 1e-5 of the largest are dropped, the code has 1e-5 itself,
    and those of a task that may be rounding alone (``tsv_m``).
    Where singular values coincide the basis is arbitrary, and with it the result.
    Where a tensor is not decomposed, the mean is taken.

    Args:
        scale: :math:`\lambda`, no unit, finite; the authors search it.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).
        density: Fraction of entries kept of a task, in (0, 1]; 0.2 in the code.
        consensus: ``mean`` over the agreeing experts or their ``sum``.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> Knots(density=1.0)([np.diag([4.0, 0.0]), np.diag([2.0, 1.0])]).round(6)
        array([[3., 0.],
               [0., 1.]])
    """

    density: float = 0.2

    def merged(self, deltas: Matrices, info: TensorInfo) -> Factored:
        """Merge what the tasks are in the joint basis; ``info`` keeps that."""
        first = deltas[0]
        u, tasks = info.memoise(("knots",), lambda: _align(deltas, info))
        return Factored(like(u, first), like(self.ties(tasks), first), 1.0)


def _align(
    deltas: Matrices, info: TensorInfo
) -> tuple[Float64[Array, "rows k"], list[Float64[Array, "k columns"]]]:
    """Return U, and of each task its coordinates in it, Σ Vᵢᵀ."""
    pairs = zip(deltas, floors(info, len(deltas)), strict=True)
    parts = [svd(delta).above(floor) for delta, floor in pairs]
    lefts = [part.u * part.s for part in parts]
    # The right vectors are orthonormal: they do not change the singular values.
    u = svd(library(lefts[0]).concatenate(lefts, 1)).u
    return u, [(u.T @ left) @ part.v.T for left, part in zip(lefts, parts, strict=True)]
