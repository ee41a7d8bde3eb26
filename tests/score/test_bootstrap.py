"""The bootstrap against an enumeration of all resamples, and its laws."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.errors import InputError
from espnet_merge.score.bootstrap import interval, rates_of, resampled_rates
from espnet_merge.score.permutation import contributions, permutation_test

# Errors of system a, of system b, tokens of the reference.
UNITS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 6)),
    min_size=1,
    max_size=12,
).filter(lambda units: any(tokens for *_, tokens in units))


def split(units):
    table = np.array(units)
    return table[:, :2], table[:, 2]


def differences(errors, tokens, resamples=1000, seed=0):
    return np.diff(resampled_rates(errors, tokens, resamples, seed)).ravel()


def test_against_all_resamples_that_there_are():
    errors, tokens = split([(3, 1, 4), (0, 1, 3), (2, 2, 5), (4, 2, 6)])
    # 4**4 = 256 resamples, each as likely.
    exact = np.array(
        [
            np.diff(rates_of(errors[[*drawn]], tokens[[*drawn]]))[0]
            for drawn in product(range(4), repeat=4)
        ]
    )
    drawn = differences(errors, tokens, 20_000)
    assert set(np.round(drawn, 9)) == set(np.round(exact, 9))
    for limit in (-20, -10, 0, 5):
        # Four standard errors of a share over 20 000 draws are at most 0.0142.
        share = np.mean(exact < limit)
        assert np.mean(drawn < limit) == pytest.approx(share, abs=0.015)
    assert interval(drawn, 0.05).improved == np.mean(drawn < 0)


@settings(deadline=None)
@given(UNITS, st.integers(0, 9))
def test_antisymmetric(units, seed):
    errors, tokens = split(units)
    there = interval(differences(errors, tokens, 99, seed), 0.05)
    back = interval(differences(errors[:, ::-1], tokens, 99, seed), 0.05)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert 0 <= there.improved + back.improved <= 1


@settings(deadline=None)
@given(UNITS)
def test_equal_systems_do_not_differ(units):
    errors, tokens = split(units)
    same = differences(errors[:, [0, 0]], tokens, 99)
    assert interval(same, 0.05) == (0, 0, 0)


def test_no_draw_is_without_a_token():
    # One of two utterances is empty: it alone would be a quarter of all draws.
    drawn = resampled_rates(np.array([[1], [2]]), np.array([4, 0]), 200)
    assert set(drawn.ravel()) == {25, 75}


def test_references_without_a_token_are_refused():
    with pytest.raises(InputError, match="of 2 utterances must have a word"):
        resampled_rates(np.array([[1], [2]]), np.array([0, 0]), 2)


def test_a_p_made_of_it_would_be_too_sure():
    # Why p is that of a permutation test; 16 utterances of ten words.
    generator = np.random.default_rng(3)
    a = generator.integers(0, 5, size=16)
    b = np.clip(a + generator.integers(-2, 5, size=16), 0, 10)
    tokens = np.full(16, 10)
    drawn = differences(np.column_stack([a, b]), tokens, 20_000)
    exact = permutation_test(contributions(a, b, tokens), sides=2, resamples=2**16)
    assert exact == pytest.approx(0.0046, abs=0.0001)
    assert 2 * np.mean(drawn <= 0) < exact / 10


def test_an_interval_covers_the_truth_as_often_as_it_says():
    # Systems with 10 % and 12 % of errors, on 60 sets of 200 utterances of 5 words.
    generator = np.random.default_rng(0)
    covered = 0
    for seed in range(60):
        errors = generator.binomial(5, [0.10, 0.12], size=(200, 2))
        found = interval(differences(errors, np.full(200, 5), 400, seed), alpha=0.1)
        covered += found.low <= 2 <= found.high
    # Binomial(60, 0.9) lies in 47 … 60 with a probability of 99.7 %.
    assert covered >= 47
