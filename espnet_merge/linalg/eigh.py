"""The leading eigenvectors of a symmetric matrix on the CPU.

numpy finds all eigenvectors or none. scipy's wrappers hold Python's lock while LAPACK
works, so that threads would wait for each other. This file calls the LAPACK that scipy
ships without its wrappers, for the wanted eigenvectors alone: a leading quarter takes
two fifths of numpy's time. Where a scipy does not offer the routines, numpy's
eigenvectors are taken.
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

# The routines of LAPACK that are called. scipy offers them to Cython, and promises
# neither these names nor the width of their integers.
ROUTINES = ("dsytrd", "dormtr", "dsterf", "dstedc", "dpttrf", "dlar1v")
# How scipy's signature of a routine writes an integer of 32 bits.
INT32 = re.compile(rb"[(, ]int \*")
# Columns in a block of LAPACK's routines, at most (NBMAX in its dormql).
BLOCK = 64
# Rows that a matrix has in memory beyond its own. Without them columns of 512 or 1024
# entries compete for the same lines of the cache, and LAPACK takes a quarter more time
# (measured).
PADDING = 24
# All eigenvectors of smaller matrices are computed, which takes 0.2 ms.
SMALL = 64
# Largest deviation of eigenvectors found one by one from orthonormality, and from their
# equation, where the largest eigenvalue is 1. Usual are 1e-12 and 1e-14.
ORTHONORMAL, SOLVED = 1e-10, 1e-12


def eigh(
    matrix: Float64[Array, "n n"], count: int, least: float = 0.0
) -> tuple[Float64[Array, " n"], Float64[Array, "n kept"]]:
    """Return all eigenvalues, and eigenvectors of the largest, descending.

    Args:
        matrix: (n, n), symmetric, float64.
        count: Number of eigenvectors, in [0, n].
        least: Eigenvectors may be left out whose eigenvalues are below this fraction of
            the largest.

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
    # The matrix is symmetric: its rows are the columns that LAPACK wants.
    reflectors[:] = matrix.T
    height = n + PADDING
    diagonal, off_diagonal, factors = np.empty(n), np.empty(n), np.empty(n)
    work = np.empty(BLOCK * (n + BLOCK + 1))
    lwork = work.size
    found = (diagonal, off_diagonal, factors)
    _call("dsytrd", b"L", n, reflectors, height, *found, work, lwork)
    values, vectors = _leading(diagonal, off_diagonal[: n - 1], count, least)
    count = vectors.shape[1]
    left = (b"L", b"L", b"N", n, count)
    _call("dormtr", *left, reflectors, height, factors, vectors, height, work, lwork)
    return values[::-1], vectors[:, ::-1]


def _columns(rows: int, count: int) -> Float64[Array, "rows count"]:
    """Return an empty matrix, stored by columns as LAPACK wants it, and padded."""
    import numpy as np

    return np.empty((rows + PADDING, count), order="F")[:rows]


def _leading(
    diagonal: Float64[Array, " n"],
    off_diagonal: Float64[Array, " n-1"],
    count: int,
    least: float,
) -> tuple[Float64[Array, " n"], Float64[Array, "n kept"]]:
    """Return all eigenvalues of a tridiagonal matrix and its last vectors, ascending.

    Few vectors are computed one by one, which takes little time. That fails where
    eigenvalues lie close together; then all vectors are computed.
    """
    import numpy as np

    n = len(diagonal)
    if n > SMALL and 2 * count <= n:
        values = diagonal.copy()
        _call("dsterf", n, values, off_diagonal.copy())
        if least:
            count = min(count, int((values > least * values[-1]).sum()))
        wanted = values[n - count :]
        with np.errstate(all="ignore"):
            vectors = _one_by_one(diagonal, off_diagonal, wanted)
            solved = _solve(vectors, diagonal, off_diagonal, wanted)
        if solved:
            return values, vectors
    vectors = _columns(n, n)
    work, counts = np.empty(1 + 4 * n + n * n), np.empty(3 + 5 * n, np.intc)
    workspace = (work, work.size, counts, counts.size)
    _call("dstedc", b"I", n, diagonal, off_diagonal, vectors, n + PADDING, *workspace)
    return diagonal, vectors[:, n - count :]


def _one_by_one(
    diagonal: Float64[Array, " n"],
    off_diagonal: Float64[Array, " n-1"],
    values: Float64[Array, " kept"],
) -> Float64[Array, "n kept"]:
    """Return a vector for each eigenvalue, by twisted factorisations.

    They start from L D L' of the matrix. It is shifted so little that D becomes
    positive within rounding.
    """
    import numpy as np

    n = len(diagonal)
    shift = n * np.finfo(np.float64).eps * abs(diagonal).max()
    pivots, lower = diagonal + shift, off_diagonal.copy()
    vectors = _columns(n, len(values))
    vectors[:] = 0  # if LAPACK gives up, these fail the check of ``_solve``
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
    off_diagonal: Float64[Array, " n-1"],
    values: Float64[Array, " kept"],
) -> bool:
    """Tell whether the vectors are orthonormal and solve the tridiagonal problem."""
    import numpy as np

    rest = vectors * (diagonal[:, None] - values)
    rest[1:] += off_diagonal[:, None] * vectors[:-1]
    rest[:-1] += off_diagonal[:, None] * vectors[1:]
    angles = vectors.T @ vectors - np.eye(len(values))
    largest = abs(values).max(initial=0)
    return bool(
        abs(rest).max(initial=0) <= SOLVED * largest
        and abs(angles).max(initial=0) <= ORTHONORMAL
    )


def _call(name: str, *arguments: bytes | int | Array) -> None:
    """Call a routine of LAPACK, all arguments by reference, and check its status."""
    import numpy as np

    info = ctypes.c_int()
    routines()[name](*_references(*arguments), ctypes.byref(info))
    if info.value:
        raise np.linalg.LinAlgError(f"LAPACK's {name} ended with {info.value}")


def _references(*arguments: bytes | int | Array) -> list[Any]:
    """Return the references that LAPACK takes; the arguments must outlive them."""
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
