"""Data loaders for a training of many processes, which signals may reach.

SLURM, and who ends a recipe, send TERM to all processes of a training. A loader that
dies of it would end the training in the middle of a step, with nothing saved.
"""

import argparse
import functools
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from espnet2.iterators.abs_iter_factory import AbsIterFactory

from espnet_merge.data.table import read_table
from espnet_merge.errors import InputError

COUNTED = ("unsorted", "sorted", "folded")  # ESPnet's batches of batch_size utterances


class SteadyLoaders(AbsIterFactory):  # type: ignore[misc]
    """ESPnet's factory of data loaders, which end by their parent's TERM alone.

    Args:
        factory: the factory.
    """

    def __init__(self, factory: AbsIterFactory) -> None:
        self.factory = factory

    def build_iter(self, epoch: int, shuffle: bool | None = None) -> Any:  # noqa: ANN401
        """Return the loader of an epoch."""
        loader = self.factory.build_iter(epoch, shuffle)
        loader.worker_init_fn = functools.partial(_start, loader.worker_init_fn)
        return loader


def _start(start: Callable[[int], None], worker: int) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_by_parent, daemon=True).start()
    start(worker)


def _end_by_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def check_processes(
    args: argparse.Namespace,
    mode: str,
    processes: int,
    *,
    shape_files: Sequence[str] | None = None,
    **_: Any,  # noqa: ANN401 - other options of ESPnet's
) -> None:
    """Check that every process gets an utterance of each batch.

    Args:
        args: of ``WhisperTask``.
        mode: ``train`` or ``valid``.
        processes: all that train the model together, one a GPU or a node.
        shape_files: which utterances are used, if not those that ``args`` name.

    Raises:
        InputError: a set, or its batches, are smaller than that.
    """
    less = "train with fewer (--ngpu, --num_nodes)"
    files = shape_files or getattr(args, f"{mode}_shape_file")
    count = min(len(read_table(Path(file))) for file in files)
    data = Path(getattr(args, f"{mode}_data_path_and_name_and_type")[0][0]).parent
    if count < processes:
        raise InputError(
            f"{data}: each of {processes} processes needs an utterance; there are"
            f" {count}: {less}, or give more utterances."
        )
    size = args.batch_size
    if mode == "valid" and args.valid_batch_size is not None:
        size = args.valid_batch_size
    if args.batch_type in COUNTED and size < processes:
        raise InputError(
            f"{data}: each of {processes} processes needs an utterance of every batch;"
            f" a batch has {size}: {less}, or larger batches."
        )
