"""WUDI: the merge that disturbs least what each task does to its own inputs."""

from dataclasses import dataclass
from typing import ClassVar

from espnet_merge.arrays import Matrices
from espnet_merge.checkpoint.factored import Factored
from espnet_merge.linalg.backend import library, like
from espnet_merge.linalg.decompose import RANK_TOLERANCE, svd
from espnet_merge.methods._align import largest
from espnet_merge.methods._base import TensorInfo, check_range
from espnet_merge.methods._rounding import floors
from espnet_merge.methods._spectral import Spectral


@dataclass(frozen=True, kw_only=True)
class Wudi(Spectral):
    r"""Minimise the interference on inputs that the task vectors themselves span.

    .. math::
        \Delta = \lambda \arg\min_\tau \sum_i
        \frac{\|(\tau - \tau_i) \, \tau_i^\top\|_F^2}{\|\tau_i\|_F^2}
        + \rho \, \Big\|\tau - \sum_i \tau_i\Big\|_F^2
        = \lambda \sum_i \tau_i \Big(\frac{G_i}{\|\tau_i\|_F^2} + \rho\Big)
        (H + \rho)^+

    with :math:`G_i = \tau_i^\top \tau_i`, :math:`H = \sum_i G_i / \|\tau_i\|_F^2`.

    Source: Cheng et al., *Whoever Started the Interference Should End It*, ICML 2025,
    https://arxiv.org/abs/2503.08099: the loss, for each linear layer [paper].
    Departures from it [ours]: the paper takes 300 steps of Adam from the sum of the
    task vectors; here is a minimum in closed form. That of the loss alone is
    unbounded where inputs of two tasks nearly coincide, hence the second term: as with
    few steps, what the loss hardly sees stays at the sum. It is found from singular
    vectors, without the Gram matrices: with :math:`\tau_i = U_i S_i V_i^\top` and
    :math:`[V_i S_i / \|S_i\|]_i = P D [W_i]_i^\top` it is :math:`\sum_i U_i
    (S_i^2 / \|S_i\| + \rho \|S_i\|) W_i D (D^2 + \rho)^{-1} P^\top`. Directions below
    1e-5 of the largest of D are dropped, so are those of a task below 1e-5 of the
    largest over the tasks, or that may be rounding alone (``tsv_m``). Where a tensor
    is not decomposed, the mean is taken.

    Args:
        scale: :math:`\lambda`, no unit, finite; 1 in the paper.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).

        ridge: :math:`\rho` as a fraction of the largest eigenvalue of H, in [0, 1]; 0
            is the shortest minimum of the loss alone. 0.01 is not tuned.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> Wudi()([np.diag([4.0, 0.0]), np.diag([0.0, 2.0])]).round(6)
        array([[4., 0.],
               [0., 2.]])
    """

    # What the loss hardly sees: at the sum of the task vectors, or at the base.
    ridge_to_sum: ClassVar[bool] = True

    ridge: float = 0.01

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        check_range("ridge", self.ridge, 0, 1)

    def merged(self, deltas: Matrices, info: TensorInfo) -> Factored:
        """Solve for the minimum; ``info`` keeps the result for other scales."""
        key = ("wudi", self.ridge_to_sum, self.ridge)
        return info.memoise(key, lambda: self._solve(deltas, info))

    def _solve(self, deltas: Matrices, info: TensorInfo) -> Factored:
        pairs = zip(deltas, floors(info, len(deltas)), strict=True)
        first, parts = deltas[0], [svd(delta).above(floor) for delta, floor in pairs]
        # Each task weighs the same: one that is rounding alone must not.
        floor = RANK_TOLERANCE * largest(parts)
        parts = [part.above(floor) for part in parts]
        parts = [part for part in parts if part.rank] or parts[:1]
        if not parts[0].rank:
            return Factored(like(parts[0].u, first), like(parts[0].v.T, first), 1.0)
        concatenate = library(parts[0].u).concatenate
        norms = [float((part.s**2).sum()) ** 0.5 for part in parts]
        sized = list(zip(parts, norms, strict=True))
        inputs = svd(concatenate([part.v * (part.s / size) for part, size in sized], 1))
        rho = self.ridge * float(inputs.s[0]) ** 2
        pull = rho * self.ridge_to_sum
        outputs = [part.u * (part.s**2 / size + pull * size) for part, size in sized]
        b = concatenate(outputs, 1) @ (inputs.v * (inputs.s / (inputs.s**2 + rho)))
        return Factored(like(b, first), like(inputs.u.T, first), 1.0)
