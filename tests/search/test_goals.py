import numpy as np
import pytest

from espnet_merge.search.goals import Goal, costs, front, order


def test_costs_are_less_where_it_is_better():
    goals = [Goal("WER"), Goal("BLEU", maximise=True)]
    assert costs([[10, 30], [12, 35]], goals).tolist() == [[10, -30], [12, -35]]


def test_the_front_is_what_nothing_dominates():
    rng = np.random.default_rng(0)
    cost = rng.integers(0, 6, (40, 3)).astype(float)
    expected = [
        i
        for i, a in enumerate(cost)
        if not any(all(b <= a) and any(b < a) for b in cost)
    ]
    assert front(cost) == expected
    assert order(cost)[0] in expected


def test_of_one_goal_the_least_is_best_and_of_equals_the_first():
    assert order(np.array([[3.0], [1.0], [2.0], [1.0]])) == [1, 3, 2, 0]


def test_the_knee_does_not_depend_on_units():
    curve = np.array([[x, 1 / x] for x in (0.1, 0.5, 1, 2, 10)])
    assert [order(curve * [1, unit])[0] for unit in (1, 100)] == [2, 2]


@pytest.mark.parametrize("scores", [[[1.0, 2.0]], [[1.0, 2.0], [1.0, 2.0]]])
def test_trials_that_are_equal(scores):
    assert order(np.array(scores))[0] == 0
