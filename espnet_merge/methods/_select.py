"""Selection by magnitude or rank, over a tensor or a stream, and by elected sign."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from espnet_merge.methods._base import Site

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def keep_largest(values: "NDArray[Any]", count: int) -> "NDArray[Any]":
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


# The pieces of some vectors, the rows, with their site.
type Rows = Iterable[tuple[Site, Iterable[NDArray[Any]]]]


@dataclass(frozen=True)
class Mapped:
    """A stream of deltas, seen through a function, as often as it is needed."""

    stream: Rows
    function: Callable[[Any], Iterable["NDArray[Any]"]]

    def __iter__(self) -> Iterator[tuple[Site, Iterable["NDArray[Any]"]]]:
        """Yield what the function makes of the deltas at each site."""
        for site, deltas in self.stream:
            yield site, self.function(deltas)


class Statistic(NamedTuple):
    """An entry found by its place in ascending order.

    Args:
        value: The entry.
        before: Number of entries equal to it whose place is lower.
        equal: Number of entries equal to it.
    """

    value: Any
    before: int
    equal: int


@dataclass(frozen=True)
class Cut:
    """The largest magnitudes of a tensor, told apart from the others.

    Args:
        threshold: The smallest of them.
        end: Entries equal to the threshold belong to them before this index only.
    """

    threshold: Any
    end: int = sys.maxsize

    def keeps(self, magnitude: "NDArray[Any]", start: int) -> "NDArray[Any]":
        """Tell which entries of a flat piece, which begins at ``start``, are large."""
        large: NDArray[Any] = magnitude >= self.threshold
        if self.end < start + magnitude.size:
            rest = max(0, self.end - start)
            large[rest:] = magnitude[rest:] > self.threshold
        return large


NONE = Cut(math.inf)


def cuts(stream: Rows, counts: Callable[[int], Sequence[int]]) -> list[list[Cut]]:
    """Return for each row the cuts that keep exactly so many of its magnitudes.

    Of entries tied at the threshold the first stay. ``counts`` tells the numbers from
    the size of a row; rows are those of one tensor.

    Example:
        >>> import numpy as np
        >>> values = np.array([3.0, -1.0, 1.0, -4.0])
        >>> ((cut,),) = cuts([(Site(), [values])], lambda size: [3])
        >>> cut.keeps(abs(values), 0).tolist()
        [True, True, False, True]
    """
    magnitudes = _magnitudes(stream)
    sizes: list[int] = []

    def places(size: int) -> list[int]:
        sizes.append(size)
        return [min(max(0, size - count), size - 1) for count in counts(size)]

    found = _statistics(magnitudes, places, signed=False)
    return [
        [
            _cut(magnitudes, row, least, count)
            for least, count in zip(statistics, counts(size), strict=True)
        ]
        for row, (statistics, size) in enumerate(zip(found, sizes, strict=True))
    ]


def _cut(stream: Rows, row: int, least: Statistic, count: int) -> Cut:
    """Return the cut above which there are exactly ``count`` entries of a row."""
    if count <= 0:
        return NONE
    # What is equal to zero is worth nothing, kept or not.
    if not least.before or not least.value:
        return Cut(least.value)
    import numpy as np

    left = least.equal - least.before
    for site, arrays in stream:
        equal = np.flatnonzero(tuple(arrays)[row] == least.value)
        if equal.size >= left:
            return Cut(least.value, site.start + int(equal[left - 1]) + 1)
        left -= equal.size
    raise AssertionError("the stream has changed")


def order_statistics(
    stream: Rows,
    places: Callable[[int], Sequence[int]],
    *,
    signed: bool = False,
) -> list[list[Any]]:
    """Return entries of each row of the stream by their places in ascending order.

    ``places`` tells them from the size of a row; ``signed`` is needed where entries
    may be negative. Exact, and in little memory: the bit patterns of non-negative
    floats are ordered as the floats are, so a pass for each 16 bits narrows the
    pattern down, from a histogram of 65,536 counts.

    Example:
        >>> import numpy as np
        >>> rows = [np.array([3.0, 1.0]), np.array([7.0, 8.0])]
        >>> found = order_statistics([(Site(), rows)], lambda size: [1])
        >>> [[float(x) for x in row] for row in found]
        [[3.0], [8.0]]
    """
    found = _statistics(stream, places, signed=signed)
    return [[statistic.value for statistic in row] for row in found]


def _statistics(
    stream: Rows,
    places: Callable[[int], Sequence[int]],
    *,
    signed: bool,
) -> list[list[Statistic]]:
    import numpy as np

    # Of each row and place: the bits found, the place among the entries that share
    # them, and the number of these.
    bits: list[list[int]] = []
    left: list[list[int]] = []
    sharing: list[list[int]] = []
    shift = 0
    dtype: np.dtype[Any] = np.dtype(np.float32)
    while not bits or shift > 0:
        histograms: dict[tuple[int, int], NDArray[np.int64]] = {}
        for _, arrays in stream:
            for row, array in enumerate(arrays):
                if not shift:
                    dtype = array.dtype
                    shift = 8 * dtype.itemsize
                keys = _keys(array, signed=signed)
                for prefix in set(bits[row]) if bits else {0}:
                    # The first pass has no prefix, and a shift by the width no meaning.
                    share = keys[keys >> shift == prefix] if bits else keys
                    digits = (share >> (shift - 16)) & 0xFFFF
                    found = np.bincount(digits, minlength=1 << 16)
                    histograms[row, prefix] = found + histograms.get((row, prefix), 0)
        if not bits:
            sizes = [int(histogram.sum()) for histogram in histograms.values()]
            left = [list(places(size)) for size in sizes]
            bits = [[0] * len(wanted) for wanted in left]
            sharing = [[0] * len(wanted) for wanted in left]
        for row, wanted in enumerate(left):
            for i, place in enumerate(wanted):
                histogram = histograms[row, bits[row][i]]
                below = np.cumsum(histogram)
                digit = int(np.searchsorted(below, place, side="right"))
                wanted[i] -= int(below[digit - 1]) if digit else 0
                bits[row][i] = bits[row][i] << 16 | digit
                sharing[row][i] = int(histogram[digit])
        shift -= 16
    return [
        [
            Statistic(_float(key, dtype, signed=signed), before, equal)
            for key, before, equal in zip(*parts, strict=True)
        ]
        for parts in zip(bits, left, sharing, strict=True)
    ]


def thresholds(stream: Rows, density: float) -> list[Any]:
    """Return for each expert the magnitude number ``int(density * size) + 1``.

    The magnitudes are counted over all tensors of the stream, largest first; the
    smallest is returned where there are no more.
    """

    def place(size: int) -> list[int]:
        return [size - min(int(density * size) + 1, size)]

    return [found for (found,) in order_statistics(_magnitudes(stream), place)]


def _magnitudes(stream: Rows) -> Mapped:
    return Mapped(stream, lambda rows: (abs(row) for row in rows))


def _keys(array: "NDArray[Any]", *, signed: bool) -> "NDArray[Any]":
    """Return the floats as unsigned integers of the same order."""
    import numpy as np

    width = 8 * array.dtype.itemsize
    bits = np.ascontiguousarray(array).ravel().view(f"u{array.dtype.itemsize}")
    if not signed:
        return bits
    negative = bits >> (width - 1) == 1
    return np.where(negative, ~bits, bits | bits.dtype.type(1 << (width - 1)))


def _float(key: int, dtype: "np.dtype[Any]", *, signed: bool) -> Any:  # noqa: ANN401
    """Return the float of a key."""
    import numpy as np

    top = 1 << (8 * dtype.itemsize - 1)
    if signed:
        key = key ^ top if key & top else key ^ (2 * top - 1)
    return np.array(key, f"u{dtype.itemsize}").view(dtype)[()]


def merge_agreeing(
    taus: Sequence["NDArray[Any]"],
    weights: Sequence[float],
    *,
    mean: bool,
    votes: "NDArray[Any] | None" = None,
) -> "NDArray[Any]":
    """Sum or average at each entry the experts that have the elected sign.

    The sign is that of ``votes``, by default the weighted sum of ``taus``; plus where
    that is zero. Zeros have no sign.

    Example:
        >>> import numpy as np
        >>> taus = np.array([[3.0, 1.0], [1.0, -2.0]])
        >>> merge_agreeing(taus, (1, 1), mean=True).tolist()
        [2.0, -2.0]
    """
    pairs = list(zip(weights, taus, strict=True))
    elected: Any = sum(w * t for w, t in pairs) if votes is None else votes
    positive = elected >= 0
    total = taus[0] * 0
    divisor = taus[0] * 0
    for weight, tau in pairs:
        agrees = (tau != 0) & ((tau > 0) == positive)
        total += weight * tau * agrees
        divisor += weight * agrees
    if mean:
        total /= divisor + (divisor == 0)
    return total
