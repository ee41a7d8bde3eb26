"""What a decoding has finished, so that a killed one goes on, and jobs share one."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Self

from espnet_merge.errors import InputError
from espnet_merge.job_array import Shard

NAME = ".partial"

type Record = dict[str, Any]
type Batches = dict[int, list[Record]]


class Journal:
    """The batches decoded into a directory, by number, in a file for each job.

    A file has a line for the mode, then one for each batch. A line that was cut off by
    a kill is dropped, and a file of another mode is begun anew. One process at a time
    holds a file; the one that joins the shards holds all.

    Attributes:
        batches: those decoded so far by this or another job.

    Raises:
        InputError: another process holds a file.
    """

    def __init__(
        self, directory: Path, mode: Mapping[str, Any], shard: Shard | None = None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        part = "" if shard is None else f"-{shard.number}-of-{shard.total}"
        own = directory / f"{NAME}{part}"
        self._directory = directory
        with ExitStack() as stack:
            self._file = stack.enter_context(_hold(own))
            if shard is None:
                for path in _others(own):
                    stack.enter_context(_hold(path))
            self._files = stack.pop_all()
        self.batches: Batches = {}
        for path in _others(own):
            with path.open("rb") as file:
                self.batches |= _read(file, mode)[0]
        self._file.seek(0)
        finished, end = _read(self._file, mode)
        self._file.truncate(end)
        self.batches |= finished
        if end == 0:
            self._write(mode)

    def append(self, number: int, batch: list[Record]) -> None:
        """Add a decoded batch; it survives a kill from now on."""
        self._write([number, batch])
        self.batches[number] = batch

    def remove(self) -> None:
        """Delete the files of all jobs: the result is written."""
        for path in self._directory.glob(f"{NAME}*"):
            path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def _write(self, record: object) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        self._file.flush()


def _others(own: Path) -> Iterator[Path]:
    return (path for path in sorted(own.parent.glob(f"{NAME}*")) if path != own)


def _hold(path: Path) -> BinaryIO:
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise InputError(
            f"{path.parent}: only one process may decode into a directory, or one for "
            "each --shard; another one does now: wait for it, or choose another "
            "--output."
        ) from error
    return file


def _read(file: BinaryIO, mode: Mapping[str, Any]) -> tuple[Batches, int]:
    """Return the batches of this mode, and where the last whole line of them ends."""
    end = 0
    batches = {}
    for line in file:
        if not line.endswith(b"\n"):
            break
        record = json.loads(line)
        if end == 0:
            if record != mode:
                break
        else:
            number, batch = record
            batches[number] = batch
        end += len(line)
    return batches, end
