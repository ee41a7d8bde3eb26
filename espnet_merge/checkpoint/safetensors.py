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
from typing import TYPE_CHECKING, Any, BinaryIO

from espnet_merge.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# name in the header -> numpy type of the stored bits
DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
FLOATS = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64"}
# The limit of the reference implementation.
MAX_HEADER = 100_000_000


def itemsize(dtype: str) -> int:
    """Return the bytes of one entry of the header type ``dtype``."""
    return int(DTYPES[dtype][-1]) if dtype != "BOOL" else 1


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
        return self.size * itemsize(self.dtype)


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


def to_float(
    stored: "NDArray[Any]",
    dtype: str,
    compute: str,
    minus: "NDArray[Any] | None" = None,
) -> "NDArray[Any]":
    """Return ``stored`` bits of header type ``dtype`` as floats of type ``compute``.

    Args:
        stored: Flat.
        dtype: The header type.
        compute: float32 or float64.
        minus: What is subtracted, of type ``compute``.
    """
    import numpy as np

    if dtype == "BF16":
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    if dtype == "F16":
        from espnet_merge.kernels import half_to_float

        halves, stored = stored.view("<i2"), np.empty(stored.shape, np.float32)
        fused = None if compute == "float64" else minus
        half_to_float(halves, fused, stored)
        if fused is not None:
            return stored
    values = stored.astype(compute, copy=False)
    return values if minus is None else values - minus


def is_finite(values: "NDArray[Any]") -> bool:
    """Tell whether floats, as they are stored, hold neither NaN nor Inf."""
    import numpy as np

    if values.dtype == np.float16:
        from espnet_merge.kernels import is_finite_half

        return bool(is_finite_half(values.view("<i2")))
    if values.dtype == np.uint16:
        # bfloat16, which numpy does not know, is the upper half of a float32.
        return bool((values & 0x7F80).max(initial=0) < 0x7F80)
    return bool(np.isfinite(values).all())


def to_stored(values: "NDArray[Any]", dtype: str) -> "NDArray[Any]":
    """Return ``values`` rounded to nearest even as bits of header type ``dtype``."""
    import numpy as np

    if dtype == "BF16":
        bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
        return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    if dtype == "F16" and values.dtype == np.float32:
        from espnet_merge.kernels import float_to_half

        halves = np.empty(values.shape, np.int16)
        float_to_half(values.ravel(), halves.ravel())
        return halves.view("<f2")
    return np.ascontiguousarray(values, DTYPES[dtype])


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
        stop = offset + math.prod(shape) * itemsize(dtype)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, stop]}
        offset = stop
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    file.write(struct.pack("<Q", len(raw)) + raw)
