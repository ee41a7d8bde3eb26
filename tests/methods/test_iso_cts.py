"""Iso-CTS; the authors' numbers are in ``tests/golden``."""

import numpy as np
import pytest

from espnet_merge.errors import InputError
from espnet_merge.linalg.decompose import svd
from espnet_merge.methods.iso_c import IsoC
from espnet_merge.methods.iso_cts import IsoCts
from tests.methods._arrays import assert_close, normal


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


def test_with_everything_in_common_it_is_iso_c():
    deltas = [normal(9, 7), normal(9, 7, seed=1)]
    merged = IsoCts(common_fraction=1)(deltas)
    assert_close(merged, IsoC()(deltas))


@pytest.mark.parametrize("params", [{"common_fraction": 1.1}, {"scale": np.nan}])
def test_rejects(params):
    with pytest.raises(InputError, match=next(iter(params))):
        IsoCts(**params)
