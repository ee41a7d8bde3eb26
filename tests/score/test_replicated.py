"""Differences over seeds against every swap there is, and against tests of one seed."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from espnet_merge.errors import InputError
from espnet_merge.score.compare import difference
from espnet_merge.score.design import Design
from espnet_merge.score.mapsswe import mapsswe
from espnet_merge.score.outcome import Outcome, together
from espnet_merge.score.replicated import mapsswe_of_models, p_of_models, replicated

DESIGN = Design()


def outcome(lengths, errors):
    """Return insertions before the first word of each utterance."""
    return Outcome("wer", "", lengths, [[0] * n for n in errors])


def part(lengths, a, b, name="set"):
    """Return the part of systems a and b: errors of each seed (row) and utterance."""
    return together(name, [outcome(lengths, errors) for errors in (*a, *b)])


ERRORS = st.lists(st.integers(0, 4), min_size=4, max_size=4)
SEEDS = st.lists(ERRORS, min_size=2, max_size=2)


@settings(deadline=None, max_examples=50)
@given(SEEDS, SEEDS, SEEDS, SEEDS)
def test_p_of_models_equals_brute_force(a, b, c, d):
    lengths = [3, 5, 0, 2], [1, 1, 8, 4]
    parts = [part(lengths[0], a, b, "one"), part(lengths[1], c, d, "two")]
    a, b, c, d = map(np.array, (a, b, c, d))
    means = []
    # The mean over both sets of the difference, for every way to swap utterances, each
    # under both seeds: eight utterances.
    for swap in product((False, True), repeat=8):
        pairs = ((a, b, swap[:4]), (c, d, swap[4:]))
        rates = [
            100 * (np.where(s, x, y).sum(1) - np.where(s, y, x).sum(1)) / sum(n)
            for (x, y, s), n in zip(pairs, lengths, strict=True)
        ]
        means.append(np.mean(rates))
    expected = np.mean(np.abs(means) >= abs(means[0]) - 1e-9)
    assert p_of_models(parts, DESIGN) == expected


def test_one_seed_is_the_comparison_of_two_systems():
    chance = np.random.default_rng(0)
    lengths, (a,), (b,) = [8] * 40, chance.poisson(1, (1, 40)), [[1] * 40]
    alone = part(lengths, [a], [b])
    found = replicated([alone], DESIGN)
    expected = difference([alone], [DESIGN.draw(alone)], 0, 1, DESIGN)
    for name in ("a", "b", "points", "low", "high", "p"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.p_models == found.p
    assert found.seeds == 1


def test_the_same_models_thrice_are_no_more_than_once():
    # What the seeds add is nothing, so the p-value is that of the utterances.
    chance = np.random.default_rng(0)
    a, b = chance.poisson((1, 1.4), (60, 2)).T
    found = replicated([part([8] * 60, [a] * 3, [b] * 3)], DESIGN)
    assert found.p == pytest.approx(ttest_rel(a, b).pvalue)
    alone = replicated([part([8] * 60, [a], [b])], DESIGN)
    assert found.p_models == alone.p
    assert found.points == pytest.approx(alone.points)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=1)


def test_a_mean_over_sets_gives_each_the_same_weight():
    chance = np.random.default_rng(0)
    sizes, sets = (20, 200), []
    for size, rate in zip(sizes, (2, 1), strict=True):
        a, b = chance.poisson(1, (3, size)), chance.poisson(rate, (3, size))
        sets.append(part([10] * size, a, b, str(size)))
    one, two = (replicated([own], DESIGN) for own in sets)
    both = replicated(sets, DESIGN)
    assert both.points == pytest.approx((one.points + two.points) / 2)
    assert both.b == pytest.approx((one.b + two.b) / 2)
    assert both.low < both.points < both.high
    # It is as sure as the small set lets it be.
    width = [x.high - x.low for x in (one, two, both)]
    assert width[1] < width[2] < width[0]


def test_segments_end_where_every_model_is_right_twice():
    # Eight words. Seed 1 of a errs in word 0 and seed 2 in word 3; of b nobody does.
    # Two words lie between, right for all: two segments, as of one model that errs in
    # both. With an error of b's in word 2 there is one.
    def words(*places):
        return Outcome(
            "wer", "", [8], [np.diff([2 * k + 1 for k in places], prepend=0)]
        )

    a = words(0), words(3)
    part = together("", [*a, words(), words()])
    assert mapsswe_of_models(part).segments == 2
    one = together("", [words(0, 3), words()])
    assert mapsswe_of_models(part) == mapsswe(*one.slots, one.lengths)
    assert mapsswe_of_models(together("", [*a, words(), words(2)])).segments == 1


def translated(chance, better):
    lengths = chance.integers(5, 12, 40)
    right = [
        np.minimum(
            np.maximum(lengths - n, 0), chance.binomial(lengths, better ** (n + 1))
        )
        for n in range(4)
    ]
    return Outcome("bleu", "", [8] * 40, np.column_stack([lengths, *right]).tolist())


def test_bleu_is_tested_too():
    chance = np.random.default_rng(0)
    one, two = ([translated(chance, share) for _ in range(3)] for share in (0.8, 0.84))
    found = replicated([together("es-en_test", [*one, *two])], DESIGN)
    assert found.b == pytest.approx(np.mean([x.value for x in two]))
    assert 0 < found.low < found.points < found.high
    assert found.p < 0.05
    assert found.p_models < 0.05
    same = replicated([together("es-en_test", [*one, *one])], DESIGN)
    assert (same.points, same.p, same.p_models) == (0, 1, 1)
    # Thrice one model: swapped together, as if it were there once.
    thrice = together("es-en_test", [one[0]] * 3 + [two[0]] * 3)
    once = replicated([together("es-en_test", [one[0], two[0]])], DESIGN)
    assert replicated([thrice], DESIGN).p_models == once.p
    assert replicated([thrice], DESIGN).points == pytest.approx(once.points)


def test_one_utterance_cannot_be_tested_over_seeds():
    with pytest.raises(InputError, match=r"^set: must have two utterances or more"):
        replicated([part([8], [[1], [2]], [[0], [1]])], DESIGN)
