"""Selection by magnitude: exactly so many entries, or a threshold over a stream."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def thresholds(
    stream: Iterable[tuple[object, Sequence["NDArray[Any]"]]], density: float
) -> list[Any]:
    """Return for each expert the magnitude number ``int(density * size) + 1``.

    The magnitudes are counted over all tensors of the stream, largest first; the
    smallest is returned where there are no more. Exact, and in little memory: the
    bit patterns of non-negative floats are ordered as the floats are, so a pass for
    each 16 bits narrows the pattern down, from a histogram of 65,536 counts.
    """
    import numpy as np

    prefixes: list[int] = []
    places: list[int] = []
    shift, dtype = None, np.dtype(np.float32)
    while shift is None or shift > 0:
        counts: list[NDArray[np.int64]] = []
        for _, deltas in stream:
            dtype = deltas[0].dtype
            step = 8 * dtype.itemsize - 16 if shift is None else shift - 16
            counts = counts or [np.zeros(1 << 16, np.int64) for _ in deltas]
            for i, delta in enumerate(deltas):
                bits = np.abs(delta).ravel().view(f"u{dtype.itemsize}")
                if shift is not None:
                    bits = bits[bits >> shift == prefixes[i]]
                counts[i] += np.bincount((bits >> step) & 0xFFFF, minlength=1 << 16)
        if shift is None:
            sizes = [int(count.sum()) for count in counts]
            prefixes = [0] * len(counts)
            places = [min(int(density * size) + 1, size) for size in sizes]
        shift = 8 * dtype.itemsize - 16 if shift is None else shift - 16
        for i, count in enumerate(counts):
            above = np.cumsum(count[::-1])
            digit = int(np.searchsorted(above, places[i]))
            places[i] -= int(above[digit - 1]) if digit else 0
            prefixes[i] = prefixes[i] << 16 | (0xFFFF - digit)
    unsigned = f"u{dtype.itemsize}"
    return [np.array(bits, unsigned).view(dtype)[()] for bits in prefixes]
