"""Selection by magnitude or rank, over a tensor or a stream, and by elected sign."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True)
class Mapped:
    """A stream of deltas, seen through a function, as often as it is needed."""

    stream: Iterable[tuple[object, Sequence["NDArray[Any]"]]]
    function: Callable[[Sequence["NDArray[Any]"]], Iterable["NDArray[Any]"]]

    def __iter__(self) -> Iterator[Iterable["NDArray[Any]"]]:
        """Yield what the function makes of the deltas at each site."""
        for _, deltas in self.stream:
            yield self.function(deltas)


def order_statistics(
    stream: Iterable[Iterable["NDArray[Any]"]],
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
        >>> [[float(x) for x in row] for row in order_statistics([rows], lambda n: [1])]
        [[3.0], [8.0]]
    """
    import numpy as np

    # Of each row and place: the bits found, and the place among those that share them.
    bits: list[list[int]] = []
    left: list[list[int]] = []
    shift = 0
    dtype: np.dtype[Any] = np.dtype(np.float32)
    while not bits or shift > 0:
        histograms: dict[tuple[int, int], NDArray[np.int64]] = {}
        for arrays in stream:
            for row, array in enumerate(arrays):
                if not shift:
                    dtype = array.dtype
                    shift = 8 * dtype.itemsize
                keys = _keys(array, signed=signed)
                for prefix in set(bits[row]) if bits else {0}:
                    # The first pass has no prefix, and a shift by the width no meaning.
                    share = keys[keys >> shift == prefix] if bits else keys
                    digits = (share >> (shift - 16)) & 0xFFFF
                    counts = np.bincount(digits, minlength=1 << 16)
                    histograms[row, prefix] = counts + histograms.get((row, prefix), 0)
        if not bits:
            sizes = [int(counts.sum()) for counts in histograms.values()]
            left = [list(places(size)) for size in sizes]
            bits = [[0] * len(wanted) for wanted in left]
        for row, wanted in enumerate(left):
            for i, place in enumerate(wanted):
                below = np.cumsum(histograms[row, bits[row][i]])
                digit = int(np.searchsorted(below, place, side="right"))
                wanted[i] -= int(below[digit - 1]) if digit else 0
                bits[row][i] = bits[row][i] << 16 | digit
        shift -= 16
    return [[_float(key, dtype, signed=signed) for key in found] for found in bits]


def thresholds(
    stream: Iterable[tuple[object, Sequence["NDArray[Any]"]]], density: float
) -> list[Any]:
    """Return for each expert the magnitude number ``int(density * size) + 1``.

    The magnitudes are counted over all tensors of the stream, largest first; the
    smallest is returned where there are no more.
    """
    magnitudes = Mapped(stream, lambda deltas: (abs(delta) for delta in deltas))

    def place(size: int) -> list[int]:
        return [size - min(int(density * size) + 1, size)]

    return [found for (found,) in order_statistics(magnitudes, place)]


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
