"""How many threads merge, on what, and how they show that they do."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from tqdm import tqdm

    from espnet_merge.merging.merge import Merge

# Parameters of glibc's mallopt.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3


def limit_threads(
    merges: "Sequence[Merge]", device: str
) -> AbstractContextManager[None]:
    """Return ``one_thread_each``, which takes time to load, unless all is summed."""
    if all(merge.kind.propagates_nan for merge in merges):
        return nullcontext()
    lapack = any(merge.kind.factored for merge in merges)
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
