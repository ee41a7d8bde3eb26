"""Arrays that the tests of several methods merge."""

from functools import partial

import numpy as np
import pytest

from espnet_merge.checkpoint.factored import Factored

assert_close = partial(np.testing.assert_allclose, rtol=1e-7, atol=1e-7)

ORTHOGONALISERS = ("svd", "eigh", "newton_schulz")

# Two unit vectors, a sixth of the circle apart.
ANGLE = np.pi / 3
ARC = np.array([[1.0, 0.0], [np.cos(ANGLE), np.sin(ANGLE)]])


def on_arc(angle, length=1.0):
    return pytest.approx([length * np.cos(angle), length * np.sin(angle)])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def low(rows, columns, rank, seed=0):
    return normal(rows, rank, seed=seed) @ normal(rank, columns, seed=seed + 50)


def stacks(rows, columns):
    """Return the stacks on which the published rules are no functions."""
    full, other = normal(rows, columns), normal(rows, columns, seed=1)
    shared = normal(3, columns, seed=3)
    return {
        "generic": [full, other, normal(rows, columns, seed=2)],
        "duplicates": [full, full],
        "two of three equal": [full, full, other],
        "rescaled": [full, 2 * full],
        "opposite": [full, -full, other],
        "one zero": [full, np.zeros_like(full), other],
        "adapters": [low(rows, columns, r, seed=r) for r in (2, 3, 3)],
        "equal adapters": [low(rows, columns, 3)] * 2,
        "one row space": [normal(rows, 3) @ shared, normal(rows, 3, seed=4) @ shared],
        "adapter and full": [low(rows, columns, 3), full],
        "adapter and zero": [low(rows, columns, 3), np.zeros_like(full)],
    }


def adapters(rows, columns, ranks, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [
        Factored(
            rng.normal(size=(rows, rank)).astype(dtype),
            rng.normal(size=(rank, columns)).astype(dtype),
            0.5 + i,
        )
        for i, rank in enumerate(ranks)
    ]


def dense(x):
    return x.dense() if isinstance(x, Factored) else x
