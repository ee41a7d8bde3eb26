"""The leading eigenvectors of a symmetric matrix on the CPU.

numpy finds all eigenvectors or none, and scipy's wrappers hold Python's lock while
LAPACK works, so that threads would wait for each other. Here the LAPACK that scipy
ships is called past its wrappers, and only wanted eigenvectors are computed: a leading
quarter takes two fifths of numpy's time. Where this scipy does not offer the routines,
numpy's eigenvectors are taken.
"""

import contextlib
import ctypes
import re
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

from espnet_merge.arrays import Array, Float64

# What is called of LAPACK. scipy has it for Cython, and promises neither these names
# nor the width of their integers.
ROUTINES = ("dsytrd", "dormtr", "dsterf", "dstedc", "dpttrf", "dlar1v")
# How scipy's signature of a routine writes an integer of 32 bits.
INT32 = re.compile(rb"[(, ]int \*")
# Columns that LAPACK's blocked routines work on at once, at most.
BLOCK = 64
# Rows that a matrix has more of in memory. Without them columns of 512 or 1024 entries
# would all lie at the same places of the cache, and LAPACK take a quarter more time.
PADDING = 24
# Of smaller matrices all eigenvectors are computed.
SMALL = 64
# How far eigenvectors found one by one may be from orthonormal, and from solving their
# equation, of which the largest eigenvalue is 1. Usual are 1e-12 and 1e-14.
ORTHONORMAL, SOLVED = 1e-10, 1e-12


def eigh(
    matrix: Float64[Array, "n n"], count: int, least: float = 0.0
) -> tuple[Float64[Array, " n"], Float64[Array, "n kept"]]:
    """Return all eigenvalues, and eigenvectors of the largest, descending.

    Args:
        matrix: (n, n), symmetric, float64.
        count: Number of eigenvectors, in [0, n].
        least: Those of eigenvalues below this share of the largest may be left out.

    Raises:
        numpy.linalg.LinAlgError: LAPACK did not converge.

    Example:
        >>> import numpy as np
        >>> values, vectors = eigh(np.diag([1.0, 3.0, 2.0]), 1)
        >>> values.tolist(), abs(vectors).T.tolist()
        ([3.0, 2.0, 1.0], [[0.0, 1.0, 0.0]])
    """
    import numpy as np

    if not routines():
        values, vectors = np.linalg.eigh(matrix)
        return values[::-1], vectors[:, ::-1][:, :count]
    n = len(matrix)
    reflectors = _columns(n, n)
    # The transpose, which is the same, lies in memory as the columns do.
    reflectors[:] = matrix.T
    height = n + PADDING
    diagonal, beside, factors = np.empty(n), np.empty(n), np.empty(n)
    work = np.empty(BLOCK * (n + BLOCK + 1))
    room = work.size
    _call("dsytrd", b"L", n, reflectors, height, diagonal, beside, factors, work, room)
    values, vectors = _leading(diagonal, beside[: n - 1], count, least)
    count = vectors.shape[1]
    left = (b"L", b"L", b"N", n, count)
    _call("dormtr", *left, reflectors, height, factors, vectors, height, work, room)
    return values[::-1], vectors[:, ::-1]


def _columns(rows: int, count: int) -> Float64[Array, "rows count"]:
    """Return room for a matrix, column after column as LAPACK wants it, and padded."""
    import numpy as np

    return np.empty((rows + PADDING, count), order="F")[:rows]


def _leading(
    diagonal: Float64[Array, " n"],
    beside: Float64[Array, " n-1"],
    count: int,
    least: float,
) -> tuple[Float64[Array, " n"], Float64[Array, "n kept"]]:
    """Return all eigenvalues of a tridiagonal matrix and its last vectors, ascending.

    A few vectors are found one by one, which takes little time where eigenvalues lie
    apart. Where they do not, the vectors are not those of the matrix: all are computed.
    """
    import numpy as np

    n = len(diagonal)
    if n > SMALL and 2 * count <= n:
        values = diagonal.copy()
        _call("dsterf", n, values, beside.copy())
        if least:
            count = min(count, int((values > least * values[-1]).sum()))
        wanted = values[n - count :]
        with np.errstate(all="ignore"):
            vectors = _one_by_one(diagonal, beside, wanted)
            solved = _solve(vectors, diagonal, beside, wanted)
        if solved:
            return values, vectors
    vectors = _columns(n, n)
    work, counts = np.empty(1 + 4 * n + n * n), np.empty(3 + 5 * n, np.intc)
    rooms = (work, work.size, counts, counts.size)
    _call("dstedc", b"I", n, diagonal, beside, vectors, n + PADDING, *rooms)
    return diagonal, vectors[:, n - count :]


