"""Threads, device and memory of a merge, and its progress bar."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from tqdm import tqdm

    from espnet_merge.merging.merge import Merge

# Parameters of glibc's mallopt, and their values in bytes. Arrays below MMAP_BYTES come
# from memory that is used again: those of a chunk, at most 2 MB, and float64 matrices
# of 2^20 entries, 8 MB. The free end of it is returned to the system beyond TRIM_BYTES.
# Measured on 3 experts with 10 matrices of 2^20: TSV-M faults 24 thousand pages in
# place of 49 with glibc's defaults, DARE 13 in place of 25. Larger values gain nothing;
# with 2^24 for both TSV-M faults 37, with 2^20 for MMAP_BYTES 242.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
TRIM_BYTES, MMAP_BYTES = 1 << 26, 1 << 24


def limit_threads(
    merges: "Sequence[Merge]", device: str
) -> AbstractContextManager[None]:
    """Return ``one_thread_each``, or nothing where all merges are plain sums.

    Loading what it limits takes time, which sums do not need.
    """
    lapack = any(merge.decomposes for merge in merges)
    if not lapack and all(merge.kind.propagates_nan for merge in merges):
        return nullcontext()
    return one_thread_each(lapack=lapack, torch=device != "cpu")


def check_device(device: str, *, torch: bool) -> None:
    """Raise ``InputError`` where the device is not there or not of use."""
    if device == "cpu":
        return
    if not torch:
        raise InputError(
            f"--device {device}: no matrix is decomposed, and the disk is slower than"
            " the processor; leave the option out."
        )
    from torch import cuda

    if not cuda.is_available():
        raise InputError(
            f"--device {device}: PyTorch finds no GPU; use --device cpu, or a machine"
            " with one."
        )


def keep_freed_memory() -> None:
    """Let the C library reuse what is freed instead of returning it to the system.

    The arrays of a chunk come and go so often that fresh pages for each would cost
    more than the arithmetic. Without effect where the library is not glibc.
    """
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(TRIM_THRESHOLD, TRIM_BYTES)
        mallopt(MMAP_THRESHOLD, MMAP_BYTES)


@contextlib.contextmanager
def progress(total: int) -> "Iterator[tqdm[Any] | None]":
    """Show bytes and the time left if standard error is a terminal; else give None."""
    if not sys.stderr.isatty():
        yield None
        return
    # Importing it takes as long as importing numpy.
    from tqdm import tqdm

    with tqdm(total=total, unit="B", unit_scale=True) as bar:
        yield bar


@contextlib.contextmanager
def one_thread_each(*, lapack: bool, torch: bool) -> Iterator[None]:
    """Let the libraries below numpy compute in the calling thread.

    Their own threads would compete with the workers, and sum in another order.

    Args:
        lapack: Whether to load scipy's LAPACK now; only loaded libraries can be
            limited.
        torch: Whether to limit torch, too.
    """
    from threadpoolctl import threadpool_limits

    if lapack:
        from espnet_merge.linalg.eigh import routines

        routines()

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
