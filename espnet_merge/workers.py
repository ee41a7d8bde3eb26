"""Threads that run one function over a stream."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

# Items begun for each thread before the oldest is asked for: among many small ones must
# be as many large ones as there are threads.
AHEAD = 8
# More threads than this wait for one disk, and each may hold matrices.
MOST = 8


def cores() -> int:
    """Return the number of cores that this process may use, at most ``MOST``."""
    return min(MOST, len(os.sched_getaffinity(0)))


class Workers:
    """Threads for arithmetic that leaves Python's lock alone, as numpy's does.

    Args:
        jobs: Number of threads; with 1, all is done in the thread that asks.
    """

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs
        self._pool = ThreadPoolExecutor(jobs) if jobs > 1 else None

    def map[T, R](self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield ``function(item)`` in the order of ``items``, a few of them ahead."""
        if self._pool is None:
            yield from map(function, items)
            return
        running: deque[Future[R]] = deque()
        try:
            for item in items:
                running.append(self._pool.submit(function, item))
                if len(running) > AHEAD * self.jobs:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
