"""Iso-C; the authors' numbers are in ``tests/golden``."""

import math

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.linalg.decompose import svd
from espnet_merge.methods import TensorInfo
from espnet_merge.methods.iso_c import IsoC
from tests.methods._arrays import assert_close, low, normal


def test_by_hand():
    # The sum has 5 and 1 along (0.6, 0.8) and (-0.8, 0.6): both become their mean, 3.
    axes = np.array([[0.6, 0.8], [-0.8, 0.6]])
    total = axes.T @ np.diag([5.0, 1.0])
    first = np.array([[1.0, 0.0], [2.0, 0.0]])
    assert_close(IsoC(scale=0.5)([first, total - first]), 1.5 * axes.T)


def test_it_levels_the_spectrum_of_the_sum():
    deltas = [normal(10, 6), normal(10, 6, seed=1)]
    u, s, vt = np.linalg.svd(sum(deltas), full_matrices=False)
    merged = IsoC(scale=2)(deltas)
    assert_close(np.linalg.svd(merged, compute_uv=False), 2 * s.mean() * np.ones(6))
    assert_close(merged, 2 * s.mean() * u @ vt)


def test_it_leaves_alone_what_no_expert_learned():
    adapters = [low(12, 12, 2), low(12, 12, 2, seed=1)]
    merged = svd(IsoC()(adapters))
    expected = svd(sum(adapters))
    assert len(merged.s) == 4
    assert_close(merged.s, expected.s.mean() * np.ones(4))
    assert_close(merged.u @ merged.u.T, expected.u @ expected.u.T)


def test_it_takes_rounding_for_no_direction():
    base = normal(32, 32).astype("f").astype("d")
    adapters = [low(32, 32, 2, seed=i) / 1000 for i in range(2)]
    rounded = [(base + d).astype("f").astype("d") - base for d in adapters]
    assert len(svd(IsoC()(rounded, TensorInfo(base=base.astype("f")))).s) == 4


def test_rejects():
    with pytest.raises(InputError, match="scale"):
        IsoC(scale=math.inf)