def _one_by_one(
    diagonal: Float64[Array, " n"],
    beside: Float64[Array, " n-1"],
    values: Float64[Array, " kept"],
) -> Float64[Array, "n kept"]:
    """Return a vector for each eigenvalue, by twisted factorisations.

    They start from L D L' of the matrix, shifted so little that D becomes positive as
    far as rounding goes.
    """
    import numpy as np

    n = len(diagonal)
    shift = n * np.finfo(np.float64).eps * abs(diagonal).max()
    pivots, lower = diagonal + shift, beside.copy()
    vectors = _columns(n, len(values))
    vectors[:] = 0  # which no check takes for vectors, where LAPACK gives up
    with contextlib.suppress(np.linalg.LinAlgError):
        _call("dpttrf", n, pivots, lower)
        once, twice = lower * pivots[:-1], lower**2 * pivots[:-1]
        vector, work = np.zeros(n), np.empty(4 * n)
        value, tiny, gap, square, twist, inverse, *rest = np.zeros((8, 1))
        tiny[:] = np.finfo(np.float64).tiny
        below, row, support = np.zeros((3, 2), np.intc)
        matrix: list[Any] = [n, 1, n, value, pivots, lower, once, twice, tiny, gap]
        found: list[Any] = [vector, 0, below, square, twist, row, support, inverse]
        references = _references(*matrix, *found, *rest, work)
        dlar1v = routines()["dlar1v"]
        for column, wanted in zip(vectors.T, values + shift, strict=True):
            value[:], row[:] = wanted, 0
            dlar1v(*references)
            np.multiply(vector, inverse, out=column)
    return vectors


def _solve(
    vectors: Float64[Array, "n kept"],
    diagonal: Float64[Array, " n"],
    beside: Float64[Array, " n-1"],
    values: Float64[Array, " kept"],
) -> bool:
    """Tell whether they are orthonormal eigenvectors of the tridiagonal matrix."""
    import numpy as np

    rest = vectors * (diagonal[:, None] - values)
    rest[1:] += beside[:, None] * vectors[:-1]
    rest[:-1] += beside[:, None] * vectors[1:]
    angles = vectors.T @ vectors - np.eye(len(values))
    largest = abs(values).max(initial=0)
    return bool(
        abs(rest).max(initial=0) <= SOLVED * largest
        and abs(angles).max(initial=0) <= ORTHONORMAL
    )


def _call(name: str, *arguments: bytes | int | Array) -> None:
    """Call a routine of LAPACK, everything by reference, and check how it ended."""
    import numpy as np

    info = ctypes.c_int()
    routines()[name](*_references(*arguments), ctypes.byref(info))
    if info.value:
        raise np.linalg.LinAlgError(f"LAPACK's {name} ended with {info.value}")


def _references(*arguments: bytes | int | Array) -> list[Any]:
    """Return what LAPACK takes for numbers, letters and arrays, which must live on."""
    return [_reference(argument) for argument in arguments]


def _reference(argument: bytes | int | Array) -> Any:  # noqa: ANN401
    if isinstance(argument, bytes):
        return ctypes.c_char_p(argument)
    if isinstance(argument, int):
        return ctypes.byref(ctypes.c_int(argument))
    return ctypes.c_void_p(argument.ctypes.data)


@cache
def routines() -> dict[str, Any]:
    """Return ``ROUTINES`` by name, or nothing where scipy does not offer them all."""
    try:
        capsules = lapack().__pyx_capi__
        return {name: _function(capsules[name]) for name in ROUTINES}
    except (ImportError, AttributeError, KeyError):
        return {}


def _function(capsule: Any) -> Any:  # noqa: ANN401
    """Return the routine whose address and signature scipy keeps in ``capsule``."""
    api, capsule = ctypes.pythonapi, ctypes.py_object(capsule)
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    signature = api.PyCapsule_GetName(capsule)
    if not INT32.search(signature):
        raise ImportError(f"integers of another width: {signature}")
    # A function made so runs without Python's lock.
    return ctypes.CFUNCTYPE(None)(api.PyCapsule_GetPointer(capsule, signature))


@cache
def lapack() -> Any:  # noqa: ANN401
    """Load LAPACK without ``scipy.linalg`` around it, which takes 0.2 s to import."""
    import scipy

    folders = [str(Path(folder) / "linalg") for folder in scipy.__path__]
    spec = PathFinder.find_spec("cython_lapack", folders)
    if spec is None or spec.loader is None:
        raise ImportError(f"scipy {scipy.__version__} has no linalg.cython_lapack")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
