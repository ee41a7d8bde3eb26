"""Tested differences between two systems: on a set, and in the mean over sets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from espnet_merge.score.bootstrap import (
    Rates,
    interval,
    rates_of,
)
from espnet_merge.score.design import Design
from espnet_merge.score.holm import holm
from espnet_merge.score.mapsswe import mapsswe
from espnet_merge.score.parts import Part
from espnet_merge.score.permutation import contributions, permutation_test


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The difference of system b from system a, in percent and percentage points.

    Lower is better for error rates, higher for BLEU and chrF.

    Attributes:
        name: of the part, or ``mean``.
        metric: of the part, or ``macro`` for a mean of error rates.
        units: utterances or speakers.
        a: the first system's error rate or score.
        b: the second's.
        points: b minus a.
        low: lower end of the bootstrap interval of ``points``.
        high: its upper end.
        improved: fraction of the resamples in which b is better.
        p: p-value of the permutation test; for a part, after Holm's correction over all
            parts.
        p_mapsswe: p-value of MAPSSWE, corrected in the same way; None for a mean over
            sets.
        segments: number of segments of MAPSSWE.
        p_bootstrap: p-value of the paired bootstrap, corrected in the same way; only
            for BLEU and chrF.
    """

    name: str
    metric: str
    units: int
    a: float
    b: float
    points: float
    low: float
    high: float
    improved: float
    p: float
    p_mapsswe: float | None = None
    segments: int | None = None
    p_bootstrap: float | None = None


# Attributes that Holm's correction is applied to, each separately.
P_VALUES = ("p", "p_bootstrap")


def p_value(parts: Sequence[Part], a: int, b: int, design: Design) -> float:
    """Return the permutation test's p-value for the difference of mean rates.

    Args:
        parts: one part, or those to average over; systems are swapped in each part
            separately.
        a: column of the first system.
        b: column of the second.
        design: how to test.
    """
    points = [
        contributions(part.errors[:, a], part.errors[:, b], part.tokens, design.margin)
        for part in parts
    ]
    return permutation_test(
        np.concatenate(points) / len(parts),
        design.sides,
        design.resamples,
        design.seed,
    )


def difference(
    parts: Sequence[Part], drawn: Sequence[Rates], a: int, b: int, design: Design
) -> Difference:
    r"""Return the difference of the parts' mean rates; of one part, of its rates.

    .. math:: \Delta = \frac{1}{K} \sum_{k=1}^{K} (W_{bk} - W_{ak})

    Each set is resampled, and its systems swapped, on its own: the test is about more
    speech of these K sets, not about other sets.

    Args:
        parts: one part, or those to average over.
        drawn: what :meth:`Design.draw` returned for each.
        a: column of the first system.
        b: column of the second.
        design: how to test.
    """
    rates = np.mean([rates_of(part.errors, part.tokens) for part in parts], axis=0)
    resampled = np.mean(drawn, axis=0)
    bounds = interval(resampled[:, b] - resampled[:, a], design.alpha)
    alone = parts[0] if len(parts) == 1 else None
    return Difference(
        name=alone.name if alone else "mean",
        metric=alone.metric if alone else "macro",
        units=sum(len(part.tokens) for part in parts),
        a=float(rates[a]),
        b=float(rates[b]),
        points=float(rates[b] - rates[a]),
        **bounds._asdict(),
        p=p_value(parts, a, b, design),
    )


def differences(
    parts: Sequence[Part], drawn: Sequence[Rates], a: int, b: int, design: Design
) -> list[Difference]:
    """Return the difference on each part, with p-values after Holm's correction.

    Args:
        parts: of all sets.
        drawn: what :meth:`Design.draw` returned for each.
        a: column of the first system.
        b: column of the second.
        design: how to test.
    """
    found = [
        difference([part], [rates], a, b, design)
        for part, rates in zip(parts, drawn, strict=True)
    ]
    return corrected(found)


def corrected(rows: Sequence[Difference]) -> list[Difference]:
    """Return the differences with their p-values after Holm's correction.

    Args:
        rows: one for each part; all or none of them with ``p_bootstrap``.
    """
    names = [n for n in P_VALUES if all(getattr(row, n) is not None for row in rows)]
    columns = [holm([getattr(row, name) for row in rows]) for name in names]
    return [
        replace(row, **dict(zip(names, values, strict=True)))
        for row, *values in zip(rows, *columns, strict=True)
    ]


def with_mapsswe(
    rows: Sequence[Difference], parts: Sequence[Part], a: int, b: int
) -> list[Difference]:
    """Return the rows of :func:`differences` with MAPSSWE, corrected in the same way.

    Args:
        rows: one for each part.
        parts: with the systems' slots.
        a: column of the first system.
        b: column of the second.
    """
    tests = []
    for part in parts:
        assert part.lengths is not None
        tests.append(mapsswe(part.slots[a], part.slots[b], part.lengths))
    corrected = holm([test.p for test in tests])
    return [
        replace(row, p_mapsswe=p, segments=test.segments)
        for row, test, p in zip(rows, tests, corrected, strict=True)
    ]
