"""SCE: select where the experts differ, weight them, erase the minority's sign."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from espnet_merge.methods._base import SITE, Method, Site, check_finite, check_range
from espnet_merge.methods._select import keep_largest, merge_agreeing

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Below this sum of mean squares the code gives all experts one weight.
SMALL = 1e-6


@dataclass(frozen=True, kw_only=True)
class Sce(Method):
    r"""Average the entries of largest variance, experts weighted by their energy.

    .. math::
        \tilde\tau_i = m \odot \tau_i, \quad
        w_i = \frac{\overline{\tilde\tau_i^2}}{\sum_j \overline{\tilde\tau_j^2}}, \quad
        \Delta = \lambda \frac{\sum_{i \in A} w_i \tilde\tau_i}{\sum_{i \in A} w_i}

    where m keeps the share d of the entries whose variance over the experts is largest,
    of those where it is not zero, and A is the experts that have, at an entry, the sign
    of :math:`\sum_i \tilde\tau_i`.

    Source: Wan et al., *FuseChat*, 2024, Sec. 3.3, https://arxiv.org/abs/2408.07990
    [paper]; tensor by tensor, no selection at d = 1, and equal weights where the mean
    squares sum to less than 1e-6, as in mergekit [code]. That is so for most tensors
    of a model that was fine-tuned a little.
    Departures from it: a factor ``scale`` [ours].

    Args:
        density: d, share of entries kept, in (0, 1].
        scale: :math:`\lambda`, no unit, finite.

    Raises:
        InputError: a value is out of its range.

    Example:
        >>> import numpy as np
        >>> Sce()(np.array([[1.0, 1.0], [3.0, -1.0]])).round(3).tolist()
        [2.667, 1.0]
    """

    density: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_range("density", self.density, 0, 1, open_low=True)
        check_finite("scale", self.scale)

    def __call__(
        self, deltas: Sequence["NDArray[Any]"], site: Site = SITE, /
    ) -> "NDArray[Any]":
        """Merge ``deltas[i]``, expert ``i`` minus base."""
        import numpy as np

        kept = list(deltas)
        if self.density < 1:
            mask = self._where_they_differ(deltas)
            kept = [delta * mask for delta in deltas]
        energy = [float(np.mean(tau * tau, dtype=np.float64)) for tau in kept]
        if sum(energy) < SMALL:
            energy = [1.0] * len(kept)
        weights = [value / sum(energy) for value in energy]
        votes = sum(kept[1:], start=kept[0])
        return self.scale * merge_agreeing(kept, weights, votes=votes, mean=True)

    def _where_they_differ(self, deltas: Sequence["NDArray[Any]"]) -> "NDArray[Any]":
        mean = sum(deltas[1:], start=deltas[0]) / len(deltas)
        variance: Any = sum((delta - mean) ** 2 for delta in deltas)
        count = int(self.density * int((variance > 0).sum()))
        kept: NDArray[Any] = keep_largest(variance, count) > 0
        return kept
