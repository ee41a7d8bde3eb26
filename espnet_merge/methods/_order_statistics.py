"""Order statistics of a stream: exact, and in little memory."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from espnet_merge.arrays import Array, Float, Int
from espnet_merge.methods._base import TensorInfo, map_chunks

# Candidates of a row that are kept at most: 16 MB of float32, and twice that of
# indices.
MOST = 1 << 22
# The first sample is taken from the first sixteenth of each chunk, so that a sixteenth
# of the files is read for it.
SAMPLED_ONE_IN = 16
# Sample size: one entry in 64, at least 4096, at most 2^20.
SAMPLE = (64, 1 << 12, 1 << 20)
# Half the width of the interval around the quantile of a sample, in standard
# deviations. A sample of single entries misses it once in 10^9 times.
DEVIATIONS = 6
# Neighbours are alike, so that a sample of chunks misses more often. The next interval
# lies beyond the missed one, and is so many times as wide.
FURTHER = 8

# Chunks of some vectors, the rows.
type Rows = Iterable[tuple[TensorInfo, Iterable[Float[Array, "..."]]]]


@dataclass(frozen=True)
class Mapped:
    """A stream of the rows that a function makes of each chunk of another stream."""

    stream: Rows
    function: Callable[[Any], Iterable[Float[Array, "..."]]]

    def __iter__(self) -> Iterator[tuple[TensorInfo, Iterable[Float[Array, "..."]]]]:
        """Yield what the function makes of each chunk."""
        for info, deltas in self.stream:
            yield info, self.function(deltas)

    def __len__(self) -> int:
        return len(self.stream)  # type: ignore[arg-type]

    @property
    def entries(self) -> int:
        """Number of entries of each row."""
        return _entries(self.stream)

    def map[R](
        self, function: Callable[[TensorInfo, Any], R], one_in: int = 1
    ) -> Iterator[R]:
        """Yield ``function(info, rows)`` as ``map_chunks`` does."""

        def seen(info: TensorInfo, deltas: Any) -> R:  # noqa: ANN401 - as the stream has them
            return function(info, self.function(deltas))

        return map_chunks(self.stream, seen, one_in)


class Statistic(NamedTuple):
    """An entry that was found by its place in ascending order.

    Args:
        value: The entry.
        before: Number of entries equal to it whose place is lower.
        where: Indices of all entries equal to it; None where they were not kept.
    """

    value: Any
    before: int
    where: Int[Array, " ties"] | None


def order_statistics(
    stream: Rows, places: Callable[[int], Sequence[int]], *, magnitudes: bool = False
) -> list[list[Any]]:
    """Return entries of each row of the stream by their places in ascending order.

    A sample gives an interval in which an entry probably lies. A pass over all entries
    counts those below the interval and keeps those inside. This is repeated until the
    entries inside are few enough to be sorted.

    Args:
        stream: The rows, in chunks.
        places: Gives the places for the size of a row.
        magnitudes: Whether to order by magnitude.

    Example:
        >>> import numpy as np
        >>> rows = [np.array([3.0, 1.0]), np.array([7.0, 8.0])]
        >>> found = order_statistics([(TensorInfo(), rows)], lambda size: [1])
        >>> [[float(x) for x in row] for row in found]
        [[3.0], [8.0]]
    """
    found = find_statistics(stream, places, magnitudes=magnitudes)
    return [[statistic.value for statistic in row] for row in found]


def find_statistics(
    stream: Rows,
    places: Callable[[int], Sequence[int]],
    *,
    magnitudes: bool,
    where: bool = False,
) -> list[list[Statistic]]:
    """As ``order_statistics``, with all that is known of each entry.

    Args:
        stream: The rows, in chunks.
        places: Gives the places for the size of a row.
        magnitudes: Whether to order by magnitude.
        where: Whether to keep the indices of equal entries, if these are few.
    """
    import numpy as np

    size, chunks = _entries(stream), len(stream)  # type: ignore[arg-type]
    if not size:
        return []
    rate, least, most = SAMPLE
    step = max(1, size // SAMPLED_ONE_IN // min(most, max(least, size // rate)))

    def sample(
        _: TensorInfo, rows: Iterable[Float[Array, "..."]]
    ) -> list[Float[Array, " _"]]:
        # Arrays of their own: views would keep all that was read.
        found = [row.ravel()[::step] for row in rows]
        return [abs(part) if magnitudes else part.copy() for part in found]

    parts = map_chunks(stream, sample, SAMPLED_ONE_IN)
    samples = [np.concatenate(row) for row in zip(*parts, strict=True)]
    searches = [[_Search(p, magnitudes) for p in places(size)] for _ in samples]
    for row, values in zip(searches, samples, strict=True):
        ordered = np.sort(values)
        for search in row:
            search.narrow(ordered, search.place / size)
    most = max(1, MOST // chunks)
    while any(search.found is None for row in searches for search in row):

        def look(
            info: TensorInfo, rows: Iterable[Float[Array, "..."]]
        ) -> list[list[_Seen]]:
            start = info.start if where else None
            return [
                [s.look(array.ravel(), start, most) for s in row if not s.found]
                for row, array in zip(searches, rows, strict=True)
            ]

        seen = zip(*map_chunks(stream, look), strict=True)
        for row, parts_of_row in zip(searches, list(seen), strict=True):
            still = [search for search in row if not search.found]
            of_each = zip(*parts_of_row, strict=True)
            for search, parts_of_search in zip(still, of_each, strict=True):
                search.conclude(parts_of_search)
    return [[s.found for s in row if s.found] for row in searches]


class _Seen(NamedTuple):
    """What a search sees in a chunk: entries below its interval, and those inside."""

    below: int
    inside: int
    values: Float[Array, " kept"]
    where: Int[Array, " _"]


@dataclass
class _Search:
    """A search for an entry by its place in ascending order.

    The entry lies in [floor, ceiling] for certain, and in [low, high] probably.
    """

    place: int
    magnitudes: bool
    floor: Any = -math.inf
    ceiling: Any = math.inf
    low: Any = -math.inf
    high: Any = math.inf
    found: Statistic | None = None

    def narrow(self, sample: Float[Array, " entries"], quantile: float) -> None:
        """Set the interval around a quantile, in [0, 1], of an ascending sample."""
        count = len(sample)
        if not count:
            return
        middle = min(int(quantile * count), count - 1)
        spread = 1 + int(DEVIATIONS * math.sqrt(count * quantile * (1 - quantile)))
        first, last = middle - spread, middle + spread
        self.low = sample[first] if first >= 0 else self.floor
        self.high = sample[last] if last < count else self.ceiling

    def look(
        self, row: Float[Array, " entries"], start: int | None, most: int
    ) -> _Seen:
        """Look at a chunk of the row, keeping at most about ``most`` entries.

        Indices are kept where ``start``, the place of the chunk, is given.
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
        """Find the entry among those inside the interval, or a better interval."""
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
