"""Differences over training seeds and utterances, both drawn at random."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from espnet_merge.score.permutation import Points


class Crossed(NamedTuple):
    """A mean difference over seeds and utterances.

    Attributes:
        points: the difference.
        low: lower end of its interval.
        high: upper end.
        p: two-sided p-value of "the expected difference is 0".
        freedom: degrees of freedom of Student's distribution; infinite without spread.
    """

    points: float
    low: float
    high: float
    p: float
    freedom: float


def crossed(means: Points, influences: Sequence[Points], alpha: float) -> Crossed:
    r"""Test a difference whose seeds and utterances stand for all there could be.

    .. math:: \Delta_s = \Delta + v_s + \sum_k \sum_i (u_{ki} + e_{ski}), \qquad
              \frac{\bar\Delta}{\sqrt V} \sim t_f, \qquad
              V = V_u + \max(0, V_s - V_e)

    Seed s, a model of each system, adds :math:`v_s` on all utterances. Utterance i of
    set k adds :math:`u_{ki}` whatever the seed, for it is the same under each. The
    rest, :math:`e_{ski}`, is of both. All are independent with mean 0 under the null
    hypothesis that :math:`\Delta = 0`: trained again and tested on other utterances of
    these sets, the systems are as good. With S seeds and :math:`n_k` utterances

    .. math:: V_s = \frac{1}{S(S-1)} \sum_s (\Delta_s - \bar\Delta)^2, \quad
              V_u = \sum_k \frac{n_k}{n_k - 1} \sum_i \bar x_{ki}^2, \quad
              V_e = \sum_k \frac{n_k}{n_k - 1} \sum_{si}
              \frac{(x_{ski} - \bar x_{ki})^2}{S(S-1)}

    for the influence :math:`x_{ski}` of an utterance on :math:`\Delta_s`. Both
    :math:`V_s` and :math:`V_u` hold :math:`V_e`, so it is taken off once. The degrees
    of freedom are those of a sum of estimated variances.

    Source: quasi-F of Clark, *The Language-as-Fixed-Effect Fallacy*, Journal of Verbal
    Learning and Verbal Behavior 12, 1973, for subjects and items in place of seeds and
    utterances; degrees of freedom by Satterthwaite, Biometrics Bulletin 2, 1946.

    Departures from it: several sets, each with utterances of its own; influences in
    place of observations, as an error rate is a quotient and BLEU a function of sums;
    a negative component of the seeds counts as 0.

    Args:
        means: :math:`\Delta_s` of each seed; two or more.
        influences: of each set, of seed (row) and utterance (column), two or more
            utterances; each row has mean 0.
        alpha: the interval covers a fraction ``1 - alpha``.
    """
    from scipy.stats import t

    points, seeds = float(means.mean()), len(means)
    by_seed = float(means.var(ddof=1)) / seeds
    by_utterance, both, freedoms = np.array([_of_set(x) for x in influences]).T
    parts = [by_utterance.sum()]
    freedom = [_freedom(by_utterance, freedoms)]
    if by_seed > both.sum():
        parts += [by_seed, -both.sum()]
        freedom += [seeds - 1, _freedom(both, freedoms * (seeds - 1))]
    variance, degrees = sum(parts), _freedom(np.array(parts), np.array(freedom))
    if variance == 0:
        return Crossed(points, points, points, float(points == 0), math.inf)
    reach = float(t.ppf(1 - alpha / 2, degrees) * np.sqrt(variance))
    p = float(2 * t.sf(abs(points) / np.sqrt(variance), degrees))
    return Crossed(points, points - reach, points + reach, p, degrees)


def _of_set(influences: Points) -> tuple[float, float, int]:
    """Return the variances of the utterances and of the rest, and utterances less 1."""
    seeds, utterances = influences.shape
    correction = utterances / (utterances - 1)
    shared = influences.mean(axis=0)
    rest = influences - shared
    return (
        correction * float((shared**2).sum()),
        correction * float((rest**2).sum()) / (seeds * (seeds - 1)),
        utterances - 1,
    )


def _freedom(variances: Points, freedoms: Points) -> float:
    """Return Satterthwaite's degrees of freedom of a sum of variances."""
    spread = float((variances**2 / freedoms).sum())
    return float(variances.sum() ** 2) / spread if spread else math.inf
