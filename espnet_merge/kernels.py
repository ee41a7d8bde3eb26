"""Loops over single entries, compiled to machine code when they are first used.

numpy makes a pass through memory for each operation; these loops read an entry once.
The compiled code is kept in the directory of this file, or in the user's cache where
that is read-only. Sums and roundings are those of numpy, entry by entry, so that the
bits are the same on every processor. Arrays are flat. No loop holds Python's lock.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What a float16 has in its bits.
SIGN, FINITE, INFINITE = np.int32(0x8000), np.int32(0x7FFF), np.int32(0x7C00)
# What the exponent of a float32 is larger by, in its bits and as a factor.
BIAS = np.int32(112 << 23)
BIAS_FACTOR = np.float32(2.0**112)
# From here on a float32 is infinite or NaN.
INFINITE_F32 = np.int32(0x7F800000)
# Entries that ``within`` looks through at a time: a multiple of 8, and in float64 small
# enough for the innermost cache.
FINITE_CHECK_ENTRIES = 1024
# The smallest float32 that is not subnormal as float16.
SMALLEST_NORMAL = np.int32(113 << 23)


def compiled[F: Callable[..., Any]](function: F) -> F:
    """Compile the function when it is first called, and keep the result on disk."""
    try:
        return cast("F", njit(nogil=True, cache=True)(function))
    except RuntimeError:
        # No directory can be written to: it is compiled again in each process.
        return cast("F", njit(nogil=True)(function))


def _bitcast(kind: Any, to: Any) -> Any:  # noqa: ANN401 - types of numba
    """Return a function that reads the bits of one type as another."""

    def typed(context: Any, value: Any) -> Any:  # noqa: ANN401
        del context, value

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ANN401
            del signature
            return builder.bitcast(args[0], context.get_value_type(to))

        return to(kind), generate

    return intrinsic(typed)


_bits_of = _bitcast(types.float32, types.int32)
_float_of = _bitcast(types.int32, types.float32)


@compiled
def is_finite_half(stored: "NDArray[Any]") -> bool:
    """Tell whether float16, given as int16, hold neither NaN nor Inf."""
    largest = np.int16(0)
    for i in range(stored.size):
        largest = max(largest, np.int16(stored[i] & FINITE))
    return bool(largest < INFINITE)


@compiled
def half_to_float(
    stored: "NDArray[Any]", minus: "NDArray[Any] | None", out: "NDArray[Any]"
) -> None:
    """Write float16, given as int16, as float32, minus other float32.

    NaN and Inf remain.
    """
    for i in range(stored.size):
        half = np.int32(stored[i])
        # Sign, exponent and fraction move to their places in float32. The product
        # corrects the bias of the exponent, of subnormal numbers, too.
        value = _float_of((half << np.int32(13)) & np.int32(-0x70002000))
        value = value * BIAS_FACTOR
        if half & INFINITE == INFINITE:
            value = _float_of(_bits_of(value) | INFINITE_F32)
        out[i] = value if minus is None else value - minus[i]


@compiled
def float_to_half(values: "NDArray[Any]", out: "NDArray[Any]") -> None:
    """Write float32 as float16, given as int16, rounded to nearest even."""
    for i in range(values.size):
        bits = _bits_of(values[i])
        size = bits & np.int32(0x7FFFFFFF)
        odd = (size >> np.int32(13)) & np.int32(1)
        normal = (size + np.int32(0xFFF) + odd - BIAS) >> np.int32(13)
        # The processor rounds this sum to the last bits of a subnormal float16.
        sum_ = _float_of(size) + np.float32(0.5)
        subnormal = _bits_of(sum_) - _bits_of(np.float32(0.5))
        half = subnormal if size < SMALLEST_NORMAL else min(normal, INFINITE)
        if size > INFINITE_F32:
            half = FINITE
        out[i] = np.int16(half | ((bits >> np.int32(16)) & SIGN))


@compiled
def within(
    values: "NDArray[Any]",
    low: float,
    high: float,
    magnitudes: bool,
    inside: "NDArray[Any]",
) -> tuple[int, int]:
    """Find the entries in [low, high].

    Args:
        values: Where to look.
        low: Of the same type.
        high: Of the same type.
        magnitudes: Whether it is these that are looked at.
        inside: Their indices are written to its begin; longer than ``values`` by one.

    Returns:
        Number of entries below ``low``, and of those found.
    """
    below = count = 0
    found = np.empty(FINITE_CHECK_ENTRIES, np.uint8)
    words = found.view(np.uint64)
    for start in range(0, values.size, FINITE_CHECK_ENTRIES):
        chunk = values[start : start + FINITE_CHECK_ENTRIES]
        # Two short loops, for many entries at a time; few words have any that is found.
        found[chunk.size :] = 0
        for i in range(chunk.size):
            value = abs(chunk[i]) if magnitudes else chunk[i]
            found[i] = np.uint8(value >= low) & np.uint8(value <= high)
        under = np.int32(0)
        for i in range(chunk.size):
            value = abs(chunk[i]) if magnitudes else chunk[i]
            under += np.int32(value < low)
        below += int(under)
        for word in range(words.size):
            if words[word]:
                for i in range(8 * word, 8 * word + 8):
                    inside[count] = start + i
                    count += found[i]
    return below, count


@compiled
def vote(
    values: "NDArray[Any]", threshold: float, weight: float, votes: "NDArray[Any]"
) -> None:
    """Add to the votes the entries, weighted, whose magnitude reaches the threshold."""
    zero = votes.dtype.type(0)
    for i in range(values.size):
        votes[i] += weight * values[i] if abs(values[i]) >= threshold else zero


@compiled
def add_agreeing(
    values: "NDArray[Any]",
    threshold: float,
    weight: float,
    votes: "NDArray[Any]",
    total: "NDArray[Any]",
    divisor: "NDArray[Any]",
) -> None:
    """Add to the total the entries, weighted, that have the sign of the votes.

    Their magnitude must reach the threshold. The sign is plus where the votes cancel; a
    zero has none. The weights that were added are counted in the divisor.
    """
    zero = total.dtype.type(0)
    for i in range(values.size):
        value = values[i]
        agrees = ((value > zero) == (votes[i] >= zero)) & (value != zero)
        agrees &= abs(value) >= threshold
        total[i] += weight * value if agrees else zero
        divisor[i] += weight if agrees else zero
