"""SCE: select where the experts differ, weight them, erase the minority's sign."""

from dataclasses import dataclass

from espnet_merge.arrays import Array, ByExpert, Float, Float64
from espnet_merge.methods._base import (
    ElementwiseMerge,
    Stream,
    TensorInfo,
    TwoPass,
    check_finite,
    check_range,
    map_chunks,
)
from espnet_merge.methods._order_statistics import Mapped
from espnet_merge.methods._select import Cut, cuts, merge_agreeing


@dataclass(frozen=True, kw_only=True)
class Sce(TwoPass):
    r"""Average the entries of largest variance, experts weighted by their energy.

    .. math::
        \tilde\tau_i = m \odot \tau_i, \quad
        w_i = \frac{\overline{\tilde\tau_i^2}}{\sum_j \overline{\tilde\tau_j^2}}, \quad
        \Delta = \lambda \frac{\sum_{i \in A} w_i \tilde\tau_i}{\sum_{i \in A} w_i}

    where m keeps the share d of the entries whose variance over the experts is largest,
    of those where it is not zero, and A is the experts that have, at an entry, the sign
    of :math:`\sum_i \tilde\tau_i`.

    Source: Wan et al., *FuseChat*, 2024, Sec. 3.3, https://arxiv.org/abs/2408.07990
    [paper]; tensor by tensor, no selection at d = 1, and equal weights where all
    energies are zero [code]. mergekit gives equal weights wherever they sum to less
    than 1e-6, which is so for most tensors of a model that was fine-tuned a little;
    the authors' code does not, and neither does this.
    Departures from it: at d < 1 the authors' code selects for the weights alone and
    merges every entry, mergekit and this only the selected ones [code]; a factor
    ``scale`` [ours].

    Args:
        density: d, fraction of entries kept, in (0, 1].
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

    def statistics_pass(self, stream: Stream) -> ElementwiseMerge:
        """Find the entries of largest variance, and the energy of each expert there."""
        import numpy as np

        kept = self._largest_variance(stream) if self.density < 1 else Cut(0)

        def selected(deltas: ByExpert, info: TensorInfo) -> ByExpert:
            if self.density == 1:
                return deltas
            mask = kept.keeps(_variance(deltas), info.start)
            return [delta * mask for delta in deltas]

        def squares(info: TensorInfo, deltas: ByExpert) -> Float64[Array, " experts"]:
            taus = selected(deltas, info)
            return np.array([np.sum(x * x, dtype=np.float64) for x in taus])

        energy = np.sum(list(map_chunks(stream, squares)), axis=0)
        if not energy.any():
            energy = np.ones_like(energy)
        weights = (energy / energy.sum()).tolist()

        def merge(deltas: ByExpert, info: TensorInfo) -> Float[Array, "*shape"]:
            taus = selected(deltas, info)
            votes = sum(taus[1:], start=taus[0])
            return self.scale * merge_agreeing(taus, weights, votes=votes, mean=True)

        return merge

    def _largest_variance(self, stream: Stream) -> Cut:
        import numpy as np

        variances = Mapped(stream, lambda deltas: [_variance(deltas)])
        moved = sum(map_chunks(variances, lambda _, rows: np.count_nonzero(rows[0])))
        ((cut,),) = cuts(variances, lambda size: [int(self.density * moved)])
        return cut


def _variance(deltas: ByExpert) -> Float[Array, "*shape"]:
    """Return the variance of the experts at each entry, times their number."""
    mean = sum(deltas[1:], start=deltas[0]) / len(deltas)
    return sum(((d - mean) ** 2 for d in deltas), start=mean * 0)
