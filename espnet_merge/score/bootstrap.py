"""Intervals for differences of error rates: the paired bootstrap over utterances."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from espnet_merge.errors import InputError
from espnet_merge.score import RESAMPLES

type Counts = NDArray[np.signedinteger]
type Rates = NDArray[np.float64]


class Interval(NamedTuple):
    """Where a difference lies; negative is better.

    Attributes:
        low: lower end, in percentage points.
        high: upper end.
        improved: fraction of the resamples in which the difference is negative.
    """

    low: float
    high: float
    improved: float


def rates_of(errors: Counts, tokens: Counts) -> Rates:
    """Return the systems' error rates in percent, of the whole set.

    Args:
        errors: of each unit (row) and system (column).
        tokens: in the reference of each unit; not all 0.
    """
    rates: Rates = 100 * errors.sum(axis=0) / tokens.sum()
    return rates


def resampled_rates(
    errors: Counts,
    tokens: Counts,
    resamples: int = RESAMPLES,
    seed: int | Sequence[int] = 0,
) -> Rates:
    r"""Return the systems' rates in sets drawn from the units with replacement.

    .. math:: W_s^{*b} = 100 \sum_i n_i^b e_{is} \Big/ \sum_i n_i^b w_i, \qquad
              (n_1^b, \dots, n_n^b) \sim \mathrm{Multinomial}(n; 1/n, \dots, 1/n)

    for unit i with :math:`w_i` tokens in the reference and :math:`e_{is}` errors of
    system s. All systems are scored on the same draws, so differences are paired. Only
    one draw is in memory at a time.

    Source: Bisani and Ney, *Bootstrap Estimates for Confidence Intervals in ASR
    Performance Evaluation*, ICASSP 2004, section 3.

    Departures from it: a draw whose references have no token at all has no rate and is
    drawn again.

    Args:
        errors: of each unit (row: an utterance, or a speaker) and system (column).
        tokens: in the reference of each unit; not all 0.
        resamples: number of sets to draw.
        seed: of numpy's default generator; the draws also depend on the order of units.

    Returns:
        Rates in percent, of each resample (row) and system (column).

    Raises:
        InputError: no reference has a token.
    """
    if not tokens.any():
        raise InputError(
            f"the references of {len(tokens)} utterances must have a word; after"
            " normalisation they have none: give others, or more."
        )
    generator = np.random.default_rng(seed)
    units = len(tokens)
    sums = np.column_stack([tokens, errors]).astype(float)
    totals = np.zeros((resamples, sums.shape[1]))
    for total in totals:
        while total[0] == 0:
            total[:] = draw(units, generator) @ sums
    return 100 * totals[:, 1:] / totals[:, :1]


def draw(units: int, generator: np.random.Generator) -> Counts:
    """Draw as many units as there are, with replacement; return the count of each."""
    return np.bincount(generator.integers(units, size=units), minlength=units)


def interval(differences: Rates, alpha: float) -> Interval:
    """Return the percentile interval that covers a fraction ``1 - alpha`` of resamples.

    Bisani and Ney (2004), sections 3 and 4; *improved* is their probability of
    improvement. With few units the interval is too short: a percentile bootstrap
    divides by n where a variance is divided by n - 1. So it gives no p-value here.

    Args:
        differences: of two systems' rates, in each resample.
        alpha: fraction of the resamples outside the interval.

    >>> interval(np.array([-3.0, -2.0, -1.0, 0.0, 1.0]), alpha=0.5)
    Interval(low=-2.0, high=0.0, improved=0.6)
    """
    low, high = np.quantile(differences, [alpha / 2, 1 - alpha / 2])
    return Interval(float(low), float(high), float(np.mean(differences < 0)))
