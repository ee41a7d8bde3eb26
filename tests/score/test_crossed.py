"""P-values and intervals over seeds and utterances: by hand, and by simulation."""

import numpy as np
import pytest
from scipy.stats import kstest, ttest_1samp

from espnet_merge.score.bootstrap import draw
from espnet_merge.score.crossed import crossed
from espnet_merge.score.permutation import permutation_test

ALPHA = 0.05


def differences(generator, seeds, sizes, seed, utterance, both):
    """Return differences of each set, seed (row) and utterance, of given deviations."""
    of_seed = seed * generator.normal(size=(seeds, 1))
    return [
        of_seed
        + utterance * generator.normal(size=n)
        + both * generator.normal(size=(seeds, n))
        for n in sizes
    ]


def over_all(sets, alpha=ALPHA):
    means = np.mean([x.mean(axis=1) for x in sets], axis=0)
    influences = [
        (x - x.mean(axis=1, keepdims=True)) / x.shape[1] / len(sets) for x in sets
    ]
    return crossed(means, influences, alpha)


def test_by_hand():
    # Two seeds, two utterances; means 2 and 6, so V_s = 8 / 2. The utterances' means
    # over seeds are 3 and 5: V_u = 2 / 2.
    found = over_all([np.array([[1.0, 3.0], [5.0, 7.0]])])
    assert found.points == 4
    # Satterthwaite: (4 + 1)² / (4² / 1 + 1² / 1).
    assert found.freedom == pytest.approx(25 / 17)
    assert found.high - 4 == pytest.approx(4 - found.low)
    # The interval ends where p is alpha.
    same = over_all([np.array([[1.0, 3.0], [5.0, 7.0]])], alpha=found.p)
    assert same.low == pytest.approx(0)


def test_where_seeds_agree_it_is_the_t_test_of_utterances():
    x = np.random.default_rng(0).normal(0.2, size=60)
    expected = ttest_1samp(x, 0)
    found = over_all([np.tile(x, (3, 1))])
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(expected.confidence_interval())


def test_where_utterances_agree_it_is_the_t_test_of_seeds():
    x = np.array([0.5, 1.0, 2.0])
    expected = ttest_1samp(x, 0)
    found = over_all([np.tile(x[:, None], (1, 50))])
    assert found.p == pytest.approx(expected.pvalue)
    assert found.freedom == pytest.approx(2)


def test_without_any_spread():
    assert over_all([np.zeros((3, 4))]).p == 1
    assert over_all([np.ones((3, 4))])[:4] == (1, 1, 1, 0)


@pytest.mark.parametrize(
    ("seed", "utterance", "both"),
    [(0.0, 1, 0.2), (0.0, 1, 1), (0.05, 1, 1), (0.12, 1, 1), (0.3, 0.3, 1)],
)
def test_intervals_cover_what_they_say(seed, utterance, both):
    generator = np.random.default_rng(0)
    found = [
        over_all(differences(generator, 3, (80, 120), seed, utterance, both))
        for _ in range(1000)
    ]
    p = [x.p for x in found]
    covered = np.mean([x.low <= 0 <= x.high for x in found])
    assert covered == np.mean(np.array(p) >= ALPHA)
    # With three seeds that matter most, estimated degrees of freedom leave 92.3 %
    # (from 40,000 draws); three standard errors are 2.5.
    assert 0.9 <= covered <= 0.985
    if not seed and both < 1:  # else p is careful
        assert kstest(p, "uniform").pvalue > 0.001


def test_utterances_under_several_seeds_are_one_block():
    # Swaps in each seed on its own take three looks at an utterance for three
    # utterances. Swaps of an utterance in all seeds do not.
    generator = np.random.default_rng(1)
    alone, blocks = [], []
    for _ in range(400):
        (x,) = differences(generator, 3, (60,), 0.0, 1, 0.3)
        alone.append(permutation_test(x.ravel() / x.size, 2, 199))
        blocks.append(permutation_test(x.sum(axis=0) / x.size, 2, 199))
    assert np.mean(np.array(alone) <= ALPHA) > 0.2
    # Binomial(400, 0.05) lies within 8 and 34 with a probability of 99.8 %.
    assert 8 <= np.sum(np.array(blocks) <= ALPHA) <= 34
    assert kstest(blocks, "uniform").pvalue > 0.001


def test_with_an_effect_of_seeds_only_this_test_keeps_its_level():
    # A permutation test of utterances is about these three models; asked about others,
    # it rejects too often. So does a bootstrap of three seeds and the utterances.
    generator = np.random.default_rng(2)
    models, ours, bootstrap = [], [], []
    for _ in range(300):
        (x,) = differences(generator, 3, (100,), 0.3, 0.5, 0.5)
        models.append(permutation_test(x.sum(axis=0) / x.size, 2, 199) <= ALPHA)
        ours.append(over_all([x]).p <= ALPHA)
        drawn = [draw(3, generator) @ x @ draw(100, generator) for _ in range(200)]
        low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
        bootstrap.append(not low <= 0 <= high)
    assert np.mean(models) > 0.4
    assert np.mean(bootstrap) > 0.1
    assert np.mean(ours) <= 0.12


def test_word_errors_as_they_are():
    # Few errors in most utterances, many in some; systems that are equally good.
    generator = np.random.default_rng(3)
    p = []
    for _ in range(600):
        hard = generator.gamma(0.5, 2, size=150)
        errors = generator.poisson(hard, size=(2, 3, 150))
        p.append(over_all([errors[1].astype(float) - errors[0]]).p)
    # No more often than alpha, within three standard errors.
    assert np.mean(np.array(p) <= ALPHA) <= ALPHA + 3 * np.sqrt(ALPHA * 0.95 / 600)
