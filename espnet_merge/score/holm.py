"""Holm's correction for many tests."""

from collections.abc import Sequence

import numpy as np

from espnet_merge.errors import InputError


def holm(values: Sequence[float]) -> list[float]:
    r"""Return p-values that are corrected for the number of tests.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})

    for the p-values of m tests in ascending order. If every hypothesis with
    :math:`\tilde p < \alpha` is rejected, the probability that any true one is among
    them is at most alpha, whatever the dependence between the tests.

    Source: Holm, *A Simple Sequentially Rejective Multiple Test Procedure*,
    Scandinavian Journal of Statistics 6, 1979. Departures from it: none.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(values, kind="stable")
    scaled = np.asarray(values)[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(scaled))
    return [float(value) for value in adjusted]


def check_resamples(resamples: int, alpha: float, tests: int) -> None:
    """Check that there are enough resamples for a test to become significant.

    Raises:
        InputError: alpha is outside (0, 1), or there are too few resamples for alpha.
    """
    if not 0 < alpha < 1:
        raise InputError(f"alpha must lie in (0, 1); got {alpha}: take 0.05.")
    # The least p of a test is 1 / (1 + resamples), and Holm multiplies it by tests.
    needed = int(tests / alpha)
    if resamples < needed:
        raise InputError(
            f"resamples must be >= {needed} to find anything at alpha {alpha} in "
            f"{tests} tests; got {resamples}."
        )
