"""Iso-CTS; the authors' numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.linalg.decompose import svd
from espnet_merge.methods.iso_c import IsoC
from espnet_merge.methods.iso_cts import IsoCts
from tests.methods._arrays import assert_close, low, normal


def test_it_keeps_common_directions_and_gives_tasks_the_rest():
    # e1 e1' is common; the tasks own e2 e2' and e3 e3', and R = 3, f = 1/3.
    deltas = [np.diag([4.0, 2, 0]), np.diag([4.0, 0, 1])]
    merged = IsoCts(common_fraction=0.4)(deltas)
    # Singular values 8 (of the sum), 2 and 1: their mean is 11/3.
    assert_close(merged, 11 / 3 * np.eye(3))


@pytest.mark.parametrize(("full", "fraction", "common"), [(48, 0.8, 40), (12, 0.5, 4)])
def test_it_rounds_halves_to_even(full, fraction, common):
    # 48: 10 / 4 = 2.5 -> 2 a task; 12: 6 / 4 = 1.5 -> 2 a task.
    deltas = [normal(full, full, seed=i) for i in range(4)]
    total = svd(sum(deltas))
    merged = IsoCts(common_fraction=fraction)(deltas)
    each = (full - common) // 4
    own = [svd(d - total.u[:, :common] @ (total.u[:, :common].T @ d)) for d in deltas]
    values = np.concatenate([total.s[:common], *(part.s[:each] for part in own)])
    # The polar factors are square here: all singular values are the mean.
    assert_close(svd(merged).s, values.mean() * np.ones(full))


def left_polar(columns):
    u, _, vt = np.linalg.svd(np.concatenate(columns, axis=1), full_matrices=False)
    return u @ vt


def published(deltas, rank):
    """Return what the paper's rule makes of ``rank`` directions, by LAPACK alone."""
    own = round((rank - int(0.8 * rank)) / len(deltas))
    u, s, vt = np.linalg.svd(sum(deltas), full_matrices=False)
    common = rank - own * len(deltas)
    parts = [(u[:, :common], s[:common], vt[:common].T)]
    for delta in deltas:
        rest = delta - u[:, :common] @ u[:, :common].T @ delta
        left, values, right = np.linalg.svd(rest, full_matrices=False)
        parts.append((left[:, :own], values[:own], right[:own].T))
    lefts, values, rights = zip(*parts, strict=True)
    return np.concatenate(values).mean() * left_polar(lefts) @ left_polar(rights).T


def test_at_full_rank_it_is_the_published_rule():
    deltas = [normal(40, 30, seed=i) for i in range(3)]
    assert_close(IsoCts()(deltas), published(deltas, 30))


def test_adapters_keep_directions_of_their_own():
    deltas = [low(40, 30, 4, seed=i) for i in range(3)]
    merged, leveled = IsoCts()(deltas), IsoC()(deltas)
    # Of the 12 directions of the sum 9 are common, and each task has one.
    assert_close(merged, published(deltas, 12))
    assert np.linalg.norm(merged - leveled) > 0.2 * np.linalg.norm(leveled)


def test_with_everything_in_common_it_is_iso_c():
    deltas = [normal(9, 7), normal(9, 7, seed=1)]
    merged = IsoCts(common_fraction=1)(deltas)
    assert_close(merged, IsoC()(deltas))


@pytest.mark.parametrize("params", [{"common_fraction": 1.1}, {"scale": np.nan}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        IsoCts(**params)
