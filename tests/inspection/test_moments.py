import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnet_merge.inspection.moments import moments_of


def test_by_hand():
    base = np.array([3.0, 4.0, 0.0, 0.0], np.float32)
    one = np.array([1.0, -2.0, 0.0, 2.0], np.float32)
    two = np.array([2.0, 2.0, 5.0, -1.0], np.float32)
    moments = moments_of(base, np.stack([one, two]))
    assert moments.norms == pytest.approx([3, math.sqrt(34)])
    assert moments.relative == pytest.approx([3 / 5, math.sqrt(34) / 5])
    # 2 - 4 - 2; two of the three entries that both move conflict, 6 of magnitude 8.
    assert moments.cosine[0, 1] == pytest.approx(-4 / (3 * math.sqrt(34)))
    assert moments.conflict[0, 1] == pytest.approx(2 / 3)
    assert moments.weighted_conflict[0, 1] == pytest.approx(6 / 8)


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(1, 40))
def test_pieces_add_up(seed, experts, cut):
    rng = np.random.default_rng(seed)
    base, deltas = rng.normal(size=50), rng.normal(size=(experts, 50))
    whole = moments_of(base, deltas)
    parts = moments_of(base[:cut], deltas[:, :cut]) + moments_of(
        base[cut:], deltas[:, cut:]
    )
    np.testing.assert_allclose(parts.cosine, whole.cosine, atol=1e-12)
    np.testing.assert_allclose(parts.conflict, whole.conflict)
    np.testing.assert_allclose(parts.relative, whole.relative)


def test_scale_of_an_expert_changes_its_norm_alone():
    rng = np.random.default_rng(1)
    base, deltas = rng.normal(size=99), rng.normal(size=(2, 99))
    one, other = (moments_of(base, deltas * np.array([[1], [f]])) for f in (1.0, 1e4))
    for name in ("cosine", "conflict", "weighted_conflict", "cosine_spread"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name))
    np.testing.assert_allclose(other.norms / one.norms, [1, 1e4])


@pytest.mark.parametrize(
    ("quantity", "spread", "mean"),
    [
        ("cosine", "cosine_spread", 0),
        ("conflict", "conflict_spread", 0.5),
        ("weighted_conflict", "weighted_spread", 0.5),
    ],
)
def test_random_signs_give_the_stated_mean_and_spread(quantity, spread, mean):
    rng = np.random.default_rng(0)
    # Very unequal magnitudes: the statement must not lean on Gaussians.
    sizes = rng.lognormal(sigma=1.5, size=(2, 200))
    found, stated = [], 0.0
    for _ in range(2000):
        moments = moments_of(np.ones(200), sizes * rng.choice([-1, 1], sizes.shape))
        found.append(getattr(moments, quantity)[0, 1])
        stated = getattr(moments, spread)[0, 1]
    assert np.mean(found) == pytest.approx(mean, abs=4 * stated / math.sqrt(2000))
    assert np.std(found) == pytest.approx(stated, rel=0.08)


def test_gaussians_conflict_as_their_cosine_says():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 200_000))
    cosine = -0.4
    z = cosine * x + math.sqrt(1 - cosine**2) * y
    moments = moments_of(np.ones(1), np.stack([x, z]))
    assert moments.conflict[0, 1] == pytest.approx(
        math.acos(cosine) / math.pi, abs=0.01
    )


def test_nothing_is_said_of_what_did_not_move():
    moments = moments_of(np.ones(3), np.array([[0.0, 0, 0], [1.0, 0, 2]]))
    assert moments.norms[0] == 0
    assert np.isnan(moments.cosine[0, 1])
    assert np.isnan(moments.conflict[0, 1])
    assert moments.conflict[1, 1] == 0
