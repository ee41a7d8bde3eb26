"""Singular values of task vectors that may be rounding alone."""

from collections.abc import Sequence
from functools import partial

from espnet_merge.arrays import Array, ByExpert, Float64
from espnet_merge.linalg.rounding import energies, floor_of, rounding_floor
from espnet_merge.methods._base import Stream, TensorInfo, map_chunks


def floors(info: TensorInfo, count: int) -> Sequence[float]:
    """Return for each of ``count`` experts what singular values must exceed.

    The rounding is that of the expert's file, float32 where nothing is known of it. The
    base is taken as exact, for an expert starts from it as it is stored.
    """
    if info.base is None:
        return [0.0] * count
    return [
        info.memoise(
            ("rounding_floor", dtype), partial(rounding_floor, info.base, dtype)
        )
        for dtype in info.stored or ("F32",) * count
    ]


def floors_of_rows(stream: Stream) -> Sequence[float]:
    """Return the same for a matrix that comes as a stream of rows."""
    info, deltas = next(iter(stream))
    if info.base is None:
        return [0.0] * len(deltas)
    parts = list(map_chunks(stream, _energies))
    row, columns = max(row for row, _ in parts), sum(columns for _, columns in parts)
    stored = info.stored or ("F32",) * len(deltas)
    return [floor_of(row, columns, dtype) for dtype in stored]


def _energies(
    info: TensorInfo, deltas: ByExpert
) -> tuple[float, Float64[Array, " columns"]]:
    del deltas
    assert info.base is not None
    return energies(info.base.reshape(-1, info.shape[1]))
