"""Stop a training at its next step when a signal asks for it, and go on to the bit.

ESPnet saves once an epoch, which may take longer than a job of a cluster may run. SLURM
sends TERM when it ends a job, and what ``--signal`` asks for a while before. Here both
make a training write all that it holds within an epoch and exit with ``AGAIN``. The
next run goes on after the same batch: its parameters are those of an undisturbed run.
"""

import contextlib
import itertools
import logging
import os
import random
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from espnet2.train.reporter import Average, SubReporter, WeightedAverage
from torch import nn
from torch.utils.data import DataLoader

from espnet_merge.disk.atomic import whole_file

STEP = "checkpoint.step.pth"
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
AGAIN = os.EX_TEMPFAIL  # exit status: not finished, run again


type Handler = Callable[[int, FrameType | None], None] | signal.Handlers


@contextlib.contextmanager
def handled(
    handler: Handler, numbers: Sequence[signal.Signals] = SIGNALS
) -> Iterator[None]:
    """Have signals handled in another way meanwhile."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def nothing(number: int, frame: FrameType | None) -> None:
    """Do nothing at a signal."""


class StepCheckpoint:
    """What a training holds within an epoch; saved when a signal asks for it.

    Args:
        directory: where it is written. A directory that another has taken the name of
            meanwhile is not written to.
        model: without wrappers.
        optimizers: its optimisers.
        schedulers: of each, its scheduler or None.
        distributed: whether other processes train the same model; all stop at one step.
        device: on which processes agree to stop.
    """

    def __init__(
        self,
        directory: Path,
        model: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        schedulers: Sequence[Any],
        *,
        distributed: bool,
        device: str,
    ) -> None:
        self.path = directory / STEP
        self._parts = {"optimizers": optimizers, "schedulers": schedulers}
        self._model = model
        self._distributed, self._device = distributed, device
        # ESPnet's first process makes it, and another one may be here before.
        directory.mkdir(parents=True, exist_ok=True)
        # Held open, so that no new directory gets the same inode.
        self._directory = os.open(directory, os.O_RDONLY)
        self._asked = False
        self._reporter: SubReporter | None = None
        self.done = 0  # batches of this epoch

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Let signals ask for a stop, in place of what they did."""

        def ask(number: int, frame: FrameType | None) -> None:
            del frame
            if not self._asked:
                logging.info(f"{signal.Signals(number).name}: stops at the next step")
            self._asked = True

        with handled(ask):
            yield
        os.close(self._directory)

    def begin(
        self,
        batches: Any,  # noqa: ANN401
        reporter: SubReporter,
        scaler: Any,  # noqa: ANN401
        *,
        resume: bool,
    ) -> Any:  # noqa: ANN401
        """Begin an epoch, or go on within it.

        Args:
            batches: of the epoch, from its first.
            reporter: of ESPnet's, whose statistics are restored.
            scaler: for mixed precision, or None.
            resume: whether to go on where something was saved.

        Returns:
            Those that are left; the same object where the epoch begins.
        """
        self._reporter, self.done = reporter, 0
        self._parts["scaler"] = [scaler]
        states = self._saved(reporter.epoch) if resume else None
        if states is None:
            return batches
        self._model.load_state_dict(states["model"])
        for name, parts in self._parts.items():
            for part, state in zip(parts, states[name], strict=True):
                if part is not None:
                    part.load_state_dict(state)
        reporter.total_count = states["total_count"]
        _restore_values(reporter, states["values"])
        self.done = states["done"]
        left = _Rest(batches, self.done)  # draws random numbers, as its start did
        _set_random(states["random"][_rank() if self._distributed else 0])
        logging.info(f"goes on in epoch {reporter.epoch}, after batch {self.done}")
        return left

    def watch(self, batches: Iterable[Any], *, every: int = 0) -> "_Watched":
        """Return the same batches; before each, stop if a signal has asked for it.

        Args:
            batches: of training, or of validation.
            every: batches of a training step, between which nothing stops; 0 for
                validation.
        """
        return _Watched(self, batches, every)

    def stop_if_asked(self) -> None:
        """Save and exit, in all processes, if a signal has asked one of them to."""
        asked = self._asked
        if self._distributed:
            anyone = torch.tensor(int(asked), device=self._device)
            torch.distributed.all_reduce(anyone)
            asked = bool(anyone > 0)
        if asked:
            self._save()
            raise SystemExit(AGAIN)

    def remove(self) -> None:
        """Remove what was saved."""
        self.path.unlink(missing_ok=True)

    def _saved(self, epoch: int) -> dict[str, Any] | None:
        """Return what was saved within this epoch, by as many processes; else None."""
        if not self.path.exists():
            return None
        states: dict[str, Any] = torch.load(
            self.path, map_location="cpu", weights_only=True, mmap=True
        )
        if states["epoch"] != epoch:
            return None
        processes = len(_of_all(None)) if self._distributed else 1
        if len(states["random"]) != processes:
            logging.info(
                f"{self.path} is of {len(states['random'])} processes, not {processes}:"
                f" epoch {epoch} begins again"
            )
            return None
        return states

    def _save(self) -> None:
        assert self._reporter
        random_states = [_random()]
        if self._distributed:
            random_states = _of_all(random_states[0])
        if not self._distributed or _rank() == 0:
            self._write(self._reporter, random_states)
        if self._distributed:
            torch.distributed.barrier()  # who exits first ends the others

    def _write(self, reporter: SubReporter, random_states: list[Any]) -> None:
        try:
            here = os.stat(self.path.parent)
        except FileNotFoundError:
            here = None
        if not here or not os.path.samestat(here, os.fstat(self._directory)):
            logging.info(f"{self.path.parent} is another directory now: nothing saved")
            return
        with whole_file(self.path) as part:
            content: dict[str, Any] = {
                name: [one if one is None else one.state_dict() for one in parts]
                for name, parts in self._parts.items()
            }
            content |= {
                "model": self._model.state_dict(),
                "epoch": reporter.epoch,
                "done": self.done,
                "total_count": reporter.total_count,
                "values": _values(reporter),
                "random": random_states,
            }
            torch.save(content, part)
        logging.info(
            f"stopped in epoch {reporter.epoch}, after batch {self.done}; saved"
            f" {self.path}: run again to go on"
        )


