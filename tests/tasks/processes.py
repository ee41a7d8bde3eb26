"""A training of two processes."""

from collections.abc import Callable
from pathlib import Path

import torch


def train_in_two(
    train: Callable[[list[str]], None], words: list[str], store: Path
) -> None:
    """Train in two processes, which meet at a file, and see both succeed."""
    words = [
        *words, "--dist_world_size", "2", "--dist_backend", "gloo",
        "--dist_init_method", f"file://{store}",
    ]  # fmt: skip
    context = torch.multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=train, args=([*words, "--dist_rank", rank],))
        for rank in ("0", "1")
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
