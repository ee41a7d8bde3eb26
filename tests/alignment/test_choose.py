"""Heads that follow the words are found among heads that do not."""

import numpy as np

from espnet_merge.alignment.choose import (
    Aligned,
    boundary_errors,
    by_reference,
    by_sharpness,
    sharpness,
)
from espnet_merge.alignment.words import Word

LENGTH = 20  # positions of a word, at 50 in a second
WORDS = [Word("x", 0.4 * i, 0.4 * (i + 1)) for i in range(4)]
LAST = [0, 1, 2, 3]
GOOD = 2


def maps(seed, late=0):
    """Return five heads of noise, one of which follows the words."""
    random = np.random.default_rng(seed)
    heads = random.random((5, 5, 5 * LENGTH))
    for row in range(5):
        begin = row * LENGTH + late
        heads[GOOD, row, begin : begin + LENGTH] += 5
    return heads


def test_the_head_that_follows_is_chosen_by_reference():
    utterances = [Aligned(maps(seed), LAST, WORDS) for seed in range(4)]
    chosen = by_reference(utterances, 3)
    assert chosen[0] == GOOD
    assert boundary_errors(utterances, chosen).max() < 0.021
    assert boundary_errors(utterances, [0]).mean() > 0.1


def test_another_head_joins_only_where_it_helps():
    early, late = maps(0), maps(1, late=8)
    both = np.concatenate([early[GOOD : GOOD + 1], late[GOOD : GOOD + 1]])
    # Right between the two: the mean of both is as good as either, not better.
    words = [Word("x", w.start, w.end) for w in WORDS]
    chosen = by_reference([Aligned(both, LAST, words)], 2)
    assert chosen == [0]


def test_sharp_heads_are_found_without():
    weights = maps(5)
    weights /= weights.sum(-1, keepdims=True)
    score = sharpness(weights)
    norms = [
        np.linalg.norm(w, axis=0).sum() + np.linalg.norm(w, axis=1).sum()
        for w in weights
    ]
    np.testing.assert_allclose(score, norms)
    assert by_sharpness([score, score], 2)[0] == GOOD
    even = np.full((1, 5, 100), 0.01)
    diagonal = np.eye(5)[None].repeat(20, axis=2) / 20
    assert sharpness(diagonal)[0] > sharpness(even)[0]
