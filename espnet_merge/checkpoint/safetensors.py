"""Read safetensors files by memory map, and write them, one tensor at a time.

Source: the format at https://github.com/huggingface/safetensors#format. The header is
parsed here so that a bad file is refused with its reason, and before any allocation.
"""

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from espnet_merge.checkpoint.dtypes import DTYPES, FLOATS, nbytes
from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The limit of the reference implementation.
MAX_HEADER = 100_000_000


@dataclass(frozen=True)
class Entry:
    """Type, shape and place of one tensor in a file.

    ``strides`` counts entries, and is None where they lie one after another.
    """

    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    strides: tuple[int, ...] | None = None

    @property
    def is_float(self) -> bool:
        """Whether the tensor is merged; others are taken from the base."""
        return self.dtype in FLOATS.values()

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return nbytes(self.dtype, self.shape)


def read_header(path: Path) -> dict[str, Entry]:
    """Return the entries of the safetensors file ``path``, checked against its size.

    Raises:
        InputError: the file is missing, truncated, or not a safetensors file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the name of the checkpoint.")
    total = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER, max(0, total - 8)):
            raise InputError(
                f"{path}: not a whole safetensors file: it states a header of {length}"
                f" bytes in a file of {total}; fetch it again."
            )
        raw = file.read(length)
    try:
        header = json.loads(raw)
        header.pop("__metadata__", None)
        entries = {
            name: _entry(path, 8 + length, field) for name, field in header.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: the safetensors header is not valid ({error}); fetch it again."
        ) from error
    end = 8 + length
    for name, entry in sorted(entries.items(), key=lambda item: item[1].start):
        if entry.start != end:
            raise InputError(
                f"{path}: tensor {name} starts at byte {entry.start}, expected {end};"
                " the file is damaged, fetch it again."
            )
        end += entry.nbytes
    if end != total:
        what = "truncated" if total < end else "longer than its header says"
        raise InputError(
            f"{path}: {what}: the header states {end} bytes, the file has {total};"
            " fetch it again."
        )
    return entries


def read_metadata(path: Path) -> dict[str, str]:
    """Return the texts in the header of a file that ``read_header`` has accepted."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        metadata = json.loads(file.read(length)).get("__metadata__")
    return dict(metadata) if isinstance(metadata, dict) else {}


def _entry(path: Path, origin: int, field: Mapping[str, Any]) -> Entry:
    dtype, shape = field["dtype"], tuple(field["shape"])
    if dtype not in DTYPES:
        raise ValueError(f"unknown dtype {dtype}")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise ValueError(f"shape {shape}")
    start, stop = field["data_offsets"]
    if not type(start) is type(stop) is int:
        raise ValueError(f"data_offsets {start}, {stop}")
    entry = Entry(dtype, shape, path, origin + start)
    if stop - start != entry.nbytes:
        raise ValueError(f"{stop - start} bytes for {dtype} of shape {shape}")
    return entry


def write_header(
    file: BinaryIO,
    entries: Mapping[str, tuple[str, tuple[int, ...]]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the header for tensors that follow in the order of ``entries``."""
    texts = {"format": "pt"} | dict(metadata or {})
    header: dict[str, Any] = {"__metadata__": texts}
    offset = 0
    for name, (dtype, shape) in entries.items():
        stop = offset + nbytes(dtype, shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, stop]}
        offset = stop
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    file.write(struct.pack("<Q", len(raw)) + raw)


class SafetensorsWriter:
    """Write one file, tensor by tensor in the order of ``plan``.

    Args:
        path: File to write.
        plan: Name to header type and shape of every tensor.
        metadata: Texts for the header.
    """

    def __init__(
        self,
        path: Path,
        plan: Mapping[str, tuple[str, tuple[int, ...]]],
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._path, self._plan, self._metadata = path, plan, metadata
        self._left = iter(plan)
        self._file: BinaryIO | None = None
        self.total = sum(nbytes(*spec) for spec in plan.values())

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        write_header(self._file, self._plan, self._metadata)
        return self

    def begin(self, name: str) -> None:
        """Go on to the tensor ``name``, the next of the plan."""
        if name != (expected := next(self._left)):
            raise AssertionError(f"planned {expected}, got {name}")

    def put(self, bits: "NDArray[Any]") -> None:
        """Write stored bits of the tensor that was begun."""
        assert self._file
        self._file.write(bits.data)

    def __exit__(self, *_: object) -> None:
        assert self._file
        self._file.close()
