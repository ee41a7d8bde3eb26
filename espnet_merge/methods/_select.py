"""Selection by magnitude or rank, over a tensor or a stream, and by elected sign."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from espnet_merge.methods._base import Site, over

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


# Entries of a row that are kept to look for the wanted one among them.
MOST = 1 << 22
# A first sample is of the begin of each piece, one part of so many.
SHARE = 16
# Its size, by the number of entries: one of so many of them, least and most.
SAMPLE = (64, 1 << 12, 1 << 20)
# How far the quantiles of a sample are off at most, in all likelihood.
DEVIATIONS = 6
# Neighbours are alike, so that a sample of pieces misses more often than one of single
# entries. Then the entry lies beside the interval, within so many times its width.
FURTHER = 8

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

    def __len__(self) -> int:
        return len(self.stream)  # type: ignore[arg-type]

    @property
    def entries(self) -> int:
        """Number of entries of each row."""
        return _entries(self.stream)

    def map[R](self, function: Callable[[Site, Any], R], share: int = 1) -> Iterator[R]:
        """Yield ``function(site, rows)`` as ``over`` does."""

        def seen(site: Site, deltas: Any) -> R:  # noqa: ANN401 - as the stream has them
            return function(site, self.function(deltas))

        return over(self.stream, seen, share)


class Statistic(NamedTuple):
    """An entry found by its place in ascending order.

    Args:
        value: The entry.
        before: Number of entries equal to it whose place is lower.
        where: Indices of all entries equal to it, where they were kept.
    """

    value: Any
    before: int
    where: "NDArray[Any] | None"


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

    def parts(self, start: int, size: int) -> list[tuple[slice, Any]]:
        """Return what magnitudes must reach in parts of a flat piece.

        Args:
            start: Where the piece begins.
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

    Of entries tied at the threshold the first stay. ``counts`` tells the numbers from
    the size of a row; rows are those of one tensor.

    Example:
        >>> import numpy as np
        >>> values = np.array([3.0, -1.0, 1.0, -4.0])
        >>> ((cut,),) = cuts([(Site(), [values])], lambda size: [3])
        >>> cut.keeps(abs(values), 0).tolist()
        [True, True, False, True]
    """
    sizes: list[int] = []

    def places(size: int) -> list[int]:
        sizes.append(size)
        return [min(max(0, size - count), size - 1) for count in counts(size)]

    found = _statistics(stream, places, magnitudes=True, where=True)
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
    # What is equal to zero is worth nothing, kept or not.
    if not least.before or not least.value:
        return Cut(least.value)
    where = least.where
    if where is None:
        equal = over(
            stream,
            lambda site, rows: (
                site.start + np.flatnonzero(abs(tuple(rows)[row]) == least.value)
            ),
        )
        where = np.concatenate(list(equal))
    return Cut(least.value, int(where[len(where) - least.before - 1]) + 1)


def order_statistics(
    stream: Rows, places: Callable[[int], Sequence[int]], *, magnitudes: bool = False
) -> list[list[Any]]:
    """Return entries of each row of the stream by their places in ascending order.

    Exact, and in little memory: a sample tells between which values an entry lies, a
    look at all entries which of them lie there, and so on until they can be sorted.

    Args:
        stream: The rows, in pieces.
        places: Tells the places from the size of a row.
        magnitudes: Whether the entries are taken without their signs.

    Example:
        >>> import numpy as np
        >>> rows = [np.array([3.0, 1.0]), np.array([7.0, 8.0])]
        >>> found = order_statistics([(Site(), rows)], lambda size: [1])
        >>> [[float(x) for x in row] for row in found]
        [[3.0], [8.0]]
    """
    found = _statistics(stream, places, magnitudes=magnitudes)
    return [[statistic.value for statistic in row] for row in found]


def _statistics(
    stream: Rows,
    places: Callable[[int], Sequence[int]],
    *,
    magnitudes: bool,
    where: bool = False,
) -> list[list[Statistic]]:
    import numpy as np

    size, pieces = _entries(stream), len(stream)  # type: ignore[arg-type]
    if not size:
        return []
    rate, least, most = SAMPLE
    step = max(1, size // SHARE // min(most, max(least, size // rate)))

    def sample(_: Site, rows: Iterable["NDArray[Any]"]) -> list["NDArray[Any]"]:
        # Arrays of their own: views would keep all that was read.
        found = [row.ravel()[::step] for row in rows]
        return [abs(part) if magnitudes else part.copy() for part in found]

    parts = over(stream, sample, SHARE)
    samples = [np.concatenate(row) for row in zip(*parts, strict=True)]
    searches = [[_Search(p, magnitudes) for p in places(size)] for _ in samples]
    for row, values in zip(searches, samples, strict=True):
        ordered = np.sort(values)
        for search in row:
            search.narrow(ordered, search.place / size)
    most = max(1, MOST // pieces)
    while any(search.found is None for row in searches for search in row):

        def look(site: Site, rows: Iterable["NDArray[Any]"]) -> list[list[_Seen]]:
            start = site.start if where else None
            return [
                [s.look(array.ravel(), start, most) for s in row if not s.found]
                for row, array in zip(searches, rows, strict=True)
            ]

        seen = zip(*over(stream, look), strict=True)
        for row, parts_of_row in zip(searches, list(seen), strict=True):
            still = [search for search in row if not search.found]
            of_each = zip(*parts_of_row, strict=True)
            for search, parts_of_search in zip(still, of_each, strict=True):
                search.conclude(parts_of_search)
    return [[s.found for s in row if s.found] for row in searches]


class _Seen(NamedTuple):
    """What a search sees of a piece: entries below its interval, and those inside."""

    below: int
    inside: int
    values: "NDArray[Any]"
    where: "NDArray[Any]"


@dataclass
class _Search:
    """A search for an entry by its place in ascending order.

    It lies in [floor, ceiling] for certain, and in [low, high] in all likelihood.
    """

    place: int
    magnitudes: bool
    floor: Any = -math.inf
    ceiling: Any = math.inf
    low: Any = -math.inf
    high: Any = math.inf
    found: Statistic | None = None

    def narrow(self, sample: "NDArray[Any]", share: float) -> None:
        """Set the interval around the quantile of an ascending sample."""
        count = len(sample)
        if not count:
            return
        middle = min(int(share * count), count - 1)
        spread = 1 + int(DEVIATIONS * math.sqrt(count * share * (1 - share)))
        first, last = middle - spread, middle + spread
        self.low = sample[first] if first >= 0 else self.floor
        self.high = sample[last] if last < count else self.ceiling

    def look(self, row: "NDArray[Any]", start: int | None, most: int) -> _Seen:
        """Look at a piece of the row, keeping at most about ``most`` entries.

        Their indices are kept as well where the piece is told its ``start``.
        """
        import numpy as np

        from espnet_merge.kernels import within

        indices = np.empty(row.size + 1, np.intp)
        low, high = row.dtype.type(self.low), row.dtype.type(self.high)
        below, inside = within(row, low, high, self.magnitudes, indices)
        where = indices[:inside][:: 1 + inside // (most + 1)]
        values = abs(row[where]) if self.magnitudes else row[where]
        # An array of its own: a view would keep all of them in memory.
        kept = where[:0].copy() if start is None else where + start
        return _Seen(below, inside, values, kept)

    def conclude(self, parts: Iterable[_Seen]) -> None:
        """Find the entry among those inside, or a better interval."""
        import numpy as np

        belows, insides, values, where = zip(*parts, strict=True)
        rank, inside = self.place - sum(belows), sum(insides)
        kept = np.concatenate(values)
        width = self.high - self.low
        further = FURTHER * width if 0 < width < np.inf else np.inf
        if rank < 0:
            self.ceiling = np.nextafter(self.low, self.low - np.inf)
            self.low = max(self.floor, self.ceiling - further)
            self.high = self.ceiling
        elif rank >= inside:
            self.floor = np.nextafter(self.high, self.high + np.inf)
            self.low = self.floor
            self.high = min(self.ceiling, self.floor + further)
        elif len(kept) == inside:
            value = np.partition(kept, rank)[rank]
            before = rank - int(np.count_nonzero(kept < value))
            indices = np.concatenate(where)
            equal = indices[kept == value] if indices.size else None
            self.found = Statistic(value, before, equal)
        elif self.low == self.high:
            self.found = Statistic(self.low, rank, None)
        else:
            self.floor, self.ceiling = self.low, self.high
            ordered = np.sort(kept)
            self.narrow(ordered, rank / inside)
            if (self.low, self.high) == (self.floor, self.ceiling):
                # So many are equal that one of these values must be tried alone.
                self.low = self.high = ordered[int(rank / inside * len(ordered))]


def _entries(stream: Rows) -> int:
    """Return the number of entries of each row."""
    if hasattr(stream, "entries"):
        return int(stream.entries)
    return sum(next(iter(rows)).size for _, rows in stream)


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
    taus: Sequence["NDArray[Any]"],
    weights: Sequence[float],
    *,
    mean: bool,
    votes: "NDArray[Any] | None" = None,
    kept: Sequence[Cut] | None = None,
    start: int = 0,
) -> "NDArray[Any]":
    """Sum or average at each entry the experts that have the elected sign.

    The sign is plus where the votes are zero. Zeros have no sign.

    Args:
        taus: One an expert.
        weights: One an expert.
        mean: Divide by the sum of the weights of those that have the sign.
        votes: By default the weighted sum.
        kept: For each expert the entries that count, the others being zero; all by
            default.
        start: Index of the first entry of flat pieces.

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
    merged: NDArray[Any] = total.reshape(shape)
    return merged
