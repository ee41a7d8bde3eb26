"""The leading eigenvectors of a symmetric matrix on the CPU.

numpy finds all eigenvectors or none, and scipy's wrappers hold Python's lock while
LAPACK works, so that threads would wait for each other. Here the LAPACK that scipy
ships is called past its wrappers, and only wanted eigenvectors are transformed back:
the whole takes two thirds of numpy's time.
"""

import ctypes
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Columns that LAPACK's blocked routines work on at once, at most.
BLOCK = 64


def eigh(matrix: "NDArray[Any]", count: int) -> tuple["NDArray[Any]", "NDArray[Any]"]:
    """Return all eigenvalues and the eigenvectors of the ``count`` largest, descending.

    Args:
        matrix: (n, n), symmetric, float64.
        count: Number of eigenvectors, in [0, n].

    Raises:
        numpy.linalg.LinAlgError: LAPACK did not converge.

    Example:
        >>> import numpy as np
        >>> values, vectors = eigh(np.diag([1.0, 3.0, 2.0]), 1)
        >>> values.tolist(), abs(vectors).T.tolist()
        ([3.0, 2.0, 1.0], [[0.0, 1.0, 0.0]])
    """
    import numpy as np

    n = len(matrix)
    # The transpose, which is the same, lies in memory as LAPACK wants it.
    reflectors = np.array(matrix.T, dtype=np.float64, order="F")
    values, beside, factors = np.empty(n), np.empty(n), np.empty(n)
    vectors = np.empty((n, n), order="F")
    work = np.empty(1 + 4 * n + n * n + BLOCK * (n + BLOCK + 1))
    counts = np.empty(3 + 5 * n, np.intc)
    room, more = work.size, counts.size
    _call("dsytrd", b"L", n, reflectors, n, values, beside, factors, work, room)
    _call("dstedc", b"I", n, values, beside, vectors, n, work, room, counts, more)
    kept = vectors[:, n - count :]
    left = (b"L", b"L", b"N", n, count)
    _call("dormtr", *left, reflectors, n, factors, kept, n, work, room)
    return values[::-1], kept[:, ::-1]


def _call(name: str, *arguments: "bytes | int | NDArray[Any]") -> None:
    """Call a routine of LAPACK, everything by reference, and check how it ended."""
    import numpy as np

    info = ctypes.c_int()
    _routine(name)(*map(_reference, arguments), ctypes.byref(info))
    if info.value:
        raise np.linalg.LinAlgError(f"LAPACK's {name} ended with {info.value}")


def _reference(argument: "bytes | int | NDArray[Any]") -> Any:  # noqa: ANN401
    if isinstance(argument, bytes):
        return ctypes.c_char_p(argument)
    if isinstance(argument, int):
        return ctypes.byref(ctypes.c_int(argument))
    return ctypes.c_void_p(argument.ctypes.data)


@cache
def _routine(name: str) -> Any:  # noqa: ANN401
    """Return a routine of LAPACK, which scipy offers by its address to Cython."""
    from scipy.linalg import cython_lapack

    capsule = ctypes.py_object(cython_lapack.__pyx_capi__[name])
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    # A function made so runs without Python's lock.
    return ctypes.CFUNCTYPE(None)(address)
