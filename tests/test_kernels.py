import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from espnet_merge import kernels

HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.int16)


def rounded(values):
    out = np.empty(values.size, np.int16)
    kernels.float_to_half(values, out)
    return out.view(np.float16)


def expected(values):
    with np.errstate(over="ignore"):
        return values.astype(np.float16)


def test_every_half_and_what_lies_between_is_rounded_as_numpy_rounds():
    halves = HALVES.view(np.float16)
    exact = halves[np.isfinite(halves)].astype(np.float32)
    ordered = np.unique(exact)
    middle = (ordered[1:] + ordered[:-1]) / 2
    beside = [np.nextafter(middle, np.float32(end)) for end in (-np.inf, np.inf)]
    edge = np.array([65504, 65519.996, 65520, 1e38, np.inf, 1e-45, 0], np.float32)
    for values in (exact, middle, *beside, edge, -edge):
        np.testing.assert_array_equal(
            rounded(values).view(np.int16), expected(values).view(np.int16)
        )
    assert np.isnan(rounded(np.array([np.nan, -np.nan], np.float32))).all()


@given(arrays.arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32)))
def test_rounding_of_any_float(values):
    np.testing.assert_array_equal(rounded(values), expected(values))


def test_a_half_minus_a_float():
    out = np.empty(HALVES.size, np.float32)
    minus = np.linspace(-1, 1, HALVES.size, dtype=np.float32)
    kernels.half_to_float(HALVES, minus, out)
    with np.errstate(invalid="ignore"):
        wanted = HALVES.view(np.float16).astype(np.float32) - minus
    np.testing.assert_array_equal(out, wanted)


def test_one_half_that_is_not_finite_is_noticed():
    halves = HALVES.view(np.float16)
    assert kernels.is_finite_half(HALVES[np.isfinite(halves)])
    for bad in HALVES[~np.isfinite(halves)][::97]:
        assert not kernels.is_finite_half(np.array([0, bad, 0], np.int16))


@pytest.mark.parametrize("size", [0, 1, 7, 1024, 1025, 5000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("magnitudes", [True, False])
def test_entries_within_an_interval(size, dtype, magnitudes):
    values = np.random.default_rng(size).integers(-9, 9, size).astype(dtype)
    seen = abs(values) if magnitudes else values
    for low, high in [(2, 4), (3, 3), (-np.inf, np.inf), (9.5, 9.7), (5, 4)]:
        low, high = dtype(low), dtype(high)
        places = np.full(size + 1, -1)
        below, count = kernels.within(values, low, high, magnitudes, places)
        assert below == np.count_nonzero(seen < low)
        wanted = np.flatnonzero((seen >= low) & (seen <= high))
        np.testing.assert_array_equal(places[:count], wanted)


def test_votes_and_those_that_agree():
    values = np.array([3.0, -2.0, 0.0, -4.0, 1.0])
    votes = np.array([0.0, 1.0, 1.0, 1.0, -9.0])
    kernels.vote(values, 2.0, 0.5, votes)
    assert votes.tolist() == [1.5, 0.0, 1.0, -1.0, -9.0]
    total, divisor = np.zeros((2, 5))
    kernels.add_agreeing(values, 2.0, 0.5, votes, total, divisor)
    # Where the votes cancel the sign is plus; 1.0 is too small.
    assert total.tolist() == [1.5, 0.0, 0.0, -2.0, 0.0]
    assert divisor.tolist() == [0.5, 0.0, 0.0, 0.5, 0.0]


def test_where_nothing_can_be_kept_it_is_compiled_each_time():
    code = """
from numba.core.caching import CacheImpl
CacheImpl._locator_classes = []
import numpy as np
from espnet_merge.kernels import is_finite_half
print(is_finite_half(np.zeros(1, np.int16)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "True\n", run.stderr
