"""RegMean without data: the task vectors tell the covariance of their inputs."""

from dataclasses import dataclass
from typing import ClassVar

from espnet_merge.methods.wudi import Wudi


@dataclass(frozen=True, kw_only=True)
class Covariance(Wudi):
    r"""Solve RegMean's regression, with inputs as the task vectors tell of them.

    .. math::
        C_i = \frac{\tau_i^\top \tau_i}{\operatorname{tr} \tau_i^\top \tau_i}, \quad
        \Delta = \lambda \sum_i \tau_i C_i \Big(\sum_i C_i + \rho\Big)^{-1}

    A step of gradient descent is a sum of outer products with the inputs, so that
    :math:`\tau_i^\top \tau_i` grows where the inputs of task i have energy.

    Source: Hameed et al., *Model Merging via Data-Free Covariance Estimation*, 2026,
    https://arxiv.org/abs/2604.01329, and Xu et al., *ACE-Merging*, CVPR 2026,
    https://arxiv.org/abs/2603.02945: the estimate and the closed form, as digests of
    both agree on them; neither code was at hand.
    Departures from it [ours]: ACE-Merging's prior and its refinement of the spectrum
    are not in it. The ridge, and what counts as zero, are those of ``wudi``, which
    minimises the same loss: there the ridge leads to the sum of the task vectors, here
    to the base. It needs no Gram matrix. Where a tensor is not decomposed, the mean is
    taken.

    Args:
        scale: :math:`\lambda`, no unit, finite; 1 is the solution.
        spectral: Which tensors are decomposed: weights of attention and feed-forward
            (``linear``), or every matrix not named text_projection (``all_2d``).
        ridge: :math:`\rho` as a fraction of the largest eigenvalue of the sum, in
            [0, 1]; 0 is the shortest solution, which grows without bound where inputs
            of two tasks nearly coincide. 0.01 as for ``wudi``, not tuned.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> Covariance(ridge=0.0)([np.diag([4.0, 2.0]), np.diag([4.0, 0.0])]).round(6)
        array([[4., 0.],
               [0., 2.]])
    """

    ridge_to_sum: ClassVar[bool] = False
