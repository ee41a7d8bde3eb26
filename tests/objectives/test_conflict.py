"""Which layers conflict, and whose turn it is to be measured."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet_merge.objectives.conf import Layers
from espnet_merge.objectives.conflict import due_layers, mean_cosine, solved_layers


def test_mean_cosine_by_hand():
    rows = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [5.0, 5.0]])
    gram = rows @ rows.T
    # Pairs (0, 1), (0, 2), (1, 2): 0, -1, 0.
    assert mean_cosine(gram, [(0, 1, 2), (3,)]) == pytest.approx(-1 / 3)
    assert mean_cosine(gram, [(0, 1), (2, 3)]) == pytest.approx(-math.sqrt(0.5) / 2)


def test_no_pair_is_no_number():
    gram = torch.eye(2)
    assert math.isnan(mean_cosine(gram, [(0,), (1,)]))
    assert math.isnan(mean_cosine(torch.zeros(2, 2), [(0, 1)]))


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 500))
def test_each_layer_is_measured_once_in_a_round(count, every, start):
    turns = [due_layers(start + step, count, every) for step in range(every)]
    assert sorted(layer for turn in turns for layer in turn) == list(range(count))
    # No step measures more than its share.
    assert max(map(len, turns)) <= -(-count // every)


def test_where_the_solver_acts():
    cosines = torch.tensor([-0.1, 0.3, float("nan")])
    assert solved_layers(Layers(warm_up=2), 1, cosines) == set()
    assert solved_layers(Layers(warm_up=2), 2, cosines) == {0}
    assert solved_layers(Layers(select=False), 0, cosines) == {0, 1, 2}
