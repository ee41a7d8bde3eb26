"""Choose the heads whose attention tells when words are said.

With a reference: forward selection, as issue 28365 of transformers describes it: the
head with the smallest error of word boundaries, then whichever makes it smaller
together with those. OpenAI chose by eye.

Without: the heads whose attention is sharpest. Source: Yeh, Meng and Tang, *Whisper
Has an Internal Word Aligner*, 2025, https://arxiv.org/abs/2509.09987, and the authors'
code: norms of columns plus norms of rows. Departures: Whisper's own tokens in place of
characters, and one choice for all utterances, because ``generate`` knows no other.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from espnet_merge.alignment.words import Word, boundaries, errors
from espnet_merge.arrays import Array, Float

CANDIDATES = 16  # heads, the best alone, that are tried in a choice of several


class Aligned(NamedTuple):
    """An utterance with a reference.

    Attributes:
        maps: (heads, rows, positions), filtered.
        last: index of each word's last token.
        words: of the reference.
    """

    maps: NDArray[np.float32]
    last: Sequence[int]
    words: Sequence[Word]


def boundary_errors(
    utterances: Sequence[Aligned], heads: Sequence[int]
) -> NDArray[np.float64]:
    """Return the errors of all word boundaries by the mean of some heads, in s."""
    return np.concatenate(
        [errors(boundaries(u.maps[heads].mean(0), u.last), u.words) for u in utterances]
    )


def by_reference(utterances: Sequence[Aligned], most: int) -> list[int]:
    """Return the heads with the smallest mean error, the best first.

    Args:
        utterances: at least one.
        most: heads to choose at most.
    """

    def cost(heads: Sequence[int]) -> float:
        return float(boundary_errors(utterances, heads).mean())

    count = utterances[0].maps.shape[0]
    alone = {head: cost([head]) for head in range(count)}
    candidates = sorted(alone, key=alone.__getitem__)[:CANDIDATES]
    chosen, best = [candidates[0]], alone[candidates[0]]
    while len(chosen) < min(most, len(candidates)):
        costs = {x: cost([*chosen, x]) for x in candidates if x not in chosen}
        head = min(costs, key=costs.__getitem__)
        if costs[head] >= best:
            break
        chosen.append(head)
        best = costs[head]
    return chosen


def sharpness(
    weights: Float[Array, "heads rows positions"],
) -> Float[Array, " heads"]:
    """Return the norms of all columns and rows of each head, summed."""
    columns, rows = (np.linalg.norm(weights, axis=axis).sum(-1) for axis in (1, 2))
    return columns + rows


def by_sharpness(scores: Sequence[NDArray[np.floating]], most: int) -> list[int]:
    """Return the sharpest heads, the sharpest first.

    Args:
        scores: ``sharpness`` of each utterance; longer ones count for more.
        most: heads to choose.
    """
    return [int(head) for head in np.argsort(-np.sum(scores, axis=0))[:most]]
