"""MoDo: weights of objectives that minimise conflict, by double sampling."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from espnet_merge.errors import InputError


@dataclass(frozen=True, kw_only=True)
class MoDo:
    r"""Move the weights one step towards the shortest convex combination of gradients.

    .. math:: \lambda \leftarrow \Pi_\Delta\left(\lambda
        - \gamma \left[G_2 G_1^\top \lambda + \rho (\lambda - 1/M)\right]\right)

    G1 and G2 (M, P) hold the gradients of M objectives on independent batches, so that
    their product is an unbiased estimate. The projection is onto the simplex. The
    weights start uniform and are kept from step to step. The model then moves along
    :math:`\lambda^\top G_1`.

    Source: Chen et al., *Three-Way Trade-Off in Multi-Objective Learning*, JMLR 2024,
    Eq. 2.9; the solver of Saif et al., *Objective Soups*, 2025,
    https://arxiv.org/abs/2508.09228.
    Departures from it: the regulariser pulls towards uniform weights. After the
    projection this equals Chen et al.'s pull towards zero.

    Args:
        gamma: step size of the weights, positive; its unit is one over a squared
            gradient.
        rho: strength of the pull towards uniform weights, at least 0.

    Raises:
        InputError: a value out of range.

    Example:
        >>> gram = torch.tensor([[4.0, 0.0], [0.0, 1.0]])
        >>> MoDo(gamma=0.1, rho=0.0)(torch.tensor([0.5, 0.5]), gram)
        tensor([0.4250, 0.5750])
    """

    gamma: float = 0.01
    rho: float = 0.001
    samples: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not 0 < self.gamma < float("inf"):
            raise InputError(
                f"gamma must be positive; got {self.gamma}: 0.01 is usual."
            )
        if not 0 <= self.rho < float("inf"):
            raise InputError(f"rho must be at least 0; got {self.rho}: 0.001 is usual.")

    def __call__(self, weights: Tensor, gram: Tensor) -> Tensor:
        """Return the new weights (M,), given the old and ``G2 @ G1.T`` (M, M)."""
        pull = gram @ weights + self.rho * (weights - 1 / len(weights))
        return project_on_simplex(weights - self.gamma * pull)


def project_on_simplex(point: Tensor) -> Tensor:
    r"""Return the nearest point whose entries are at least 0 and sum to 1.

    .. math:: \Pi_\Delta(v) = \max(v - \theta, 0), \quad
        \theta = \frac{1}{k}\left(\sum_{i \le k} v_{(i)} - 1\right)

    with v in descending order and k the last index with :math:`v_{(k)} > \theta_k`.

    Source: Duchi et al., *Efficient Projections onto the l1-Ball*, ICML 2008, Fig. 1.

    Example:
        >>> project_on_simplex(torch.tensor([0.9, 0.5, -1.0]))
        tensor([0.7000, 0.3000, 0.0000])
    """
    ordered = point.sort(descending=True).values
    places = torch.arange(1, len(point) + 1, device=point.device)
    thresholds = (ordered.cumsum(0) - 1) / places
    last = int((ordered > thresholds).sum()) - 1
    return (point - thresholds[last]).clamp(min=0)
