"""Selection by magnitude, over a tensor or a stream, and by elected sign."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from espnet_merge.arrays import Array, Bool, ByExpert, Float
from espnet_merge.methods._base import map_chunks
from espnet_merge.methods._order_statistics import (
    Rows,
    Statistic,
    find_statistics,
    order_statistics,
)


def keep_largest(values: Float[Array, "*shape"], count: int) -> Float[Array, "*shape"]:
    """Return ``values`` with all but the ``count`` largest magnitudes set to zero.

    Of entries tied at the threshold the first in memory order stay, so that exactly
    ``count`` remain and the choice depends on nothing else.

    Example:
        >>> import numpy as np
        >>> keep_largest(np.array([3.0, -1.0, 1.0, -4.0]), 3).tolist()
        [3.0, -1.0, 0.0, -4.0]
    """
    import numpy as np

    if count >= values.size:
        return values.copy()
    if count <= 0:
        return np.zeros_like(values)
    magnitude = np.abs(values).ravel()
    place = values.size - count
    threshold = np.partition(magnitude, place)[place]
    keep = magnitude >= threshold
    surplus = int(np.count_nonzero(keep)) - count
    if surplus:
        keep[np.flatnonzero(magnitude == threshold)[-surplus:]] = False
    return np.where(keep.reshape(values.shape), values, values.dtype.type(0))


@dataclass(frozen=True)
class Cut:
    """Which entries are the largest of a tensor by magnitude.

    Args:
        threshold: The smallest of their magnitudes.
        end: Entries equal to the threshold belong to them before this index only.
    """

    threshold: Any
    end: int = sys.maxsize

    def keeps(
        self, magnitude: Float[Array, " entries"], start: int
    ) -> Bool[Array, " entries"]:
        """Tell which entries of a flat chunk, which begins at ``start``, are large."""
        large = magnitude >= self.threshold
        if self.end < start + magnitude.size:
            rest = max(0, self.end - start)
            large[rest:] = magnitude[rest:] > self.threshold
        return large

    def parts(self, start: int, size: int) -> list[tuple[slice, Any]]:
        """Return parts of a flat chunk, and for each what magnitudes must reach.

        Args:
            start: Where the chunk begins.
            size: Number of its entries.
        """
        import numpy as np

        end = max(0, self.end - start)
        if end >= size:
            return [(slice(size), self.threshold)]
        larger = np.nextafter(self.threshold, self.threshold + 1)
        return [(slice(end), self.threshold), (slice(end, size), larger)]


NONE, ALL = Cut(math.inf), Cut(0)


def cuts(stream: Rows, counts: Callable[[int], Sequence[int]]) -> list[list[Cut]]:
    """Return for each row the cuts that keep exactly so many of its magnitudes.

    Of entries tied at the threshold the first stay. ``counts`` gives the numbers for
    the size of a row. The rows are those of one tensor.

    Example:
        >>> import numpy as np
        >>> from espnet_merge.methods import TensorInfo
        >>> values = np.array([3.0, -1.0, 1.0, -4.0])
        >>> ((cut,),) = cuts([(TensorInfo(), [values])], lambda size: [3])
        >>> cut.keeps(abs(values), 0).tolist()
        [True, True, False, True]
    """
    sizes: list[int] = []

    def places(size: int) -> list[int]:
        sizes.append(size)
        return [min(max(0, size - count), size - 1) for count in counts(size)]

    found = find_statistics(stream, places, magnitudes=True, where=True)
    return [
        [
            _cut(stream, row, least, count)
            for least, count in zip(statistics, counts(size), strict=True)
        ]
        for row, (statistics, size) in enumerate(zip(found, sizes, strict=True))
    ]


def _cut(stream: Rows, row: int, least: Statistic, count: int) -> Cut:
    """Return the cut above which there are exactly ``count`` entries of a row."""
    import numpy as np

    if count <= 0:
        return NONE
    # Whether zeros are kept makes no difference.
    if not least.before or not least.value:
        return Cut(least.value)
    where = least.where
    if where is None:
        equal = map_chunks(
            stream,
            lambda info, rows: (
                info.start + np.flatnonzero(abs(tuple(rows)[row]) == least.value)
            ),
        )
        where = np.concatenate(list(equal))
    return Cut(least.value, int(where[len(where) - least.before - 1]) + 1)


def thresholds(stream: Rows, density: float) -> list[Any]:
    """Return for each expert the magnitude number ``int(density * size) + 1``.

    The magnitudes are counted over all tensors of the stream, largest first; the
    smallest is returned where there are no more.
    """

    def place(size: int) -> list[int]:
        return [size - min(int(density * size) + 1, size)]

    found = order_statistics(stream, place, magnitudes=True)
    return [threshold for (threshold,) in found]


def merge_agreeing(
    taus: ByExpert,
    weights: Sequence[float],
    *,
    mean: bool,
    votes: Float[Array, "*shape"] | None = None,
    kept: Sequence[Cut] | None = None,
    start: int = 0,
) -> Float[Array, "*shape"]:
    """Sum or average at each entry the experts that have the elected sign.

    The sign is plus where the votes are zero. Zeros have no sign.

    Args:
        taus: One an expert.
        weights: One an expert.
        mean: Divide by the sum of the weights of those that have the sign.
        votes: By default the weighted sum.
        kept: For each expert the entries that count, the others being zero; all by
            default.
        start: Index of the first entry of flat chunks.

    Example:
        >>> import numpy as np
        >>> taus = np.array([[3.0, 1.0], [1.0, -2.0]])
        >>> merge_agreeing(taus, (1, 1), mean=True).tolist()
        [2.0, -2.0]
    """
    import numpy as np

    from espnet_merge.kernels import add_agreeing, vote

    kind, shape = taus[0].dtype.type, taus[0].shape
    sums = np.empty((3, taus[0].size), kind)
    # Unlike np.zeros this leaves Python's lock to other threads.
    sums.fill(0)
    total, divisor, elected = sums
    kept = kept or [ALL] * len(taus)
    counted = [
        (part, tau.ravel()[part], kind(threshold), kind(weight))
        for tau, weight, cut in zip(taus, weights, kept, strict=True)
        for part, threshold in cut.parts(start, tau.size)
    ]
    if votes is None:
        for part, entries, threshold, weight in counted:
            vote(entries, threshold, weight, elected[part])
    else:
        elected = votes.ravel()
    for part, entries, threshold, weight in counted:
        both = total[part], divisor[part]
        add_agreeing(entries, threshold, weight, elected[part], *both)
    if mean:
        divisor += divisor == 0
        total /= divisor
    return total.reshape(shape)
