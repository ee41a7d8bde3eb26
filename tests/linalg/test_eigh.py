"""The leading eigenvectors against numpy's."""

import ctypes
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.linalg import eigh as module
from espnet_merge.linalg.decompose import svd
from espnet_merge.linalg.eigh import ROUTINES, _call, eigh, lapack, routines


@settings(max_examples=40, deadline=None, derandomize=True)
@given(n=st.integers(1, 40), rank=st.integers(0, 40), count=st.integers(0, 40))
def test_solves_the_eigenproblem(n, rank, count):
    x = np.random.default_rng(n).normal(size=(n, rank))
    matrix, count = x @ x.T, min(n, count)
    before = matrix.copy()
    values, vectors = eigh(matrix, count)
    np.testing.assert_array_equal(matrix, before)
    np.testing.assert_allclose(
        values, np.linalg.eigvalsh(matrix)[::-1], atol=1e-12 * (1 + values[0])
    )
    assert vectors.shape == (n, count)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(count), atol=1e-12)
    np.testing.assert_allclose(
        matrix @ vectors, vectors * values[:count], atol=1e-12 * (1 + values[0])
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(65, 140),
    levels=st.lists(st.sampled_from([1.0, 0.999, 0.5, 1e-3, 1e-9, 0.0]), max_size=4),
    apart=st.sampled_from([0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3]),
    share=st.floats(0, 0.5),
    blocks=st.booleans(),
)
def test_solves_it_where_eigenvalues_lie_close(n, levels, apart, share, blocks):
    rng = np.random.default_rng(n)
    values = rng.choice([1.0, *levels], n) + apart * rng.random(n)
    size = n // 2 if blocks else n
    basis = np.zeros((n, n))
    for part in (slice(size), slice(size, n)):
        width = len(range(n)[part])
        basis[part, part] = np.linalg.qr(rng.normal(size=(width, width)))[0]
    matrix = (basis * values) @ basis.T
    matrix, count = (matrix + matrix.T) / 2, int(share * n)
    found, vectors = eigh(matrix, count)
    assert vectors.shape == (n, count)
    np.testing.assert_allclose(found, np.sort(values)[::-1], atol=1e-13)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(count), atol=1e-9)
    np.testing.assert_allclose(matrix @ vectors, vectors * found[:count], atol=1e-11)


def test_vectors_of_small_eigenvalues_may_be_left_out():
    x = np.random.default_rng(0).normal(size=(100, 7))
    values, vectors = eigh(x @ x.T, 40, 1e-10)
    assert vectors.shape == (100, 7)
    np.testing.assert_allclose(x @ x.T, (vectors * values[:7]) @ vectors.T, atol=1e-11)


def test_other_threads_go_on_meanwhile():
    matrix = np.cov(np.random.default_rng(0).normal(size=(900, 1000)))
    ticks, done = [], threading.Event()

    def tick():
        while not done.wait(0.002):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    eigh(matrix, 10)
    end = time.perf_counter()
    done.set()
    thread.join()
    assert sum(start < at < end for at in ticks) >= 3


def test_says_which_routine_failed():
    x = np.zeros(1)
    with pytest.raises(np.linalg.LinAlgError, match=r"dsytrd ended with -2"):
        _call("dsytrd", b"L", -1, x, 1, x, x, x, x, 1)


LOADED = """
import sys
from espnet_merge.linalg.eigh import lapack
mine = lapack()
assert "scipy.linalg" not in sys.modules
from scipy.linalg import cython_lapack
assert cython_lapack.__pyx_capi__.keys() == mine.__pyx_capi__.keys()
"""


def test_lapack_is_loaded_alone_before_scipy_or_after():
    subprocess.run([sys.executable, "-c", LOADED], check=True)
    from scipy.linalg import cython_lapack

    assert lapack().__pyx_capi__.keys() == cython_lapack.__pyx_capi__.keys()


@pytest.fixture
def fresh():
    """Look for the routines anew, before the test and after it."""
    routines.cache_clear()
    yield
    routines.cache_clear()


class Scipy:
    """What scipy might be one day."""

    def __init__(self, **capsules):
        self.__pyx_capi__ = {n: lapack().__pyx_capi__[n] for n in ROUTINES} | capsules


def without(name):
    offered = Scipy()
    del offered.__pyx_capi__[name]
    return offered


def no_module():
    raise ImportError("scipy 9.0 has no linalg.cython_lapack")


def capsule(signature):
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return new(1, signature, None)


# A capsule points to its name for as long as it lives.
WIDE = b"void (char *, int64_t *, double *)"
OTHER_SCIPYS = {
    "a routine is gone": lambda: without("dsytrd"),
    "a private routine is gone": lambda: without("dlar1v"),
    "the module is gone": no_module,
    "the table is gone": object,
    "integers are wide": lambda: Scipy(dsterf=capsule(WIDE)),
}


@pytest.mark.parametrize("other", OTHER_SCIPYS)
def test_numpy_stands_in_where_scipy_lacks_a_routine(fresh, monkeypatch, other):
    monkeypatch.setattr(module, "lapack", OTHER_SCIPYS[other])
    assert routines() == {}
    x = np.random.default_rng(0).normal(size=(90, 70))
    values, vectors = eigh(x.T @ x, 20, 1e-10)
    assert vectors.shape == (70, 20)
    np.testing.assert_allclose(values, np.linalg.svd(x)[1] ** 2, rtol=1e-12)
    np.testing.assert_allclose(
        x.T @ x @ vectors, vectors * values[:20], atol=1e-12 * values[0]
    )
    np.testing.assert_allclose(svd(x).dense(), x, atol=1e-12)
