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

    magnitudes = _magnitudes(stream)
    found = _statistics(magnitudes, places, where=True)
    return [
        [
            _cut(magnitudes, row, least, count)
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
                site.start + np.flatnonzero(tuple(rows)[row] == least.value)
            ),
        )
        where = np.concatenate(list(equal))
    return Cut(least.value, int(where[len(where) - least.before - 1]) + 1)


def order_statistics(
    stream: Rows, places: Callable[[int], Sequence[int]]
) -> list[list[Any]]:
    """Return entries of each row of the stream by their places in ascending order.

    ``places`` tells them from the size of a row. Exact, and in little memory: a sample
    tells between which values an entry lies, a look at all entries which of them lie
    there, and so on until they can be sorted.

    Example:
        >>> import numpy as np
        >>> rows = [np.array([3.0, 1.0]), np.array([7.0, 8.0])]
        >>> found = order_statistics([(Site(), rows)], lambda size: [1])
        >>> [[float(x) for x in row] for row in found]
        [[3.0], [8.0]]
    """
    found = _statistics(stream, places)
    return [[statistic.value for statistic in row] for row in found]


def _statistics(
    stream: Rows, places: Callable[[int], Sequence[int]], *, where: bool = False
) -> list[list[Statistic]]:
    import numpy as np

    size, pieces = _entries(stream), len(stream)  # type: ignore[arg-type]
    if not size:
        return []
    rate, least, most = SAMPLE
    step = max(1, size // SHARE // min(most, max(least, size // rate)))
    parts = over(stream, lambda _, rows: [row.ravel()[::step] for row in rows], SHARE)
    samples = [np.concatenate(row) for row in zip(*parts, strict=True)]
    searches = [[_Search(place) for place in places(size)] for _ in samples]
    for row, sample in zip(searches, samples, strict=True):
        ordered = np.sort(sample)
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

        under, within = row < self.low, row <= self.high
        below = int(np.count_nonzero(under))
        inside = int(np.count_nonzero(within)) - below
        within &= ~under
        where = np.flatnonzero(within)[:: 1 + inside // (most + 1)]
        # An array of its own: a view would keep all of them in memory.
        indices = where[:0].copy() if start is None else where + start
        return _Seen(below, inside, row[where], indices)

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

    return [found for (found,) in order_statistics(_magnitudes(stream), place)]


def _magnitudes(stream: Rows) -> Mapped:
    return Mapped(stream, lambda rows: (abs(row) for row in rows))


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
    own = [t if w == 1 else w * t for w, t in zip(weights, taus, strict=True)]
    elected: Any = sum(own[1:], start=own[0]) if votes is None else votes
    positive = elected >= 0
    total, divisor = taus[0] * 0, taus[0] * 0
    for weight, tau, weighted in zip(weights, taus, own, strict=True):
        agrees = (tau > 0) == positive
        agrees &= tau != 0
        share = agrees.astype(tau.dtype)
        total += weighted * share
        if mean:
            divisor += share if weight == 1 else weight * share
    if mean:
        divisor += divisor == 0
        total /= divisor
    return total
