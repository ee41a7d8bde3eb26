"""What rounding to the type of a file leaves in a task vector.

A weight w is stored with an error that is uniform between half the distance d to its
neighbours below and above, of deviation d / sqrt(12). With the unit roundoff u (2^-24
in F32, 2^-11 in F16, 2^-8 in BF16) and the significand m of w, in [1, 2), d is
2 u |w| / m. log m is uniform in weights as in most data, so that the mean of 1 / m^2 is
3 / (8 log 2): the deviation is u |w| / sqrt(8 log 2).

The errors of a matrix are independent. The largest singular value of such a matrix is
at most, within a small factor, the largest deviation of a row plus that of a column.
Where all entries have the deviation s, this is s (sqrt(rows) + sqrt(columns)).

Source: Bandeira and van Handel, *Sharp nonasymptotic bounds on the norm of random
matrices with independent entries*, Ann. Probab. 44, 2016, Theorem 1.1 [paper]. In the
matrices of Whisper base the bound is 1.2 to 1.6 times the largest singular value of the
errors; s (sqrt(rows) + sqrt(columns)), with the mean of s^2, is 0.3 to 1 times it and
would let noise pass for knowledge [measured].
"""

import math

from espnet_merge.arrays import Array, Float, Float64
from espnet_merge.linalg.backend import library

# Largest error of a stored number, as a fraction of it.
UNIT_ROUNDOFF = {"F32": 2.0**-24, "F16": 2.0**-11, "BF16": 2.0**-8}


def deviation(dtype: str | None) -> float:
    """Return the standard deviation of the error of a weight, as a fraction of it.

    Args:
        dtype: Type in the header of a file; F64 counts as exact. None is what has not
            been rounded.

    Example:
        >>> [f"{deviation(dtype):.2e}" for dtype in ("F32", "F16", "BF16")]
        ['2.53e-08', '2.07e-04', '1.66e-03']
    """
    return UNIT_ROUNDOFF.get(dtype or "", 0.0) / math.sqrt(8 * math.log(2))


def rounding_floor(weights: Float[Array, "rows columns"], dtype: str | None) -> float:
    """Return the largest singular value that errors of stored weights probably have.

    Args:
        weights: The weights.
        dtype: As for ``deviation``.

    Example:
        >>> import numpy as np
        >>> floor = rounding_floor(np.ones((4, 9)), "F16")
        >>> round(floor / deviation("F16"), 6)
        5.0
    """
    return floor_of(*energies(weights), dtype) if deviation(dtype) else 0.0


def energies(
    weights: Float[Array, "rows columns"],
) -> tuple[float, Float64[Array, " columns"]]:
    """Return the largest sum of squares of a row, and the sums of all columns.

    Those of a matrix are the maximum and the sum over its chunks of rows.
    """
    squares, float64 = weights**2, library(weights).float64
    return float(squares.sum(1).max()), squares.sum(0, dtype=float64)


def floor_of(
    row: float, columns: Float64[Array, " columns"], dtype: str | None
) -> float:
    """Return ``rounding_floor``, given the ``energies`` of the weights."""
    return deviation(dtype) * (math.sqrt(row) + math.sqrt(float(columns.max())))
