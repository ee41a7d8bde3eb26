"""SVC: after a merge, bring its singular values back to what the experts have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from espnet_merge.arrays import Array, ByExpert, Float, Float64
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import double, library, like
from espnet_merge.linalg.decompose import RANK_TOLERANCE, Svd, svd, times
from espnet_merge.methods._base import (
    NO_INFO,
    ElementwiseMerge,
    Method,
    TensorInfo,
    check_range,
)
from espnet_merge.methods._rounding import floors


@dataclass(frozen=True, kw_only=True)
class Svc(Method):
    r"""Calibrate the singular values of any merge by what each expert has of them.

    .. math::
        \Delta = U S V^\top, \quad
        s_{ri} = \frac{\langle u_r^\top \Delta, \, u_r^\top \tau_i \rangle}
        {\|u_r^\top \tau_i\|^2}, \quad
        \gamma_r = \frac{n}{\sum_i \max(\alpha, s_{ri})}, \quad
        \Delta' = U \, \mathrm{diag}(\gamma) \, S V^\top

    with :math:`\Delta` what a method makes of the task vectors :math:`\tau_i`. Where
    several experts share a direction, a sum counts it several times, and s exceeds 1.
    Where all s exceed alpha, a scale of the merge cancels.

    Source: Li et al., *When Shared Knowledge Hurts*, ICML 2026,
    https://arxiv.org/abs/2602.05536 [paper], and the authors' code: matrices but the
    embeddings, other tensors as they were merged [code].
    Departures from it [ours]: weights of attention and feed-forward alone. What may be
    rounding (``tsv_m``) is no response: an expert whose :math:`u_r^\top \tau_i` is not
    above it, or not above 1e-5 of its largest, counts with alpha, as in the code where
    it is 0; else a rounded zero would give s of any size. A direction in which no
    expert has more stays as it was merged, and so do those of :math:`\Delta` below
    1e-5 of its largest singular value.
    Where singular values coincide, as all do after ``iso_c``, the directions are
    arbitrary, and with them the result.

    Args:
        method: What merges; ``calibrate=svc`` puts this step after any method.
        alpha: :math:`\alpha`, least s of an expert, no unit, in (0, 1]; given as
            ``svc_alpha``. 0.1 in the authors' description, while their script takes
            1/n, and 1 with TSV-M; at 1 no singular value grows [code].

    Raises:
        InputError: ``alpha`` is out of its range.

    Example:
        >>> import numpy as np
        >>> from espnet_merge.methods import build_method
        >>> tau = np.diag([4.0, 2.0])
        >>> total = build_method("task_arithmetic", {"scale": 1, "calibrate": "svc"})
        >>> abs(total([tau, tau, tau])).round(6)
        array([[4., 0.],
               [0., 2.]])
    """

    method: Method
    alpha: float = 0.1

    def __post_init__(self) -> None:
        """Check alpha, and take tensors in the form that the method takes them in."""
        check_range("svc_alpha", self.alpha, 0, 1, open_low=True)
        for name in ("space", "arrays", "base", "factored"):
            object.__setattr__(self, name, getattr(self.method, name))

    @property
    def plain(self) -> Method:
        """The method."""
        return self.method

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the method, and those of this step."""
        return {**self.method.params, "calibrate": "svc", "svc_alpha": self.alpha}

    def check_experts(self, count: int) -> None:
        """Raise ``InputError`` where ``count`` experts do not suit the method."""
        self.method.check_experts(count)

    def is_matrix(self, info: TensorInfo) -> bool:
        """Tell whether the tensor must come whole, here or for the method."""
        return _calibrates(info) or self.method.is_matrix(info)

    def __call__(
        self, tensors: ByExpert, info: TensorInfo = NO_INFO, /
    ) -> Float[Array, "*shape"]:
        """Merge ``tensors[i]`` as the method takes them, and calibrate."""
        if not info.shape:
            info = replace(info, shape=tuple(tensors[0].shape))
        return self.after(self.method)(tensors, info)

    def after(self, merge: ElementwiseMerge) -> ElementwiseMerge:
        """Return ``merge``, by which the method merges, and the calibration."""
        return partial(self._calibrated, merge)

    def _calibrated(
        self, merge: ElementwiseMerge, tensors: ByExpert, info: TensorInfo
    ) -> Float[Array, "*shape"]:
        if not _calibrates(info):
            return merge(tensors, info)
        merged, least = self._merged(merge, tensors, info), floors(info, len(tensors))
        base = info.base if self.space == "weights" else None
        if base is None:
            return calibrate(merged, tensors, least, self.alpha)
        deltas = (tensor - base for tensor in tensors)
        return base + calibrate(merged - base, deltas, least, self.alpha)

    def _merged(
        self, merge: ElementwiseMerge, tensors: ByExpert, info: TensorInfo
    ) -> Float[Array, "rows columns"]:
        """Merge a matrix by a method that takes it whole, or else as one flat chunk."""
        if self.method.is_matrix(info):
            return merge(tensors, info)
        flat = [_flat(tensor) for tensor in tensors]
        base = None if info.base is None else info.base.ravel()
        return merge(flat, replace(info, base=base)).reshape(info.shape)


def calibrate(
    merged: Float[Array, "rows columns"],
    deltas: Iterable[Float[Array, "rows columns"]],
    floors: Sequence[float],
    alpha: float,
) -> Float[Array, "rows columns"]:
    """Rescale the singular values of a merged delta; factors stay factors.

    Args:
        merged: Dense or factored.
        deltas: One an expert, dense or factored, each looked at once.
        floors: For each expert what a response must exceed, in the unit of deltas.
        alpha: Least coefficient of an expert, in (0, 1].
    """
    parts = svd(merged)
    if not parts.rank:
        return merged
    xp = library(parts.u)
    total, known = 0 * parts.s, parts.s < 0
    for delta, floor in zip(deltas, floors, strict=True):
        coefficients, heard = _coefficients(parts, delta, floor)
        total = total + xp.where(heard, coefficients.clip(alpha), alpha)
        known = known | heard
    gains = xp.where(known, len(floors) / total, 1.0)
    if isinstance(merged, Factored):
        u = like(parts.u * (gains * parts.s), merged)
        return Factored(u, like(parts.v.T, merged), 1.0)
    # Where the gain is 1 the merge stays as it is, to the last bit.
    return merged + like((parts.u * ((gains - 1) * parts.s)) @ parts.v.T, merged)


def _coefficients(
    parts: Svd, delta: Float[Array, "rows columns"], floor: float
) -> tuple[Float64[Array, " rank"], Array]:
    """Return s of an expert in each direction, and whether it has a response there."""
    if isinstance(delta, Factored):
        along = double(delta.b).T @ parts.u
        responses = delta.scale * double(delta.a).T @ along
    else:
        responses = times([delta.T], parts.u)
    energies = (responses**2).sum(0)
    least = max(floor, RANK_TOLERANCE * float(energies.max()) ** 0.5)
    heard = energies > least**2
    products = parts.s * (parts.v * responses).sum(0)
    return products / library(energies).where(heard, energies, 1.0), heard


def _calibrates(info: TensorInfo) -> bool:
    return info.role == "linear" and len(info.shape) == 2


def _flat(matrix: Float[Array, "rows columns"]) -> Float[Array, " entries"]:
    if isinstance(matrix, Factored):
        return matrix.chunk(slice(None))
    return matrix.ravel()
