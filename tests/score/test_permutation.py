"""P-values against every permutation there is, and against the binomial law."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from espnet_merge.score.bootstrap import rates_of
from espnet_merge.score.permutation import contributions, permutation_test

UNITS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 6)),
    min_size=1,
    max_size=8,
).filter(lambda units: any(tokens for *_, tokens in units))


def swapped(a, b, tokens):
    """Return b's rate less a's for every way to swap them in some utterances."""
    found = []
    for swap in product((False, True), repeat=len(a)):
        one, two = np.where(swap, b, a), np.where(swap, a, b)
        found.append(np.diff(rates_of(np.column_stack([one, two]), tokens))[0])
    return np.array(found)


@settings(deadline=None)
@given(UNITS)
def test_equals_brute_force(units):
    a, b, tokens = np.array(units).T
    rates = swapped(a, b, tokens)
    points = contributions(a, b, tokens)
    one, two = (permutation_test(points, sides=sides) for sides in (1, 2))
    assert one == np.mean(rates >= rates[0] - 1e-9)
    assert two == np.mean(np.abs(rates) >= abs(rates[0]) - 1e-9)


def test_drawn_signs_come_near_all_of_them():
    generator = np.random.default_rng(0)
    points = generator.integers(-2, 5, size=15).astype(float)
    exact = permutation_test(points, sides=1, resamples=2**15)
    assert 0.001 < exact < 0.2
    drawn = permutation_test(points, sides=1, resamples=20_000)
    # Four standard errors.
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))


@pytest.mark.parametrize(("better", "worse"), [(3, 30), (12, 20), (5, 5)])
def test_of_right_and_wrong_is_mcnemars(better, worse):
    # With one token a unit, the exact McNemar test: a binomial one of the discordant.
    points = np.array([-1.0] * better + [1.0] * worse)
    expected = binomtest(worse, better + worse).pvalue
    found = permutation_test(points, sides=2, resamples=20_000)
    assert found == pytest.approx(expected, abs=0.015)


@settings(deadline=None)
@given(UNITS)
def test_laws(units):
    a, b, tokens = np.array(units).T
    p = permutation_test(contributions(a, b, tokens), sides=2)
    assert permutation_test(contributions(b, a, tokens), sides=2) == p
    turned = contributions(a[::-1], b[::-1], tokens[::-1])
    assert permutation_test(turned, sides=2) == p
    assert permutation_test(contributions(a, a, tokens), sides=2) == 1


def test_few_units_are_never_sure():
    assert permutation_test(np.ones(1), sides=2) == 1
    assert permutation_test(np.ones(4), sides=2) == 2 / 2**4
    assert permutation_test(np.ones(400), sides=2) == 1 / 1001


def test_a_margin_is_taken_off_before():
    a, b, tokens = np.zeros(50, int), np.ones(50, int), np.full(50, 20)
    assert contributions(a, b, tokens).sum() == pytest.approx(5)
    for margin, significant in ((0, True), (4, True), (5, False), (6, False)):
        p = permutation_test(contributions(a, b, tokens, margin), sides=1)
        assert (p < 0.05) is significant


def test_a_true_hypothesis_is_rejected_as_often_as_alpha():
    # Both systems err on a tenth of 8 words, in 400 sets of 20 utterances.
    generator = np.random.default_rng(1)
    a, b = generator.binomial(8, 0.1, size=(2, 400, 20))
    tokens = np.full(20, 8)
    rejected = sum(
        permutation_test(contributions(*pair, tokens), 2, resamples=199, seed=i) <= 0.05
        for i, pair in enumerate(zip(a, b, strict=True))
    )
    # Binomial(400, 0.05) is above 34 with a probability of 0.1 %.
    assert rejected <= 34
