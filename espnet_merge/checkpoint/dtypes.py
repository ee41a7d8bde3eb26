"""Types of stored numbers: names, sizes, conversion, rounding, range."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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
# Largest finite value of a type.
LARGEST = {"F32": 3.4028e38, "F16": 65504.0, "BF16": 3.3895e38}


def itemsize(dtype: str) -> int:
    """Return the bytes of one entry of the header type ``dtype``."""
    return int(DTYPES[dtype][-1]) if dtype != "BOOL" else 1


def nbytes(dtype: str, shape: Sequence[int]) -> int:
    """Return the bytes of a tensor of the header type ``dtype``."""
    return math.prod(shape) * itemsize(dtype)


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


def check_overflow(name: str, merged: "NDArray[Any]", dtype: str) -> None:
    """Raise ``InputError`` where a value does not fit the type of the output."""
    # One pass where nothing but an infinity can be too large.
    if dtype == "F32" and merged.dtype == "f4" and is_finite(merged):
        return
    peak = float(max(merged.max(initial=0), -merged.min(initial=0)))
    if not peak <= LARGEST[dtype]:
        raise InputError(
            f"tensor {name}: the merged values reach {peak:g}, beyond the type of the"
            " output; lower the scale or use --dtype float32."
        )
