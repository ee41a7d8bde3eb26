"""The matched-pairs test on segments of sentences, MAPSSWE."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from espnet_merge.score.counts import Pair

# Tokens between two segments that both systems have right, as in sc_stats.
MIN_CORRECT = 2

type Slots = NDArray[np.signedinteger]


class Mapsswe(NamedTuple):
    """Result of the test of system b against system a.

    Attributes:
        segments: number of segments with an error of either system.
        mean: errors of b minus errors of a, per segment.
        z: the mean in units of its standard error; infinite if all differences are the
            same, and 0 if all are 0.
        p: two-sided p-value of "the mean is 0".
    """

    segments: int
    mean: float
    z: float
    p: float


def errors_by_slot(pairs: Sequence[Pair]) -> list[int]:
    """Return the number of errors of an utterance at each place of its reference.

    Slot 2k + 1 stands for token k of the reference: it is 1 if the token is substituted
    or deleted. The even slots are the gaps around the tokens and hold the number of
    insertions there. So n tokens have 2n + 1 slots, whatever the hypothesis.

    >>> errors_by_slot([("a", "a"), (None, "x"), ("b", None)])
    [0, 0, 1, 1, 0]
    """
    slots = [0]
    for ours, theirs in pairs:
        if ours is None:
            slots[-1] += 1
        else:
            slots += [int(ours != theirs), 0]
    return slots


def mapsswe(a: Slots, b: Slots, lengths: Slots) -> Mapsswe:
    r"""Test whether two systems make the same number of errors in a segment.

    .. math:: z = \frac{\bar d}{s / \sqrt n}, \quad
              \bar d = \frac{1}{n} \sum_{i=1}^{n} d_i, \quad
              s^2 = \frac{1}{n-1} \sum_{i=1}^{n} (d_i - \bar d)^2, \quad
              p = 2\,(1 - \Phi(|z|))

    where :math:`d_i` is the errors of b minus the errors of a in segment i. A segment
    is a stretch with errors of either system. It ends where both systems have two
    tokens in a row right, or with the utterance. Segments count as independent of each
    other.

    Source: Gillick and Cox, *Some Statistical Issues in the Comparison of Speech
    Recognition Algorithms*, ICASSP 1989, section 4; segments and variance as in NIST's
    ``sc_stats``.

    Departures from it: insertions after the last token are counted for both systems
    (``sc_stats`` overlooks those of the second if the first has none). If all
    differences are the same, s is 0; unless they are 0, p is then the exact value
    :math:`2^{1-n}` (``sc_stats``: 1). Alignments are those with the fewest errors, not
    sclite's weighted ones.

    Args:
        a: errors of the first system by slot, all utterances in a row.
        b: the same for the second system.
        lengths: number of slots of each utterance.
    """
    where = np.flatnonzero(a | b)
    if not len(where):
        return Mapsswe(0, 0.0, 0.0, 1.0)
    utterance = np.repeat(np.arange(len(lengths)), lengths)[where]
    slot = where - (np.cumsum(lengths) - lengths)[utterance]
    between = slot[1:] // 2 - (slot[:-1] + 1) // 2
    new = (np.diff(utterance) > 0) | (between >= MIN_CORRECT)
    starts = np.flatnonzero(np.concatenate([[True], new]))
    return _test(np.add.reduceat((b - a)[where], starts))


def _test(differences: Slots) -> Mapsswe:
    count, mean = len(differences), float(differences.mean())
    if np.ptp(differences) == 0:
        z = math.copysign(math.inf, mean) if mean else 0.0
        return Mapsswe(count, mean, z, 2.0 ** (1 - count) if mean else 1.0)
    z = mean / (float(differences.std(ddof=1)) / math.sqrt(count))
    return Mapsswe(count, mean, z, math.erfc(abs(z) / math.sqrt(2)))
