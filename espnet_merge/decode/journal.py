"""The batches decoded so far, for resuming and for job arrays."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Self

from espnet_merge.disk.lock import hold_if_free
from espnet_merge.errors import InputError
from espnet_merge.job_array import Shard

NAME = ".partial"

type Record = dict[str, Any]
type Batches = dict[int, list[Record]]


class Journal:
    """The batches decoded into a directory, by number. Each job has its own file.

    The first line of a file holds the mode; each further line holds a batch. A line
    that a kill has cut off is dropped, and a file of another mode is begun anew. One
    process at a time holds a file; the process that joins the shards holds all files. A
    file without a batch is removed at the end.

    Attributes:
        batches: number -> batch, decoded so far by this job or another.

    Raises:
        InputError: another process holds a file.
    """

    def __init__(
        self, directory: Path, mode: Mapping[str, Any], shard: Shard | None = None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        part = "" if shard is None else f"-{shard.number}-of-{shard.total}"
        own = directory / f"{NAME}{part}"
        self._held = [own, *(_others(own) if shard is None else ())]
        with ExitStack() as stack:
            self._file, *_ = [stack.enter_context(_hold(path)) for path in self._held]
            self._files = stack.pop_all()
        self.batches: Batches = {}
        for path in _others(own):
            with path.open("rb") as file:
                self.batches |= _read(file, mode)[0]
        self._file.seek(0)
        finished, end = _read(self._file, mode)
        self._file.truncate(end)
        self.batches |= finished
        self._is_empty = not finished
        if end == 0:
            self._write(mode)

    def append(self, number: int, batch: list[Record]) -> None:
        """Add a decoded batch, which from now on survives a kill."""
        self._write([number, batch])
        self._is_empty = False
        self.batches[number] = batch

    def remove(self) -> None:
        """Delete the files that are held, once the result is written."""
        for path in self._held:
            path.unlink()
        self._held = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_empty and self._held:
            self._held[0].unlink()
        self._files.close()

    def _write(self, record: object) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        self._file.flush()


def _others(own: Path) -> Iterator[Path]:
    return (path for path in sorted(own.parent.glob(f"{NAME}*")) if path != own)


def _hold(path: Path) -> BinaryIO:
    file = hold_if_free(path)
    if file is None:
        raise InputError(
            f"{path.parent}: only one process may decode into a directory, or one for "
            "each --shard; another process is decoding into it: wait for it, or choose "
            "another --output."
        )
    return file


def _read(file: BinaryIO, mode: Mapping[str, Any]) -> tuple[Batches, int]:
    """Return the batches of this mode, and the offset after the last complete line."""
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
