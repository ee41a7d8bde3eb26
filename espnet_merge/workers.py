"""Threads that run one function over a stream."""

import contextlib
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from tqdm import tqdm

# Items begun for each thread before the oldest is asked for: among many small ones must
# be as many large ones as there are threads.
AHEAD = 8
# More threads than this wait for one disk, and each may hold matrices.
MOST = 8
# Parameters of glibc's mallopt.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3


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


def keep_freed_memory() -> None:
    """Let the C library reuse what is freed instead of returning it to the system.

    The arrays of a piece come and go so often that fresh pages for each would cost
    more than the arithmetic. Without effect where the library is not glibc.
    """
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(TRIM_THRESHOLD, 1 << 26)
        mallopt(MMAP_THRESHOLD, 1 << 24)


@contextlib.contextmanager
def progress(total: int) -> "Iterator[tqdm[Any] | None]":
    """Show bytes and the time left where somebody looks on, else give None."""
    if not sys.stderr.isatty():
        yield None
        return
    # It costs as much to import as numpy does.
    from tqdm import tqdm

    with tqdm(total=total, unit="B", unit_scale=True) as bar:
        yield bar


@contextlib.contextmanager
def one_thread_each(*, lapack: bool, torch: bool) -> Iterator[None]:
    """Let the libraries below numpy compute in the thread that asks them.

    Their own threads would compete with the workers, and sum in another order.

    Args:
        lapack: Whether scipy's is going to be used; only what is loaded can be limited.
        torch: Whether torch is going to be used.
    """
    from threadpoolctl import threadpool_limits

    if lapack:
        from espnet_merge.methods import _eigh

        _eigh.lapack()

    with threadpool_limits(1):
        if not torch:
            yield
            return
        from torch import get_num_threads, set_num_threads

        before = get_num_threads()
        set_num_threads(1)
        try:
            yield
        finally:
            set_num_threads(before)
