"""P-values for differences of error rates: the paired permutation test."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from espnet_merge.score import RESAMPLES
from espnet_merge.score.bootstrap import Counts

type Points = NDArray[np.float64]

# Number of signs drawn at once, which bounds the memory.
CHUNK = 2**20


def contributions(a: Counts, b: Counts, tokens: Counts, margin: float = 0.0) -> Points:
    r"""Return what each unit contributes to b's rate minus a's rate minus a margin.

    .. math:: x_i = \frac{100\,(b_i - a_i) - m\,w_i}{\sum_j w_j}, \qquad
              \sum_i x_i = W_b - W_a - m

    Args:
        a: errors of the first system in each unit.
        b: errors of the second.
        tokens: :math:`w_i`, number of reference tokens of each unit; not all 0.
        margin: m, in points.

    >>> contributions(np.array([1, 0]), np.array([2, 2]), np.array([5, 15]), margin=1)
    array([4.75, 9.25])
    """
    points: Points = (100 * (b - a) - margin * tokens) / tokens.sum()
    return points


def permutation_test(
    points: Points,
    sides: Literal[1, 2],
    resamples: int = RESAMPLES,
    seed: int | Sequence[int] = 0,
) -> float:
    r"""Return the p-value of "swapping the systems in any unit makes no difference".

    .. math:: p_1 = P_s\Big(\sum_i s_i x_i \ge \sum_i x_i\Big), \qquad
              p_2 = P_s\Big(\Big|\sum_i s_i x_i\Big| \ge \Big|\sum_i x_i\Big|\Big)

    over signs :math:`s_i = \pm 1`, all equally likely. If there are no more than
    ``resamples`` combinations of signs, all are tried and p is exact. Otherwise B =
    ``resamples`` combinations are drawn, k of them reach the observed sum, and
    :math:`p = (1 + k) / (1 + B)` counts the observed signs among them.

    Source: Fisher's test of paired differences; drawn signs as in Noreen,
    *Computer-Intensive Methods for Testing Hypotheses*, 1989 ("approximate
    randomization"). Departures from it: none.

    Args:
        points: :math:`x_i` of :func:`contributions`; for a mean over sets, those of all
            sets divided by the number of sets.
        sides: 1 to test whether the sum is above 0, 2 whether it is not 0.
        resamples: number of combinations of signs to try at most.
        seed: of numpy's default generator; the draws also depend on the order of units.

    >>> permutation_test(np.array([1.0, 2.0, 4.0]), sides=1)
    0.125
    """
    points = points[points != 0]
    units = len(points)
    found = points.sum() if sides == 1 else abs(points.sum())
    # Sums that are equal on paper may differ in their last bits.
    least = found - 1e-9 * np.abs(points).sum()
    exact = 2**units <= resamples
    if exact:
        flips = np.arange(2**units)[:, None] >> np.arange(units) & 1
        reached = _count(points, flips, least, sides)
        return reached / len(flips)
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // units)
    reached = sum(
        _count(
            points,
            generator.integers(
                2, size=(min(rows, resamples - done), units), dtype="i1"
            ),
            least,
            sides,
        )
        for done in range(0, resamples, rows)
    )
    return (1 + reached) / (1 + resamples)


def _count(points: Points, flips: NDArray[np.integer], least: float, sides: int) -> int:
    """Return the number of rows of ``flips`` whose sum reaches ``least``."""
    sums = points.sum() - 2 * (flips @ points)
    return int(np.count_nonzero((sums if sides == 1 else np.abs(sums)) >= least))
