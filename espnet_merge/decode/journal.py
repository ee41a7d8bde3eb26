"""What a killed decoding had finished, so that the next run can go on."""

import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from espnet_merge.errors import InputError

type Record = dict[str, Any]


class Journal:
    """A file of lines: first the mode, then one decoded batch each.

    A line that was cut off by a kill is dropped, and a file of another mode is begun
    anew. One process at a time holds it.

    Attributes:
        batches: those decoded so far, in order.

    Raises:
        InputError: another process holds the file.
    """

    def __init__(self, path: Path, mode: Mapping[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.batches: list[list[Record]] = []
        self._path = path
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise InputError(
                f"{path.parent}: only one process may decode into a directory; "
                "another one does now: wait for it, or choose another --output."
            ) from error
        self._recover(dict(mode))

    def append(self, batch: list[Record]) -> None:
        """Add a decoded batch; it survives a kill from now on."""
        self._write(batch)
        self.batches.append(batch)

    def remove(self) -> None:
        """Delete the file: the result is written."""
        self._path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _recover(self, mode: Record) -> None:
        self._file.seek(0)
        end = 0
        records = []
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            records.append(json.loads(line))
            if records[0] != mode:
                break
            end += len(line)
        self._file.truncate(end)
        self.batches = records[1:]
        if end == 0:
            self._write(mode)

    def _write(self, record: Record | list[Record]) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
