"""Differences on sets and in their mean, by hand."""

import numpy as np
import pytest

from espnet_merge.score.compare import difference, differences
from espnet_merge.score.design import Design
from espnet_merge.score.parts import Part, sum_by_speaker
from espnet_merge.score.utterances import ScoredUtterance


def part(name, a, b, tokens):
    return Part(
        name=name,
        metric="wer",
        tokens=np.array(tokens),
        errors=np.column_stack([a, b]),
    )


ES = part("es", [1, 2, 3, 0], [0, 1, 1, 0], [5, 5, 5, 5])
IT = part("it", [1, 1], [3, 1], [20, 20])


def test_mean_over_sets_by_hand():
    design = Design()
    drawn = [design.draw(own) for own in (ES, IT)]
    es, it = differences([ES, IT], drawn, 0, 1, design)
    mean = difference([ES, IT], drawn, 0, 1, design)
    # es: 6/20 -> 2/20; it: 2/40 -> 4/40.
    assert (es.a, es.b, es.points) == pytest.approx((30, 10, -20))
    assert (it.a, it.b, it.points) == pytest.approx((5, 10, 5))
    assert (mean.a, mean.b, mean.points) == pytest.approx((17.5, 10, -7.5))
    # Shares of the mean: -2.5, -2.5, -5 of es and 2.5 of it. Of the 16 signs, the sum
    # is 7.5 or more in size with: all to one side (2 * 1), either -2.5 turned (2 * 2),
    # the 2.5 as it is (2 * 1); with -5 turned it is 2.5 at most.
    assert mean.p == 8 / 16
    # es: -5, -5, -10: 2 of 8 signs. it: one unit. Holm: the less of two doubled.
    assert (es.p, it.p) == (2 * 2 / 8, 1)
    assert mean.low < mean.points < mean.high


def test_sets_are_drawn_apart():
    twin = part("twin", *ES.errors.T, ES.tokens)
    one, two = (Design().draw(own) for own in (ES, twin))
    assert not np.array_equal(one, two)
    assert np.array_equal(one, Design().draw(ES))
    assert not np.array_equal(one, Design(seed=1).draw(ES))


def test_one_side_asks_for_a_rise():
    up = part("up", np.zeros(6, int), np.ones(6, int), [10] * 6)
    down = part("down", np.ones(6, int), np.zeros(6, int), [10] * 6)
    design = Design(sides=1)
    drawn = [design.draw(own) for own in (up, down)]
    assert [row.p for row in differences([up, down], drawn, 0, 1, design)] == [
        2 / 64,
        1,
    ]


def test_sums_of_speakers():
    spoken = [
        ScoredUtterance(f"u{i}", who, "es", "", "") for i, who in enumerate("bab")
    ]
    sums = sum_by_speaker(np.array([[1, 1, 0], [2, 2, 2], [3, 0, 5]]), spoken)
    assert sums.tolist() == [[2, 2, 2], [4, 1, 5]]
