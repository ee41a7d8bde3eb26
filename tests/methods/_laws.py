"""Laws of merging, stated once; each method's test claims or disclaims them.

A claim is ``law(method, deltas)`` for numpy arrays, float64.
"""

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from espnet_merge.methods import TensorInfo
from tests.statistics_of import gram, write_statistics


@functools.cache
def statistics(kind, shape):
    """Write statistics of a tensor without a name, once for each shape."""
    rng = np.random.default_rng(0)
    tensor = rng.random(shape)
    if kind == "gram":
        tensor = gram(shape[1], rng) if len(shape) == 2 else np.ones(())
    path = Path(tempfile.mkdtemp(prefix="statistics-"))
    return write_statistics(path, kind, {"": tensor})


def ready(method, stacked):
    """Return the method with equal statistics of all experts, if it needs any."""
    if not hasattr(method, "statistics"):
        return method
    path = statistics(method.statistics_kind, np.shape(stacked)[1:])
    return replace(method, statistics=(path,) * len(stacked))


def delta_of(method, stacked, info=None):
    """Return the merged delta over a zero base, as numpy, for stacked numpy deltas."""
    base, *arrays = (np.array(x) for x in [np.zeros_like(stacked[0]), *stacked])
    merged = ready(method, stacked)(arrays, info or TensorInfo(base=base))
    return np.asarray(merged)


def order_free(method, deltas):
    forth, back = delta_of(method, deltas), delta_of(method, deltas[::-1])
    np.testing.assert_allclose(back, forth, rtol=0, atol=1e-8 * scale(deltas))


def inputs_unmodified(method, deltas):
    arrays = [np.array(x) for x in deltas]
    merged = ready(method, deltas)(arrays, TensorInfo())
    for array, delta in zip(arrays, deltas, strict=True):
        np.testing.assert_array_equal(array, delta)
        assert not np.shares_memory(np.asarray(merged), array)


def same_bytes(method, deltas):
    first, second = delta_of(method, deltas), delta_of(method, deltas)
    assert first.tobytes() == second.tobytes()


def one_expert_is_itself(method, deltas):
    merged = delta_of(method, deltas[:1])
    np.testing.assert_allclose(merged, deltas[0], rtol=0, atol=1e-4 * scale(deltas))


def identical_experts_are_one(method, deltas):
    same = np.stack([deltas[0]] * len(deltas))
    merged = delta_of(method, same)
    np.testing.assert_allclose(merged, deltas[0], rtol=1e-12, atol=0)


def zero_is_zero(method, deltas):
    merged = delta_of(method, np.zeros_like(deltas))
    assert not merged.any()
    assert np.isfinite(merged).all()


def homogeneous(method, deltas):
    single, triple = delta_of(method, deltas), delta_of(method, 3.0 * deltas)
    np.testing.assert_allclose(triple, 3 * single, rtol=0, atol=1e-7 * scale(deltas))


def scale(deltas):
    return max(1e-300, float(np.abs(deltas).max()))


LAWS = {
    law.__name__: law
    for law in (
        order_free,
        inputs_unmodified,
        same_bytes,
        one_expert_is_itself,
        identical_experts_are_one,
        zero_is_zero,
        homogeneous,
    )
}