class _Watched:
    """Batches before each of which a training may stop."""

    def __init__(
        self, checkpoint: StepCheckpoint, batches: Iterable[Any], every: int
    ) -> None:
        self._checkpoint, self._batches, self._every = checkpoint, batches, every

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self._batches)
        for count in itertools.count(1):
            if (count - 1) % (self._every or 1) == 0:
                # All processes ask before any finds that there are no more.
                self._checkpoint.stop_if_asked()
            try:
                batch = next(batches)
            except StopIteration:
                return
            yield batch
            if self._every:
                self._checkpoint.done += 1


class _Rest:
    """Batches without the first ones, which are not read where they need not be."""

    def __init__(self, batches: Any, skipped: int) -> None:  # noqa: ANN401
        if isinstance(batches, DataLoader):
            del batches.batch_sampler[:skipped]  # type: ignore[union-attr]
            skipped = 0
        self._batches = batches
        self._iterator: Iterator[Any] = iter(batches)
        for _ in range(skipped):
            next(self._iterator)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        return self._iterator


def _values(reporter: SubReporter) -> dict[str, list[tuple[float, float | None]]]:
    """Return the statistics of all batches: value, and weight if there is one."""
    return {
        name: [(float(v.value), _weight(v)) for v in values]
        for name, values in reporter.stats.items()
    }


def _weight(value: Average | WeightedAverage) -> float | None:
    return float(value.weight) if isinstance(value, WeightedAverage) else None


def _restore_values(
    reporter: SubReporter, saved: dict[str, list[tuple[float, float | None]]]
) -> None:
    for name, values in saved.items():
        reporter.stats[name] = [
            Average(value) if weight is None else WeightedAverage(value, weight)
            for value, weight in values
        ]
        reporter.count = len(values)


def _random() -> dict[str, Any]:
    """Return the states of all generators of random numbers."""
    name, keys, *rest = np.random.get_state()
    states = {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random(states: dict[str, Any]) -> None:
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])


def _rank() -> int:
    return torch.distributed.get_rank()


def _of_all(value: Any) -> list[Any]:  # noqa: ANN401
    """Return the values of all processes, by rank."""
    values: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(values, value)
    return values
